"""Orders are made of items that add up, found by what a payer types, and end in time."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from core.clock import utc_now
from core.currency import Currency
from core.errors import DomainError, InvalidInput, NotFound
from core.ids import new_id
from core.money import Money
from tenancy.errors import TransactionInterrupted
from tenancy.sessions import Tenant
from tenant_db.orders.ending import cancel_order, expire_order
from tenant_db.orders.errors import OrderNotOpen, OrderReferenceTaken
from tenant_db.orders.machine import NEXT, OrderStatus
from tenant_db.orders.matching import open_order_by_reference, order_typed
from tenant_db.orders.models import Order, OrderItem
from tenant_db.orders.rules import ITEMS_MAX, LINK_KEY_BYTES, NewItem, make_reference
from tenant_db.payments.ending import succeed
from tenant_db.payments.errors import StoreClosed
from tenant_db.payments.locking import lock_payment
from tenant_db.payments.rules import Cause
from tests.factories.orders import ITEMS, attempt, make_order, read_order, settle
from tests.factories.payments import AMOUNT, Shop, initiate, make_shop, read
from tests.factories.stores import make_store
from tests.racing import race, stand_still

DAY = timedelta(days=1)


def kes(minor: int) -> Money:
    return Money(minor, Currency.KES)


async def refused(tenant: Tenant, shop: Shop, **changes: Any) -> DomainError:  # noqa: ANN401 - as make_order
    with pytest.raises(DomainError) as refusal:
        await make_order(tenant, shop, **changes)
    return refusal.value


async def test_an_order_is_written_with_its_items_and_their_sum(tenant: Tenant) -> None:
    shop = await make_shop(tenant)

    order = await make_order(tenant, shop)

    assert (order.total_minor, order.state, order.version) == (AMOUNT.minor, OrderStatus.OPEN, 1)
    assert (order.sums.due, order.description) == (AMOUNT, "Order order-1042")
    assert len(order.link_key) == LINK_KEY_BYTES
    async with tenant.reading() as session:
        lines = await session.scalars(select(OrderItem).order_by(OrderItem.position))
        shown = [(line.name, line.quantity, line.unit_price_minor, line.total_minor) for line in lines]
    assert shown == [(item.name, item.quantity, item.unit_price_minor, item.total_minor) for item in ITEMS]


async def test_a_reference_is_made_where_none_is_given(tenant: Tenant) -> None:
    shop = await make_shop(tenant)

    made = [await make_order(tenant, shop, reference=None) for _ in range(2)]

    assert made[0].reference != made[1].reference
    assert len(made[0].reference) == len(make_reference())


SENSELESS: list[tuple[dict[str, Any], str]] = [
    ({"items": ()}, "items"),
    ({"items": [NewItem("Chai", 1, 100)] * (ITEMS_MAX + 1)}, "items"),
    ({"items": [NewItem("Chai", 1, 0)]}, "items"),
    ({"items": [NewItem(" ", 1, 100)]}, "items.0.name"),
    ({"items": [NewItem("Chai", 0, 100)]}, "items.0.quantity"),
    ({"items": [NewItem("Chai", 1, -1)]}, "items.0.unitPriceMinor"),
    ({"items": [NewItem("Chai", 10, 10**38)]}, "amountMinor"),
    ({"total": kes(AMOUNT.minor - 1)}, "total"),
    ({"total": Money(AMOUNT.minor, Currency.UGX)}, "total"),
    ({"reference": " 1042"}, "reference"),
    ({"reference": "x" * 65}, "reference"),
    ({"description": "\n"}, "description"),
    ({"customer_name": ""}, "customerName"),
    ({"customer_email": "nobody"}, "email"),
    ({"expires_at": utc_now() - DAY}, "expiresAt"),
    ({"expires_at": utc_now() + 400 * DAY}, "expiresAt"),
]


async def test_what_makes_no_sense_is_refused(tenant: Tenant) -> None:
    shop = await make_shop(tenant)

    for changes, field in SENSELESS:
        refusal = await refused(tenant, shop, **changes)
        assert isinstance(refusal, InvalidInput), changes
        assert refusal.field == field


async def test_a_store_that_is_closed_or_unknown_takes_no_orders(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    closed = await make_store(tenant, "closed", closed_at=utc_now())

    assert isinstance(await refused(tenant, shop, store_id=closed.id), StoreClosed)
    assert isinstance(await refused(tenant, shop, store_id=new_id()), NotFound)


async def test_a_reference_names_one_order_however_it_is_typed(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    await make_order(tenant, shop)
    await initiate(tenant, shop, order_reference="paid without an order")

    for reference in ("order-1042", "ORDER-1042", "paid without an order"):
        assert isinstance(await refused(tenant, shop, reference=reference), OrderReferenceTaken)


async def test_rivals_for_one_reference_make_one_order(tenant: Tenant) -> None:
    shop = await make_shop(tenant)

    made = await race(
        tenant, text("LOCK TABLE orders IN SHARE MODE"), [lambda: make_order(tenant, shop)] * 4, waiting=4
    )

    assert sum(isinstance(one, Order) for one in made) == 1
    assert sum(isinstance(one, OrderReferenceTaken) for one in made) == 3


async def test_a_cancelled_order_stays_so_and_a_paid_one_cannot_be_cancelled(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    open_one, paid = [await make_order(tenant, shop, reference=name) for name in ("open", "paid")]
    await settle(tenant, await attempt(tenant, shop, paid), "TKX0000001")

    async with tenant.transaction() as session:
        first = await cancel_order(session, open_one.id, utc_now())
        again = await cancel_order(session, open_one.id, utc_now())
        with pytest.raises(OrderNotOpen):
            await cancel_order(session, paid.id, utc_now())
        with pytest.raises(NotFound):
            await cancel_order(session, new_id(), utc_now())

    assert (first.state, again.version) == (OrderStatus.CANCELLED, 2)
    with pytest.raises(OrderNotOpen):
        await attempt(tenant, shop, open_one)


async def test_an_order_waits_some_minutes_for_an_attempt_begun_in_time(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    order = await make_order(tenant, shop)
    payment = await attempt(tenant, shop, order)
    over = order.expires_at

    async with tenant.transaction() as session:
        assert await expire_order(session, order.id, over - DAY) == over
        assert await expire_order(session, order.id, over) == over + timedelta(minutes=10)
        assert await expire_order(session, new_id(), over) is None
    await settle(tenant, payment, "TKX0000001", now=over)
    async with tenant.transaction() as session:
        assert await expire_order(session, order.id, over + DAY) is None

    assert (await read_order(tenant, order.id)).state is OrderStatus.PAID
    assert not (await read(tenant, payment.id)).needs_review


async def test_a_typed_reference_finds_the_order_that_waits_for_money(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    order = await make_order(tenant, shop, reference="Inv 7")
    cancelled = await make_order(tenant, shop, reference="gone")
    async with tenant.transaction() as session:
        await cancel_order(session, cancelled.id, utc_now())

    async with tenant.reading() as session:
        for typed, amount, found in [
            ("INV 7 ", kes(1), order.id),
            ("inv 7", Money(1, Currency.UGX), None),
            ("gone", kes(1), None),
            ("inv 8", kes(1), None),
            (" ", kes(1), None),
        ]:
            one = await open_order_by_reference(session, typed, amount)
            assert (None if one is None else one.id) == found, typed
        typed_gone = await order_typed(session, "GONE")
    assert typed_gone is not None


async def test_an_order_takes_no_step_its_machine_lacks() -> None:
    for before, after in NEXT.items():
        for to in OrderStatus:
            order = Order(status=before.value, version=1)
            if to in after:
                order.advance(to)
            else:
                with pytest.raises(ValueError, match="never goes"):
                    order.advance(to)


@pytest.mark.parametrize("end", [cancel_order, expire_order])
async def test_a_part_that_is_paid_while_its_order_ends_is_not_overlooked(
    tenant: Tenant,
    end: Any,  # noqa: ANN401 - one of two verbs
) -> None:
    shop = await make_shop(tenant)
    order = await make_order(tenant, shop)
    part = await attempt(tenant, shop, order)

    async def ending() -> None:
        async with tenant.transaction() as session:
            await end(session, order.id, utc_now() + 8 * DAY)

    async with tenant.transaction() as paying:
        locked = await lock_payment(paying, part.id)
        locked.amount_minor -= 50_000
        await succeed(paying, locked, "TKX0000001", Cause.CALLBACK, utc_now())
        rival = asyncio.ensure_future(ending())
        await stand_still(tenant, rival)
    with pytest.raises(TransactionInterrupted):
        await rival
    await ending()

    assert (await read(tenant, part.id)).needs_review
