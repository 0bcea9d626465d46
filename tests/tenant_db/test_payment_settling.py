"""Who told what, in which order, twice or falsely: a payment is credited once or not at all."""

import pytest

from core.clock import utc_now
from core.currency import Currency
from core.ids import new_id
from core.money import Money
from tenancy.sessions import Tenant
from tenant_db.payments.rules import FailureReason, NotPaid, Paid, Told
from tenant_db.payments.settling import Settled, Verdict
from tests.factories.payments import (
    AMOUNT,
    LATER,
    books,
    checkout_id,
    events_of,
    initiate,
    make_shop,
    pend,
    read,
    submit,
)
from tests.factories.telling import CREDITED, DECLINED, NOTHING, POOR, SILENT, ask, call_back


async def test_a_proven_callback_settles_and_credits_the_store(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    payment, item = await pend(tenant, shop)

    settled = await call_back(tenant, shop, item, checkout_id(payment))

    assert (settled.verdict, settled.payment_id) == (Verdict.SETTLED, payment.id)
    after = await read(tenant, payment.id)
    assert (after.status, after.sub_status, after.receipt) == ("succeeded", "stk_success", "TKX0000001")
    assert after.settled_at is not None
    assert await books(tenant, shop) == CREDITED
    steps = [(event.from_status, event.to_status) for event in await events_of(tenant, payment.id)]
    assert steps == [
        (None, "created"),
        ("created", "submitting"),
        ("submitting", "pending"),
        ("pending", "succeeded"),
    ]


@pytest.mark.parametrize(
    ("told", "status", "code"),
    [
        (DECLINED, "cancelled", "cancelled_by_payer"),
        (POOR, "failed", "insufficient_funds"),
        (NotPaid(FailureReason.WRONG_PIN, "2001", ""), "failed", "wrong_pin"),
    ],
)
async def test_a_refusal_ends_it_without_money(tenant: Tenant, told: NotPaid, status: str, code: str) -> None:
    shop = await make_shop(tenant)
    payment, item = await pend(tenant, shop)

    await call_back(tenant, shop, item, checkout_id(payment), told)

    after = await read(tenant, payment.id)
    assert (after.status, after.failure_code, after.sub_status) == (status, code, "stk_failed")
    assert await books(tenant, shop) == NOTHING


async def test_no_answer_counts_only_once_the_provider_has_confirmed_it(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    payment, item = await pend(tenant, shop)

    first = await call_back(tenant, shop, item, checkout_id(payment), SILENT)
    assert first.verdict is Verdict.ASK
    assert (await read(tenant, payment.id)).status == "pending"

    await call_back(tenant, shop, item, checkout_id(payment), SILENT, answer=SILENT)
    assert (await read(tenant, payment.id)).status == "failed"


async def test_no_answer_after_the_window_is_an_expiry(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    payment, _ = await pend(tenant, shop)

    await ask(tenant, payment, SILENT, utc_now() + LATER)

    after = await read(tenant, payment.id)
    assert (after.status, after.failure_code) == ("expired", "no_answer")


async def test_the_query_that_finds_the_payer_paid_wins_over_the_callback(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    payment, item = await pend(tenant, shop)

    await call_back(tenant, shop, item, checkout_id(payment), SILENT, answer=Paid())

    assert (await read(tenant, payment.id)).status == "succeeded"
    assert await books(tenant, shop) == CREDITED


async def test_a_callback_told_twice_credits_once(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    payment, item = await pend(tenant, shop)
    await call_back(tenant, shop, item, checkout_id(payment))

    again = await call_back(tenant, shop, item, checkout_id(payment))

    assert again.verdict is Verdict.UNCHANGED
    assert await books(tenant, shop) == CREDITED
    assert len(await events_of(tenant, payment.id)) == 4


@pytest.mark.parametrize(
    "told", [DECLINED, Paid(AMOUNT, "TKX0000009"), Paid(Money(100, Currency.KES), "TKX0000001")]
)
async def test_a_callback_that_contradicts_a_success_goes_to_review(tenant: Tenant, told: Told) -> None:
    shop = await make_shop(tenant)
    payment, item = await pend(tenant, shop)
    await call_back(tenant, shop, item, checkout_id(payment))

    verdict = await call_back(tenant, shop, item, checkout_id(payment), told)

    assert verdict.verdict is Verdict.QUARANTINED
    after = await read(tenant, payment.id)
    assert (after.status, after.needs_review, after.receipt) == ("succeeded", True, "TKX0000001")
    assert await books(tenant, shop) == CREDITED


async def test_a_success_after_a_refusal_counts_only_with_the_providers_word(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    payment, item = await pend(tenant, shop)
    await call_back(tenant, shop, item, checkout_id(payment), POOR)

    first = await call_back(tenant, shop, item, checkout_id(payment))
    denied = await call_back(tenant, shop, item, checkout_id(payment), answer=POOR)

    assert (first.verdict, denied.verdict) == (Verdict.ASK, Verdict.QUARANTINED)
    assert (await read(tenant, payment.id)).needs_review
    assert await books(tenant, shop) == NOTHING

    await call_back(tenant, shop, item, checkout_id(payment), answer=Paid())
    assert (await read(tenant, payment.id)).status == "succeeded"
    assert await books(tenant, shop) == CREDITED


async def test_money_after_the_expiry_is_not_lost(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    payment, item = await pend(tenant, shop)
    await ask(tenant, payment, SILENT, utc_now() + LATER)

    await call_back(tenant, shop, item, checkout_id(payment))

    after = await read(tenant, payment.id)
    assert (after.status, after.failure_code) == ("succeeded", None)
    assert await books(tenant, shop) == CREDITED


async def test_late_money_for_an_order_that_was_paid_meanwhile_asks_for_a_refund(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    late, item = await pend(tenant, shop, order_reference="INV1042")
    await ask(tenant, late, SILENT, utc_now() + LATER)
    second, second_item = await pend(tenant, shop, order_reference="INV1042")
    await call_back(tenant, shop, second_item, checkout_id(second), Paid(AMOUNT, "TKX0000002"))

    await call_back(tenant, shop, item, checkout_id(late))

    after = await read(tenant, late.id)
    assert (after.status, after.needs_review) == ("succeeded", True)
    assert "refund" in (after.review_note or "")
    assert not (await read(tenant, second.id)).needs_review


@pytest.mark.parametrize(
    "told", [Paid(Money(100, Currency.KES), "TKX0000001"), Paid(None, "TKX0000001"), Paid(AMOUNT, None)]
)
async def test_a_tampered_callback_is_set_aside_and_the_provider_asked(tenant: Tenant, told: Paid) -> None:
    shop = await make_shop(tenant)
    payment, item = await pend(tenant, shop)

    verdict = await call_back(tenant, shop, item, checkout_id(payment), told)

    assert (verdict.verdict, verdict.is_worth_asking) == (Verdict.QUARANTINED, True)
    assert (await read(tenant, payment.id)).status == "pending"
    assert await books(tenant, shop) == NOTHING


async def test_another_payments_id_at_this_address_is_set_aside(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    payment, item = await pend(tenant, shop)
    other, _ = await pend(tenant, shop)

    verdict = await call_back(tenant, shop, item, checkout_id(other))

    assert verdict.verdict is Verdict.QUARANTINED
    assert (await read(tenant, payment.id)).status == (await read(tenant, other.id)).status == "pending"


async def test_an_address_that_nobody_was_given_settles_nothing(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    payment, _ = await pend(tenant, shop)

    verdict = await call_back(tenant, shop, b"guessed", checkout_id(payment))

    assert verdict == Settled(Verdict.QUARANTINED, note="no payment has this address")


async def test_an_address_under_another_channels_endpoint_settles_nothing(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    payment, item = await pend(tenant, shop)

    verdict = await call_back(tenant, shop, item, checkout_id(payment), channel_id=new_id())

    assert verdict.verdict is Verdict.QUARANTINED
    assert (await read(tenant, payment.id)).status == "pending"


async def test_a_receipt_pays_one_payment_only(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    first, item = await pend(tenant, shop)
    await call_back(tenant, shop, item, checkout_id(first))
    second, second_item = await pend(tenant, shop)

    verdict = await call_back(tenant, shop, second_item, checkout_id(second))

    assert verdict.verdict is Verdict.QUARANTINED
    after = await read(tenant, second.id)
    assert (after.status, after.needs_review) == ("pending", True)
    assert await books(tenant, shop) == CREDITED


async def test_a_callback_waits_while_its_request_is_still_being_answered(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    payment = await initiate(tenant, shop)
    item = await submit(tenant, payment)

    verdict = await call_back(tenant, shop, item, checkout_id(payment))

    assert verdict.verdict is Verdict.WAIT
    assert (await read(tenant, payment.id)).status == "submitting"
