"""An order is paid once, by one attempt after another; what came too much, too late or by hand shows."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, select, text

from core.clock import utc_now
from core.currency import Currency
from core.errors import DomainError, InvalidInput, NotFound
from core.ids import new_id
from core.money import Money
from tenancy.sessions import Tenant
from tenant_db.orders.creating import LINK_KEY_BYTES
from tenant_db.orders.ending import cancel_order, expire_order
from tenant_db.orders.errors import AmountNotDue, OrderNotOpen, OrderReferenceTaken
from tenant_db.orders.machine import NEXT, OrderRefundStatus, OrderStatus
from tenant_db.orders.matching import open_order_by_reference, order_typed
from tenant_db.orders.models import Order, OrderItem
from tenant_db.orders.paying import (
    OTHER_CURRENCY,
    OVERPAID,
    PAID_LATE,
    PAID_TWICE,
    note_refunded,
)
from tenant_db.orders.rules import ITEMS_MAX, NewItem, Sums, make_reference
from tenant_db.payments import submitting
from tenant_db.payments.ending import succeed
from tenant_db.payments.errors import OrderAlreadyPaid, PaymentInProgress, StoreClosed
from tenant_db.payments.models import Payment
from tenant_db.payments.rules import Cause
from tests.factories.orders import ITEMS, attempt, make_order, read_order, settle
from tests.factories.payments import AMOUNT, Shop, books, initiate, make_shop, pend, read
from tests.factories.stores import make_store
from tests.racing import race

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


async def test_an_order_is_tried_again_until_it_is_paid_and_then_never(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    order = await make_order(tenant, shop)

    first = await attempt(tenant, shop, order)
    with pytest.raises(PaymentInProgress):
        await attempt(tenant, shop, order)
    await settle(tenant, first, "TKX0000001")
    with pytest.raises(OrderAlreadyPaid):
        await attempt(tenant, shop, order)

    after = await read_order(tenant, order.id)
    assert (after.state, after.sums.due, after.sums.overpaid) == (OrderStatus.PAID, kes(0), kes(0))
    assert (first.order_id, after.paid_at is not None, after.version) == (order.id, True, 2)
    assert not (await read(tenant, first.id)).needs_review


async def test_an_attempt_is_for_what_is_due_while_the_order_is_open(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    order = await make_order(tenant, shop)
    cases: list[tuple[dict[str, Any], type[DomainError]]] = [
        ({"amount": kes(100)}, AmountNotDue),
        ({"amount": Money(AMOUNT.minor, Currency.UGX)}, AmountNotDue),
        ({"now": utc_now() + 8 * DAY}, OrderNotOpen),
    ]

    for changes, kind in cases:
        with pytest.raises(kind):
            await attempt(tenant, shop, order, **changes)


async def test_an_order_is_paid_into_its_own_store(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    other = await make_store(tenant, "other")
    order = await make_order(tenant, shop, store_id=other.id)

    payment = await attempt(tenant, shop, order)
    with pytest.raises(InvalidInput):
        await attempt(tenant, shop, order, store_id=shop.store_id)

    assert payment.store_id == other.id


async def by_hand(tenant: Tenant, shop: Shop, order: Order, amount: Money, receipt: str) -> Payment:
    """Money for an order that nobody was asked for."""
    payment, _ = await pend(tenant, shop, amount=amount)
    async with tenant.transaction() as session:
        row = await session.get_one(Payment, payment.id)
        row.order_reference = order.reference
    await settle(tenant, payment, receipt)
    return await read(tenant, payment.id)


@pytest.mark.parametrize(
    ("amounts", "expected"),
    [
        ([150_000], ("paid", 0, 0, [None])),
        ([200_000], ("paid", 0, 50_000, [OVERPAID])),
        ([100_000], ("open", 50_000, 0, [None])),
        ([100_000, 50_000], ("paid", 0, 0, [None, None])),
        ([100_000, 100_000], ("paid", 0, 50_000, [None, OVERPAID])),
        ([150_000, 150_000], ("paid", 0, 150_000, [None, PAID_TWICE])),
    ],
)
async def test_money_by_hand_counts_as_far_as_it_goes(
    tenant: Tenant, amounts: Sequence[int], expected: tuple[object, ...]
) -> None:
    shop = await make_shop(tenant)
    order = await make_order(tenant, shop)

    notes = [
        (await by_hand(tenant, shop, order, kes(minor), f"TKX000000{number}")).review_note
        for number, minor in enumerate(amounts)
    ]

    after = (await read_order(tenant, order.id)).sums
    assert (after.status, after.due.minor, after.overpaid.minor, notes) == expected
    assert (await books(tenant, shop)).store == sum(amounts)


async def test_what_is_left_after_a_part_can_be_asked_for(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    order = await make_order(tenant, shop)
    await by_hand(tenant, shop, order, kes(100_000), "TKX0000001")

    rest = await attempt(tenant, shop, order, amount=kes(50_000))
    await settle(tenant, rest, "TKX0000002")

    assert (await read_order(tenant, order.id)).state is OrderStatus.PAID


async def test_two_attempts_paid_at_once_are_one_payment_and_one_refund(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    order = await make_order(tenant, shop)
    first = await attempt(tenant, shop, order)
    # The first was given up as lost; both prompts are on the phone now.
    later = utc_now() + timedelta(minutes=6)
    second = await attempt(tenant, shop, order, now=later)

    lock = select(Order.id).where(Order.id == order.id).with_for_update()
    await race(
        tenant,
        lock,
        [
            lambda: settle(tenant, first, "TKX0000001"),
            lambda: settle(tenant, second, "TKX0000002"),
        ],
    )

    notes = [(await read(tenant, payment.id)).review_note for payment in (first, second)]
    after = (await read_order(tenant, order.id)).sums
    assert sorted(notes, key=str) == [PAID_TWICE, None] or sorted(notes, key=str) == [None, PAID_TWICE]
    assert (after.status, after.overpaid) == (OrderStatus.PAID, AMOUNT)


@pytest.mark.parametrize("end", [cancel_order, expire_order])
async def test_money_for_an_order_that_has_ended_still_counts_and_is_flagged(
    tenant: Tenant,
    end: Any,  # noqa: ANN401 - one of two verbs
) -> None:
    shop = await make_shop(tenant)
    order = await make_order(tenant, shop)
    part = await by_hand(tenant, shop, order, kes(100_000), "TKX0000001")
    last = await attempt(tenant, shop, order, amount=kes(50_000))
    async with tenant.transaction() as session:
        await end(session, order.id, utc_now() + 8 * DAY)
    ended = await read_order(tenant, order.id)
    assert (await read(tenant, part.id)).needs_review
    assert ended.sums.overpaid == kes(100_000)

    await settle(tenant, last, "TKX0000002")

    after = await read_order(tenant, order.id)
    is_cancelled = end is cancel_order
    assert after.state is (OrderStatus.CANCELLED if is_cancelled else OrderStatus.PAID)
    assert after.sums.overpaid == (AMOUNT if is_cancelled else kes(0))
    assert (await read(tenant, last.id)).needs_review
    assert ((await read(tenant, last.id)).review_note == PAID_LATE) is not is_cancelled


async def test_an_attempt_that_was_not_sent_yet_is_not_sent_for_an_order_that_has_ended(
    tenant: Tenant,
) -> None:
    shop = await make_shop(tenant)
    order = await make_order(tenant, shop)
    payment = await initiate(tenant, shop, order_reference=order.reference)
    async with tenant.transaction() as session:
        await cancel_order(session, order.id, utc_now())

    async with tenant.transaction() as session:
        claimed = await submitting.claim(session, payment.id, b"item", utc_now())

    assert claimed == "failed"


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


async def test_money_of_another_currency_is_not_counted_but_flagged(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    order = await make_order(tenant, shop, currency=Currency.UGX)

    payment = await by_hand(tenant, shop, order, AMOUNT, "TKX0000001")

    assert (payment.review_note, payment.order_id) == (OTHER_CURRENCY, order.id)
    assert (await read_order(tenant, order.id)).paid_minor == 0


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


async def test_refunds_are_counted_and_can_fail_later(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    order = await make_order(tenant, shop)
    await settle(tenant, await attempt(tenant, shop, order), "TKX0000001")
    shown = []

    for minor in (50_000, 100_000, -100_000, -100_000):
        async with tenant.transaction() as session:
            await note_refunded(session, order.id, kes(minor))
        shown.append((await read_order(tenant, order.id)).sums.refund_status)

    assert shown == [
        OrderRefundStatus.PARTIALLY_REFUNDED,
        OrderRefundStatus.REFUNDED,
        OrderRefundStatus.PARTIALLY_REFUNDED,
        OrderRefundStatus.NONE,
    ]


@pytest.mark.parametrize(
    ("paid", "refunded", "expected"),
    [
        (200, 100, OrderRefundStatus.NONE),
        (200, 150, OrderRefundStatus.PARTIALLY_REFUNDED),
        (200, 200, OrderRefundStatus.REFUNDED),
    ],
)
def test_giving_back_what_was_too_much_is_no_refund_of_the_order(
    paid: int, refunded: int, expected: OrderRefundStatus
) -> None:
    sums = Sums(OrderStatus.PAID, kes(100), kes(paid), kes(refunded))

    assert sums.refund_status is expected
    assert sums.overpaid == kes(max(0, paid - refunded - 100))


async def test_a_payment_of_no_order_asks_nothing_of_orders(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    payment, _ = await pend(tenant, shop)
    asked: list[str] = []

    async with tenant.transaction() as session:
        connection = await session.connection()

        @event.listens_for(connection.sync_connection, "before_cursor_execute")
        def listen(*call: Any) -> None:  # noqa: ANN401 - SQLAlchemy's own
            asked.append(call[2])

        row = await session.get_one(Payment, payment.id)
        await succeed(session, row, "TKX0000001", Cause.CALLBACK, utc_now())

    assert [statement for statement in asked if "orders" in statement] == []


async def test_an_order_takes_no_step_its_machine_lacks() -> None:
    for before, after in NEXT.items():
        for to in OrderStatus:
            order = Order(status=before.value, version=1)
            if to in after:
                order.advance(to)
            else:
                with pytest.raises(ValueError, match="never goes"):
                    order.advance(to)
