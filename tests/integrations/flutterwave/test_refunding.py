"""Giving money back, once, whatever gets lost."""

from dataclasses import replace
from datetime import timedelta

import pytest

from core.currency import Currency
from core.money import Money
from integrations.errors import OutcomeUnknown, ProviderRejected
from integrations.protocol import (
    Absent,
    Intent,
    Paid,
    Refunded,
    RefundFailed,
    RefundPending,
    RefundRequest,
)
from integrations.sandbox.flutterwave.outcomes import REFUND_WORDS, REFUNDS_DONE, REFUNDS_FAILED
from tests.integrations.flutterwave.conftest import Desk, prompt_of, question_of, refund_of


@pytest.fixture
async def paid(desk: Desk) -> tuple[Intent, str]:
    """A payment of KES 1,500 and its transaction's id."""
    intent = prompt_of()
    await desk.client.create_payment(intent)
    await desk.release()
    answer = await desk.client.query_payment(question_of(intent))
    assert isinstance(answer, Paid)
    assert answer.receipt is not None
    return intent, answer.receipt


async def test_a_refund_is_begun_and_then_done(desk: Desk, paid: tuple[Intent, str]) -> None:
    refund = refund_of(*paid, minor=50_000)

    begun = await desk.client.refund_payment(refund)

    assert isinstance(begun, RefundPending)
    await desk.release()
    done = await desk.client.query_refund(refund, begun.provider_reference)
    assert done == Refunded(str(begun.provider_reference), Money(50_000, Currency.KES))
    (row,) = await desk.refunded()
    assert (row["refund_id"], row["amount_minor"]) == (refund.refund_id, 50_000)


@pytest.mark.parametrize("word", REFUND_WORDS)
async def test_each_word_of_a_refund_is_understood(desk: Desk, paid: tuple[Intent, str], word: str) -> None:
    await desk.plan(f"refund_{word}")

    answer = await desk.client.refund_payment(refund_of(*paid))

    ended = RefundFailed if word in REFUNDS_FAILED else RefundPending
    assert isinstance(answer, Refunded if word in REFUNDS_DONE else ended)


async def test_a_refund_whose_payout_failed_has_failed(desk: Desk, paid: tuple[Intent, str]) -> None:
    await desk.plan("refund_disburse_failed")

    assert isinstance(await desk.client.refund_payment(refund_of(*paid)), RefundFailed)


async def test_the_capitalised_spelling_is_read_too(desk: Desk, paid: tuple[Intent, str]) -> None:
    await desk.plan("refund_capitalised")
    refund = refund_of(*paid)
    begun = await desk.client.refund_payment(refund)
    await desk.release()

    assert isinstance(begun, RefundPending)
    assert isinstance(await desk.client.query_refund(refund, begun.provider_reference), Refunded)
    assert isinstance(await desk.client.query_refund(refund, None), Refunded)


async def test_a_refund_asked_twice_is_given_once(desk: Desk, paid: tuple[Intent, str]) -> None:
    refund = refund_of(*paid)
    first = await desk.client.refund_payment(refund)

    second = await desk.client.refund_payment(refund)

    assert second.provider_reference == first.provider_reference
    assert len(await desk.refunded()) == 1


@pytest.mark.parametrize("outcome", ["timeout_after_acceptance", "unavailable_after_acceptance", "html"])
async def test_a_lost_answer_is_found_again_by_our_note(
    desk: Desk, paid: tuple[Intent, str], outcome: str
) -> None:
    await desk.plan({"kind": outcome, "operation": "refund"})
    refund = refund_of(*paid)
    with pytest.raises(OutcomeUnknown) as caught:
        await desk.client.refund_payment(refund)
    assert caught.value.reference == refund.refund_id
    await desk.release()

    assert isinstance(await desk.client.query_refund(refund, None), Refunded)
    assert isinstance(await desk.client.refund_payment(refund), Refunded)
    assert len(await desk.refunded()) == 1


@pytest.mark.parametrize("outcome", ["timeout_before_acceptance", "general"])
async def test_a_refund_that_never_arrived_is_absent_only_after_a_while(
    desk: Desk, paid: tuple[Intent, str], outcome: str
) -> None:
    await desk.plan(
        "refund_general_error" if outcome == "general" else {"kind": outcome, "operation": "refund"}
    )
    refund = refund_of(*paid)
    with pytest.raises(OutcomeUnknown):
        await desk.client.refund_payment(refund)

    # It was tried for hours before this call: its id tells nothing.
    desk.watch.later = timedelta(hours=3)
    refund = replace(refund, sent_at=desk.watch.now())
    assert await desk.client.query_refund(refund, None) == RefundPending(None)
    desk.watch.later += timedelta(minutes=16)
    assert await desk.client.query_refund(refund, None) == Absent()
    assert await desk.client.query_refund(replace(refund, sent_at=None), None) == RefundPending(None)


