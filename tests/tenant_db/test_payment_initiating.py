"""A payment is written only where it can be collected, and one order is never collected twice."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, func, select, text

from core.clock import utc_now
from core.currency import Currency
from core.errors import DomainError, NotFound
from core.ids import new_id
from core.money import Money
from core.offers import CurrencyLimits, Offer
from core.phone import Phone
from tenancy.sessions import Tenant
from tenant_db.channels.machine import ChannelStatus
from tenant_db.customers.models import Customer
from tenant_db.payments import submitting
from tenant_db.payments.errors import (
    AmountNotWhole,
    AmountOutOfRange,
    ChannelNotActive,
    OrderAlreadyPaid,
    PaymentInProgress,
    PhoneNotServed,
    StoreClosed,
    TextNotUsable,
    WrongCurrency,
)
from tenant_db.payments.initiating import initiate_payment
from tenant_db.payments.machine import PaymentStatus
from tenant_db.payments.models import Payment
from tenant_db.payments.rules import Paid
from tenant_db.payments.settling import settle_by_answer
from tenant_db.stores.models import Store
from tests.conftest import RecordedSignals
from tests.factories.payments import (
    AMOUNT,
    Shop,
    events_of,
    initiate,
    make_shop,
    new_payment,
    pend,
    read,
    submit,
)
from tests.racing import race


async def refused(tenant: Tenant, shop: Shop, **changes: Any) -> DomainError:  # noqa: ANN401 - as initiate
    with pytest.raises(DomainError) as refusal:
        await initiate(tenant, shop, **changes)
    return refusal.value


async def test_a_new_payment_is_created_with_its_event_and_its_payer(tenant: Tenant) -> None:
    shop = await make_shop(tenant)

    made = await initiate(tenant, shop, customer_name="Jane", order_reference="INV1042")

    payment = await read(tenant, made.id)
    assert (payment.status, payment.version, payment.amount) == ("created", 1, AMOUNT)
    assert payment.customer_id == made.customer_id is not None
    assert payment.store_id == shop.store_id
    assert len(payment.reference) == 12
    assert payment.reference.isalnum()
    (first,) = await events_of(tenant, payment.id)
    assert (first.version, first.from_status, first.to_status, first.cause) == (1, None, "created", "api")


async def test_a_payer_who_comes_back_is_the_same_customer(tenant: Tenant) -> None:
    shop = await make_shop(tenant)

    first = await initiate(tenant, shop, customer_name="Jane")
    second = await initiate(tenant, shop)

    assert first.customer_id == second.customer_id
    async with tenant.reading() as session:
        assert [customer.name for customer in await session.scalars(select(Customer))] == ["Jane"]


async def test_a_created_payment_is_told_to_its_subscribers(tenant: Tenant, signals: RecordedSignals) -> None:
    shop = await make_shop(tenant)

    payment = await initiate(tenant, shop)

    topics = [notice.topic for notice in signals.after[-1].notices]
    assert topics == [f"payment:{payment.id}", "payments"]


LIMITS = {Currency.KES: CurrencyLimits(1_000, None)}
DEAR = {
    "mpesa": Offer(
        "mpesa",
        "M-Pesa",
        frozenset({"mobile_money"}),
        frozenset(),
        LIMITS,
        1,
        takes_payments=True,
        takes_accounts=True,
    )
}


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"amount": Money(99, Currency.KES)}, AmountOutOfRange),
        ({"amount": Money(25_000_100, Currency.KES)}, AmountOutOfRange),
        ({"amount": Money(1_050, Currency.KES)}, AmountNotWhole),
        ({"amount": Money(100, Currency.USD)}, WrongCurrency),
        ({"amount": Money(500, Currency.KES), "offers": DEAR}, AmountOutOfRange),
        ({"phone": Phone("+255700000001")}, PhoneNotServed),
        ({"phone": Phone("+254200000001")}, PhoneNotServed),
        ({"description": "  "}, TextNotUsable),
        ({"description": "x" * 101}, TextNotUsable),
        ({"order_reference": "a\nb"}, TextNotUsable),
        ({"channel_id": new_id()}, NotFound),
        ({"store_id": new_id()}, NotFound),
    ],
)
async def test_what_could_not_be_collected_is_refused_and_nothing_is_remembered(
    tenant: Tenant, changes: dict[str, object], refusal: type[DomainError]
) -> None:
    shop = await make_shop(tenant)

    error = await refused(tenant, shop, **changes)

    assert type(error) is refusal
    assert not error.is_stored
    async with tenant.reading() as session:
        assert await session.scalar(select(func.count()).select_from(Payment)) == 0


@pytest.mark.parametrize("status", [status for status in ChannelStatus if status is not ChannelStatus.ACTIVE])
async def test_a_channel_that_is_not_active_collects_nothing(tenant: Tenant, status: ChannelStatus) -> None:
    shop = await make_shop(tenant, status=status)

    error = await refused(tenant, shop)

    assert isinstance(error, ChannelNotActive)
    assert error.is_stored


async def test_a_closed_store_collects_nothing(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    async with tenant.transaction() as session:
        (await session.get_one(Store, shop.store_id)).closed_at = utc_now()

    assert isinstance(await refused(tenant, shop), StoreClosed)


async def test_an_order_with_an_open_attempt_gets_no_second_one(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    await pend(tenant, shop, order_reference="INV1042")

    assert isinstance(await refused(tenant, shop, order_reference="INV1042"), PaymentInProgress)
    await initiate(tenant, shop, order_reference="INV1043")


async def test_an_order_that_was_paid_is_not_collected_again(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    payment, _ = await pend(tenant, shop, order_reference="INV1042")
    async with tenant.transaction() as session:
        await settle_by_answer(session, payment.id, Paid(), utc_now())

    assert isinstance(await refused(tenant, shop, order_reference="INV1042"), OrderAlreadyPaid)


async def test_an_order_of_unknown_outcome_may_be_tried_again_after_three_minutes(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    start = utc_now()
    payment = await initiate(tenant, shop, order_reference="INV1042", now=start)
    await submit(tenant, payment, now=start)
    async with tenant.transaction() as session:
        await submitting.doubt(session, payment.id, "no answer")

    soon, later = start + timedelta(seconds=179), start + timedelta(seconds=181)
    error = await refused(tenant, shop, order_reference="INV1042", now=soon)
    assert isinstance(error, PaymentInProgress)
    await initiate(tenant, shop, order_reference="INV1042", now=later)


async def test_an_order_whose_money_is_promised_is_not_collected_again_when_the_payer_s_window_is_over(
    tenant: Tenant,
) -> None:
    shop = await make_shop(tenant)
    payment, _ = await pend(tenant, shop, order_reference="INV1042")
    async with tenant.transaction() as session:
        row = await session.get_one(Payment, payment.id)
        row.status = PaymentStatus.AUTHORIZED.value
    much_later = utc_now() + timedelta(days=2)

    refusal = await refused(tenant, shop, order_reference="INV1042", now=much_later)

    assert isinstance(refusal, PaymentInProgress)


async def test_two_attempts_for_one_order_at_the_same_moment_become_one(tenant: Tenant) -> None:
    shop = await make_shop(tenant)

    async def attempt() -> Payment:
        return await initiate(tenant, shop, order_reference="INV1042")

    barrier = text("SELECT pg_advisory_xact_lock(hashtextextended('order:INV1042', 0))")
    outcomes = await race(tenant, barrier, [attempt] * 5)

    made = [outcome for outcome in outcomes if isinstance(outcome, Payment)]
    assert len(made) == 1
    assert sum(isinstance(outcome, PaymentInProgress) for outcome in outcomes) == 4


async def test_the_payment_of_an_ordinary_order_takes_two_statements(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    statements: list[str] = []

    async with tenant.transaction() as session:
        connection = await session.connection()
        event.listen(
            connection.sync_connection,
            "before_cursor_execute",
            lambda *args: statements.append(args[2]),
        )
        await initiate_payment(session, new_payment(shop), utc_now())

    assert len(statements) == 2
