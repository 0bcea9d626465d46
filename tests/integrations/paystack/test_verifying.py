"""What a verification proves, and what it leaves open."""

from dataclasses import replace
from datetime import timedelta

import pytest

from core.clock import utc_now
from core.currency import Currency
from core.money import Money
from integrations.errors import FailureReason
from integrations.protocol import Absent, Accepted, Answer, Mismatch, NotPaid, Paid, StillPending
from integrations.sandbox.paystack.outcomes import DECLINES
from tests.integrations.paystack.conftest import (
    FEE,
    KES_1500,
    Desk,
    page_of,
    prompt_of,
    question_of,
)

REASONS = {
    "insufficient_funds": FailureReason.INSUFFICIENT_FUNDS,
    "wrong_pin": FailureReason.WRONG_PIN,
    "cancelled": FailureReason.CANCELLED_BY_PAYER,
    "timed_out": FailureReason.NO_ANSWER,
    "limit_exceeded": FailureReason.LIMIT_EXCEEDED,
    "expired_card": FailureReason.CARD_EXPIRED,
    "invalid_card": FailureReason.INCORRECT_DETAILS,
    "not_authenticated": FailureReason.AUTHENTICATION_REQUIRED,
    "restricted": FailureReason.PAYER_NOT_ALLOWED,
    "payer_busy": FailureReason.PAYER_BUSY,
    "bank_inoperative": FailureReason.PROVIDER_BUSY,
    "declined": FailureReason.DECLINED,
}


async def verified(desk: Desk, outcome: str | dict[str, object]) -> Answer:
    """What is answered about a prompt that went as planned."""
    await desk.plan(outcome)
    intent = prompt_of()
    await desk.client.create_payment(intent)
    await desk.sandbox.control("paystack/pay", reference=intent.attempt_key)
    return await desk.client.query_payment(question_of(intent))


def test_every_decline_of_the_sandbox_has_its_reason() -> None:
    assert set(REASONS) == set(DECLINES)


@pytest.mark.parametrize(("outcome", "reason"), REASONS.items())
async def test_a_decline_is_final_and_told_in_our_words(
    desk: Desk, outcome: str, reason: FailureReason
) -> None:
    await desk.plan(outcome)
    intent = prompt_of()
    await desk.client.create_payment(intent)
    await desk.release()

    answer = await desk.client.query_payment(question_of(intent))

    assert isinstance(answer, NotPaid)
    assert (answer.reason, answer.is_sure) == (reason, True)
    assert answer.code == DECLINES[outcome].lower().replace(" ", "_")
    assert answer.message != DECLINES[outcome]
    assert await desk.rows("paid") == []


@pytest.mark.parametrize(
    "outcome",
    [
        *("underpaid", "other_amount", "other_currency", "other_mode"),
        *("other_reference", "other_tenant", "other_payment", "reversed"),
    ],
)
async def test_money_that_does_not_fit_is_never_credited(desk: Desk, outcome: str) -> None:
    await desk.plan(outcome)
    intent = prompt_of()
    await desk.client.create_payment(intent)
    await desk.release()

    assert isinstance(await desk.client.query_payment(question_of(intent)), Mismatch)


@pytest.mark.parametrize(
    "outcome",
    [
        "metadata_text",
        "metadata_blank",
        "metadata_zero",
        "metadata_null",
        "id_as_text",
        "no_requested_amount",
    ],
)
async def test_every_shape_of_a_paid_transaction_is_read(desk: Desk, outcome: str) -> None:
    answer = await verified(desk, outcome)

    (row,) = await desk.rows("paid")
    assert answer == Paid(KES_1500, row["receipt"], FEE)


@pytest.mark.parametrize(
    "told", [{"metadata": "text", "tenant": "ten_x"}, {"amount_by": 1, "requested_amount": None}]
)
async def test_no_shape_hides_a_difference(desk: Desk, told: dict[str, object]) -> None:
    assert isinstance(await verified(desk, {"kind": "success", "details": {"told": told}}), Mismatch)


@pytest.mark.parametrize(("more", "fee_minor"), [(2_250, 0), (1_000, 1_250), (9_000, 0)])
async def test_fees_that_the_payer_bears_cost_the_business_nothing(
    desk: Desk, more: int, fee_minor: int
) -> None:
    answer = await verified(desk, {"kind": "success", "details": {"told": {"amount_by": more}}})

    assert isinstance(answer, Paid)
    assert (answer.amount, answer.fee) == (KES_1500, Money(fee_minor, Currency.KES))


@pytest.mark.parametrize(
    "outcome", ["abandoned", "ongoing", "pending", "processing", "queued", "query_pending"]
)
async def test_what_is_not_decided_stays_open_until_it_is(desk: Desk, outcome: str) -> None:
    await desk.plan(outcome)
    intent = page_of()
    await desk.client.create_payment(intent)

    assert await desk.client.query_payment(question_of(intent)) == StillPending()
    await desk.release(reference=intent.attempt_key)
    assert isinstance(await desk.client.query_payment(question_of(intent)), Paid)


async def test_money_that_comes_after_a_failure_counts(desk: Desk) -> None:
    assert isinstance(await verified(desk, {"kind": "declined", "delay_s": 0}), Paid)


async def test_a_reference_that_is_not_known_yet_is_pending(desk: Desk) -> None:
    await desk.plan("unknown_at_first")
    intent = prompt_of()
    await desk.client.create_payment(intent)
    await desk.sandbox.control("paystack/pay", reference=intent.attempt_key)

    assert await desk.client.query_payment(question_of(intent)) == StillPending()
    await desk.release()
    assert isinstance(await desk.client.query_payment(question_of(intent)), Paid)


@pytest.mark.parametrize(
    ("sent_ago_s", "made_ago_s", "expected"),
    [
        (59, 0, StillPending()),
        (60, 0, Absent()),
        (None, 800, StillPending()),
        (None, 960, Absent()),
        # However old the payment is, its last attempt may be young.
        (10, 9_000, StillPending()),
    ],
)
async def test_only_what_was_sent_a_minute_ago_counts_as_absent(
    desk: Desk, sent_ago_s: int | None, made_ago_s: int, expected: Absent | StillPending
) -> None:
    desk.watch.later = timedelta(seconds=made_ago_s)
    sent_at = None
    if sent_ago_s is not None:
        sent_at = utc_now() + desk.watch.later - timedelta(seconds=sent_ago_s)

    assert await desk.client.recover_payment(prompt_of(sent_at=sent_at)) == expected


async def test_what_was_taken_is_recovered_with_the_step_that_is_left(desk: Desk) -> None:
    await desk.plan({"kind": "otp", "answer": "drop"})
    intent = prompt_of()
    with pytest.raises(Exception, match="no answer"):
        await desk.client.create_payment(intent)

    recovered = await desk.client.recover_payment(intent)

    assert isinstance(recovered, Accepted)
    assert isinstance(recovered.answer, StillPending)
    assert recovered.answer.next_action is not None
    assert recovered.answer.next_action.kind == "enter_otp"


async def test_an_answer_for_another_tenant_is_no_proof(desk: Desk) -> None:
    intent = prompt_of()
    await desk.client.create_payment(intent)
    await desk.release()

    answer = await desk.client.query_payment(replace(question_of(intent), tenant="ten_other"))

    assert isinstance(answer, Mismatch)
