"""Money given back, and looked for where the answer was lost."""

from dataclasses import replace
from datetime import timedelta

import pytest

from core.currency import Currency
from core.money import Money
from integrations.errors import FailureReason, OutcomeUnknown, ProviderRejected, ProviderUnavailable
from integrations.protocol import (
    Absent,
    Intent,
    NotPaid,
    Paid,
    Refunded,
    RefundFailed,
    RefundPending,
)
from tests.integrations.paystack.conftest import Desk, MakeDesk, prompt_of, question_of, refund_of
from tests.integrations.scripted import answer, scripted_server

HALF = Money(75_000, Currency.KES)


async def paid(desk: Desk) -> Intent:
    intent = prompt_of()
    await desk.client.create_payment(intent)
    await desk.release()
    return intent


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        ("success", Refunded),
        ("refund_at_once", Refunded),
        ("refund_failed", RefundFailed),
        ("refund_needs_attention", RefundPending),
        ("refund_pending", RefundPending),
        ("refund_processing", RefundPending),
    ],
)
async def test_a_refund_ends_as_paystack_says(desk: Desk, outcome: str, expected: type[object]) -> None:
    refund = refund_of(await paid(desk), 75_000)
    await desk.plan({"kind": outcome, "operation": "refund", "delay_s": 60})

    ordered = await desk.client.refund_payment(refund)

    assert isinstance(ordered, RefundPending if outcome != "refund_at_once" else Refunded)
    reference = ordered.provider_reference
    assert reference is not None
    if outcome not in ("refund_pending", "refund_processing"):
        await desk.release()
    told = await desk.client.query_refund(refund, reference)
    assert isinstance(told, expected)
    assert not isinstance(told, Absent)
    assert told.provider_reference == reference
    if isinstance(told, Refunded):
        assert told.amount == HALF
    needs = outcome == "refund_needs_attention"
    assert isinstance(told, RefundPending) is (expected is RefundPending)
    assert bool(getattr(told, "needs_attention", None)) is needs


@pytest.mark.parametrize("with_receipt", [True, False], ids=["receipt", "no receipt"])
@pytest.mark.parametrize(
    "outcome", ["timeout_after_acceptance", "server_error_after_acceptance", "malformed"]
)
async def test_a_refund_whose_answer_was_lost_is_found_by_our_note(
    desk: Desk,
    outcome: str,
    with_receipt: bool,  # noqa: FBT001 - pytest gives it
) -> None:
    intent = await paid(desk)
    answer_ = await desk.client.query_payment(question_of(intent))
    assert isinstance(answer_, Paid)
    await desk.client.refund_payment(refund_of(intent, 10_000))
    refund = refund_of(intent, 10_000, answer_.receipt if with_receipt else None)
    await desk.plan({"kind": outcome, "operation": "refund"})

    with pytest.raises(OutcomeUnknown):
        await desk.client.refund_payment(refund)
    await desk.release()

    assert isinstance(await desk.client.query_refund(refund, None), Refunded)
    rows = [row for row in await desk.rows("refunded") if row["refund_id"] == refund.refund_id]
    assert len(rows) == 1


async def test_a_refund_that_never_arrived_is_absent_once_none_can_be_on_its_way(desk: Desk) -> None:
    refund = refund_of(await paid(desk))
    await desk.plan({"kind": "timeout_before_acceptance", "operation": "refund"})
    with pytest.raises(OutcomeUnknown):
        await desk.client.refund_payment(refund)

    # It was tried for hours before this call: its id tells nothing.
    desk.watch.later = timedelta(hours=3)
    refund = replace(refund, sent_at=desk.watch.now())
    assert await desk.client.query_refund(refund, None) == RefundPending(None)
    desk.watch.later += timedelta(minutes=16)
    assert await desk.client.query_refund(refund, None) == Absent()
    assert await desk.client.query_refund(replace(refund, sent_at=None), None) == RefundPending(None)


@pytest.mark.parametrize("with_receipt", [True, False], ids=["receipt", "no receipt"])
async def test_every_refund_of_a_payment_is_listed_whoever_made_it(
    desk: Desk,
    with_receipt: bool,  # noqa: FBT001 - pytest gives it
) -> None:
    await desk.client.refund_payment(refund_of(await paid(desk)))
    intent = await paid(desk)
    told = await desk.client.query_payment(question_of(intent))
    assert isinstance(told, Paid)
    ours, by_hand = refund_of(intent, 10_000), refund_of(intent, 20_000)
    await desk.client.refund_payment(ours)
    await desk.plan("refund_failed")
    await desk.client.refund_payment(replace(by_hand, refund_id="asked for by phone"))
    await desk.release()

    found = await desk.client.list_refunds(question_of(intent), told.receipt if with_receipt else None)

    by_amount = {listed.amount.minor: listed for listed in found}
    assert set(by_amount) == {10_000, 20_000}
    assert (by_amount[10_000].refund_id, by_amount[20_000].refund_id) == (ours.refund_id, None)
    assert isinstance(by_amount[10_000].answer, Refunded)
    assert isinstance(by_amount[20_000].answer, RefundFailed)


