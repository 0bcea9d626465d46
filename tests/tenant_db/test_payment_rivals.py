"""Lost answers and rivals: whoever comes first settles, and nobody settles twice."""

import asyncio
from collections.abc import Awaitable, Callable

from sqlalchemy import select

from core.clock import utc_now
from core.currency import Currency
from core.money import Money
from tenancy.sessions import Tenant
from tenant_db.payments import submitting
from tenant_db.payments.cancelling import cancel_payment
from tenant_db.payments.errors import PaymentAlreadySent
from tenant_db.payments.models import Payment
from tenant_db.payments.polling import take_rung
from tenant_db.payments.rules import POLL_LADDER_S, Paid
from tenant_db.payments.settling import Callback, Verdict, settle_by_callback
from tests.factories.payments import (
    LATER,
    books,
    checkout_id,
    initiate,
    make_shop,
    pend,
    read,
    submit,
)
from tests.factories.telling import (
    CREDITED,
    DECLINED,
    PAID,
    POOR,
    ask,
    call_back,
    confirm,
    told_of,
)
from tests.racing import race, stand_still


async def test_where_the_answer_was_lost_the_callbacks_id_is_asked_about_first(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    payment = await initiate(tenant, shop)
    item = await submit(tenant, payment)
    async with tenant.transaction() as session:
        await submitting.doubt(session, payment.id, "no answer")

    first = await call_back(tenant, shop, item, "ws_CO_1")
    assert first.verdict is Verdict.ASK
    await call_back(tenant, shop, item, "ws_CO_1", answer=Paid())

    after = await read(tenant, payment.id)
    assert (after.status, after.provider_reference) == ("succeeded", "ws_CO_1")
    assert (after.receipt, await books(tenant, shop)) == ("TKX0000001", CREDITED)


async def test_a_declined_prompt_whose_answer_was_lost_is_cancelled(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    payment = await initiate(tenant, shop)
    item = await submit(tenant, payment)
    async with tenant.transaction() as session:
        await submitting.doubt(session, payment.id, "no answer")

    await call_back(tenant, shop, item, "ws_CO_1", DECLINED, answer=DECLINED)

    assert (await read(tenant, payment.id)).status == "cancelled"


async def test_where_the_answer_was_lost_a_wrong_amount_goes_to_a_person(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    payment = await initiate(tenant, shop)
    item = await submit(tenant, payment)
    async with tenant.transaction() as session:
        await submitting.doubt(session, payment.id, "no answer")

    verdict = await call_back(tenant, shop, item, "ws_CO_1", Paid(Money(100, Currency.KES), "TKX0000001"))

    assert (verdict.verdict, verdict.is_worth_asking) == (Verdict.QUARANTINED, False)
    assert (await read(tenant, payment.id)).needs_review


async def test_callback_query_and_poll_at_the_same_moment_credit_once(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    payment, item = await pend(tenant, shop)

    def calling() -> Awaitable[object]:
        return call_back(tenant, shop, item, checkout_id(payment))

    def asking() -> Awaitable[object]:
        return ask(tenant, payment, Paid())

    async def polling() -> object:
        async with tenant.transaction() as session:
            return await take_rung(session, payment.id, utc_now(), POLL_LADDER_S)

    rivals: list[Callable[[], Awaitable[object]]] = [calling, asking, polling, asking]
    barrier = select(Payment).where(Payment.id == payment.id).with_for_update()
    outcomes = await race(tenant, barrier, rivals)

    assert not [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    after = await read(tenant, payment.id)
    assert (after.status, after.receipt) == ("succeeded", "TKX0000001")
    assert await books(tenant, shop) == CREDITED


async def test_a_payment_found_paid_by_query_learns_its_receipt_from_the_callback(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    payment, item = await pend(tenant, shop)
    await ask(tenant, payment, Paid())
    assert (await read(tenant, payment.id)).receipt is None

    await call_back(tenant, shop, item, checkout_id(payment))

    after = await read(tenant, payment.id)
    assert (after.status, after.receipt, after.needs_review) == ("succeeded", "TKX0000001", False)
    assert await books(tenant, shop) == CREDITED


async def test_a_query_that_denies_a_settled_payment_goes_to_review(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    payment, _ = await pend(tenant, shop)
    await ask(tenant, payment, Paid())

    await ask(tenant, payment, POOR)

    after = await read(tenant, payment.id)
    assert (after.status, after.needs_review) == ("succeeded", True)
    assert await books(tenant, shop) == CREDITED


async def test_a_payer_who_paid_before_our_request_was_answered_is_credited_once(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    payment = await initiate(tenant, shop)
    item = await submit(tenant, payment)
    await confirm(tenant, told_of(shop, payment))

    async with tenant.transaction() as session:
        await submitting.confirm(session, payment.id, checkout_id(payment), None)
    verdict = await call_back(tenant, shop, item, checkout_id(payment))

    after = await read(tenant, payment.id)
    assert verdict.verdict is Verdict.UNCHANGED
    assert (after.status, after.provider_reference) == ("succeeded", checkout_id(payment))
    assert await books(tenant, shop) == CREDITED


async def test_an_id_of_another_payment_ends_nothing(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    other, _ = await pend(tenant, shop)
    payment = await initiate(tenant, shop)
    item = await submit(tenant, payment)
    async with tenant.transaction() as session:
        await submitting.doubt(session, payment.id, "no answer")

    verdict = await call_back(tenant, shop, item, checkout_id(other), POOR, answer=POOR)

    assert verdict.verdict is Verdict.QUARANTINED
    assert (await read(tenant, payment.id)).status == "unknown"
    assert (await read(tenant, other.id)).status == "pending"


async def test_of_sending_and_cancelling_at_the_same_moment_one_happens(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    payment = await initiate(tenant, shop)

    async def sending() -> object:
        async with tenant.transaction() as session:
            return await submitting.claim(session, payment.id, b"item", utc_now())

    async def cancelling() -> object:
        async with tenant.transaction() as session:
            return await cancel_payment(session, payment.id, utc_now())

    barrier = select(Payment).where(Payment.id == payment.id).with_for_update()
    sent, cancelled = await race(tenant, barrier, [sending, cancelling])

    is_sent = isinstance(sent, submitting.Claim)
    assert is_sent == isinstance(cancelled, PaymentAlreadySent)
    assert (await read(tenant, payment.id)).status == ("submitting" if is_sent else "cancelled")


async def test_two_attempts_of_an_order_paid_at_the_same_moment_ask_for_a_refund(tenant: Tenant) -> None:
    counter, online = await make_shop(tenant), await make_shop(tenant, short_code="600000")
    early, early_item = await pend(tenant, counter, now=utc_now() - LATER, order_reference="1042")
    late, late_item = await pend(tenant, online, order_reference="1042")

    async with tenant.transaction() as session:
        callback = Callback(counter.channel_id, early_item, checkout_id(early), PAID)
        await settle_by_callback(session, callback, utc_now())
        paying = asyncio.ensure_future(call_back(tenant, online, late_item, checkout_id(late)))
        await stand_still(tenant, paying)
    await paying

    assert not (await read(tenant, early.id)).needs_review
    after = await read(tenant, late.id)
    assert (after.status, after.needs_review) == ("succeeded", True)


async def test_a_run_that_repeats_its_release_takes_nothing_from_the_run_after_it(tenant: Tenant) -> None:
    payment = await initiate(tenant, await make_shop(tenant))
    item = await submit(tenant, payment)
    async with tenant.transaction() as session:
        await submitting.release(session, payment.id, item, "no connection", utc_now())
        await submitting.claim(session, payment.id, b"another", utc_now())

    async with tenant.transaction() as session:
        await submitting.release(session, payment.id, item, "no connection", utc_now())
    assert (await read(tenant, payment.id)).status == "submitting"

    async with tenant.transaction() as session:
        await submitting.doubt(session, payment.id, "no answer")
        await submitting.release(session, payment.id, item, "no connection", utc_now())
    assert (await read(tenant, payment.id)).status == "unknown"