async def test_a_refund_without_our_note_is_left_to_a_person(desk: Desk, paid: tuple[Intent, str]) -> None:
    await desk.plan("refund_without_comment")
    refund = refund_of(*paid)
    await desk.client.refund_payment(refund)
    desk.watch.later = timedelta(days=1)

    found = await desk.client.query_refund(refund, None)

    assert isinstance(found, RefundPending)
    assert found.needs_attention is not None


async def test_more_than_the_rest_is_refused(desk: Desk, paid: tuple[Intent, str]) -> None:
    await desk.client.refund_payment(refund_of(*paid, minor=100_000))

    for refund in (refund_of(*paid, minor=50_100), refund_of(prompt_of(), "4999999"), unpaid()):
        with pytest.raises(ProviderRejected):
            await desk.client.refund_payment(refund)

    assert [row["amount_minor"] for row in await desk.refunded()] == [100_000]


async def test_a_refusal_for_want_of_money_is_final(desk: Desk, paid: tuple[Intent, str]) -> None:
    await desk.plan("refund_refused")

    with pytest.raises(ProviderRejected):
        await desk.client.refund_payment(refund_of(*paid))

    assert await desk.refunded() == []


async def test_without_a_receipt_the_transaction_is_looked_up(desk: Desk, paid: tuple[Intent, str]) -> None:
    intent, _ = paid

    await desk.client.refund_payment(refund_of(intent, None))

    assert len(await desk.refunded()) == 1


async def test_a_transaction_that_is_not_shown_just_after_sending_proves_nothing(desk: Desk) -> None:
    refund = replace(unpaid(), sent_at=desk.watch.now())
    assert await desk.client.query_refund(refund, None) == RefundPending(None)
    desk.watch.later = timedelta(minutes=16)
    assert await desk.client.query_refund(refund, None) == Absent()


async def test_a_refund_that_is_stuck_or_unlike_ours_wants_a_person(
    desk: Desk, paid: tuple[Intent, str]
) -> None:
    await desk.plan("refund_pending")
    refund = refund_of(*paid, minor=50_000)
    begun = await desk.client.refund_payment(refund)
    assert isinstance(begun, RefundPending)
    assert begun.needs_attention is None

    unlike = await desk.client.query_refund(refund_of(*paid, minor=60_000), begun.provider_reference)
    desk.watch.later = timedelta(days=8)
    stuck = await desk.client.query_refund(refund, begun.provider_reference)

    assert [type(told) for told in (unlike, stuck)] == [RefundPending, RefundPending]
    assert all(told.needs_attention for told in (unlike, stuck) if isinstance(told, RefundPending))


async def test_another_payments_refund_is_never_taken_for_ours(desk: Desk, paid: tuple[Intent, str]) -> None:
    other = prompt_of()
    theirs = (await desk.client.create_payment(other)).request_reference
    await desk.release()
    await desk.plan("refund_without_comment")
    given = await desk.client.refund_payment(refund_of(other, theirs))
    ours = replace(refund_of(*paid), sent_at=desk.watch.now())
    desk.watch.later = timedelta(days=1)

    asked = await desk.client.query_refund(ours, given.provider_reference)

    assert isinstance(asked, RefundPending)
    assert asked.needs_attention is not None
    assert await desk.client.query_refund(ours, None) == Absent()


@pytest.mark.parametrize("with_receipt", [True, False], ids=["receipt", "no receipt"])
async def test_every_refund_of_a_payment_is_listed_whoever_made_it(
    desk: Desk,
    paid: tuple[Intent, str],
    with_receipt: bool,  # noqa: FBT001 - pytest gives it
) -> None:
    other = prompt_of()
    theirs = (await desk.client.create_payment(other)).request_reference
    await desk.release()
    await desk.client.refund_payment(refund_of(other, theirs))
    ours, by_hand = refund_of(*paid, minor=10_000), refund_of(*paid, minor=20_000)
    await desk.client.refund_payment(ours)
    await desk.plan({"operation": "refund", "result": "failed", "details": {"has_no_comment": True}})
    await desk.client.refund_payment(by_hand)
    await desk.release()

    intent, receipt = paid
    found = await desk.client.list_refunds(question_of(intent), receipt if with_receipt else None)

    by_amount = {listed.amount.minor: listed for listed in found}
    assert set(by_amount) == {10_000, 20_000}
    assert (by_amount[10_000].refund_id, by_amount[20_000].refund_id) == (ours.refund_id, None)
    assert isinstance(by_amount[10_000].answer, Refunded)
    assert isinstance(by_amount[20_000].answer, RefundFailed)
    assert await desk.client.list_refunds(question_of(prompt_of()), None) == []


def unpaid() -> RefundRequest:
    return refund_of(prompt_of(), None)