async def test_a_payment_that_paystack_does_not_know_has_no_refunds(desk: Desk) -> None:
    assert await desk.client.list_refunds(question_of(prompt_of()), None) == []


async def test_more_than_is_left_is_refused(desk: Desk) -> None:
    intent = await paid(desk)
    await desk.client.refund_payment(refund_of(intent, 100_000))
    await desk.release()

    with pytest.raises(ProviderRejected) as refused:
        await desk.client.refund_payment(refund_of(intent, 50_001))
    assert refused.value.code == "invalid_amount"
    await desk.client.refund_payment(refund_of(intent, 50_000))
    await desk.release()
    with pytest.raises(ProviderRejected):
        await desk.client.refund_payment(refund_of(intent, 1))
    assert sum(row["amount_minor"] for row in await desk.rows("refunded")) == 150_000


@pytest.mark.parametrize(
    ("outcome", "error"),
    [("busy", ProviderUnavailable), ("invalid_key", ProviderRejected), ("html", OutcomeUnknown)],
)
async def test_a_refund_fails_in_three_ways(desk: Desk, outcome: str, error: type[Exception]) -> None:
    refund = refund_of(await paid(desk))
    await desk.plan({"kind": outcome, "operation": "refund"})

    with pytest.raises(error) as failed:
        await desk.client.refund_payment(refund)

    if isinstance(failed.value, ProviderRejected):
        assert failed.value.reason is FailureReason.CONFIGURATION


async def test_a_failed_refund_can_be_given_the_payers_account(desk: Desk) -> None:
    refund = refund_of(await paid(desk))
    await desk.plan("refund_needs_attention")
    ordered = await desk.client.refund_payment(refund)
    await desk.release()
    path = f"/paystack/refund/retry_with_customer_details/{ordered.provider_reference}"
    headers = {"authorization": "Bearer sk_test_hazina_demo"}
    details = {"currency": "KES", "account_number": "0700000001", "bank_id": "1"}

    bad = await desk.sandbox.http.post(path, json={}, headers=headers)
    good = await desk.sandbox.http.post(path, json={"refund_account_details": details}, headers=headers)

    assert (bad.status_code, bad.json()["code"], good.status_code) == (422, "invalid_params", 200)
    assert isinstance(await desk.client.query_refund(refund, ordered.provider_reference), Refunded)


async def test_an_unpaid_payment_has_nothing_to_refund(desk: Desk) -> None:
    await desk.plan("declined")
    intent = await paid(desk)

    assert isinstance(await desk.client.query_payment(question_of(intent)), NotPaid)
    with pytest.raises(ProviderRejected):
        await desk.client.refund_payment(refund_of(intent))


REFUND = {"id": 7, "status": "processed", "amount": 150_000, "currency": "KES", "transaction": 9}


@pytest.mark.parametrize(
    "changes",
    [
        {"merchant_note": "rfd_other"},
        {"amount": None},
        {"amount": 1.5},
        {"currency": "EUR"},
        {"status": None},
        {"id": None},
    ],
)
async def test_an_answer_about_a_refund_that_does_not_fit_says_nothing(
    make_desk: MakeDesk, changes: dict[str, object]
) -> None:
    refund = refund_of(prompt_of())
    whole = answer(200, {"status": True, "message": "", "data": REFUND})
    broken = answer(200, {"status": True, "message": "", "data": {**REFUND, **changes}})
    async with scripted_server(whole, broken) as server:
        client = make_desk(server.url).client
        assert isinstance(await client.query_refund(refund, "7"), Refunded)
        with pytest.raises(ProviderUnavailable):
            await client.query_refund(refund, "7")


async def test_our_note_on_another_transactions_refund_is_not_ours(make_desk: MakeDesk) -> None:
    refund = refund_of(prompt_of(), receipt="10")
    listed = [{**REFUND, "merchant_note": refund.refund_id}]
    async with scripted_server(answer(200, {"status": True, "message": "", "data": listed})) as server:
        client = make_desk(server.url).client
        assert await client.query_refund(refund, None) == RefundPending(None)
