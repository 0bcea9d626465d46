"""An order is paid once, by one attempt after another; what came too much, too late or by hand shows."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, select

from core.clock import utc_now
from core.currency import Currency
from core.errors import DomainError, InvalidInput
from core.money import Money
from tenancy.sessions import Tenant
from tenant_db.orders.ending import cancel_order, expire_order
from tenant_db.orders.errors import AmountNotDue, OrderNotOpen
from tenant_db.orders.machine import OrderRefundStatus, OrderStatus
from tenant_db.orders.models import Order
from tenant_db.orders.paying import (
    OTHER_CURRENCY,
    OVERPAID,
    PAID_LATE,
    PAID_TWICE,
)
from tenant_db.orders.rules import Sums
from tenant_db.payments import submitting
from tenant_db.payments.ending import succeed
from tenant_db.payments.errors import OrderAlreadyPaid, PaymentInProgress
from tenant_db.payments.models import Payment
from tenant_db.payments.rules import Cause
from tenant_db.refunds.rules import Done, NotDone
from tests.factories import refunds
from tests.factories.orders import attempt, make_order, read_order, settle
from tests.factories.payments import AMOUNT, Shop, books, initiate, make_shop, pend, read
from tests.factories.stores import make_store
from tests.factories.telling import confirm, told_of
from tests.racing import race

DAY = timedelta(days=1)


def kes(minor: int) -> Money:
    return Money(minor, Currency.KES)


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


async def test_money_of_another_currency_is_not_counted_but_flagged(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    order = await make_order(tenant, shop, currency=Currency.UGX)

    payment = await by_hand(tenant, shop, order, AMOUNT, "TKX0000001")

    assert (payment.review_note, payment.order_id) == (OTHER_CURRENCY, order.id)
    assert (await read_order(tenant, order.id)).paid_minor == 0


async def test_refunds_are_counted_and_can_fail_later(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    order = await make_order(tenant, shop)
    payment = await attempt(tenant, shop, order)
    await settle(tenant, payment, "TKX0000001")
    shown = []

    async def refund(minor: int) -> UUID:
        asked = await refunds.request(tenant, payment.id, minor)
        await refunds.send(tenant, asked.id)
        await refunds.tell(tenant, asked.id, Done(f"re_{minor}", kes(minor)))
        return asked.id

    async def see() -> None:
        shown.append((await read_order(tenant, order.id)).sums.refund_status)

    await refund(50_000)
    await see()
    second = await refund(100_000)
    await see()
    await refunds.tell(tenant, second, NotDone("closed", "The account is closed.", "re_100000"))
    await see()

    assert shown == [
        OrderRefundStatus.PARTIALLY_REFUNDED,
        OrderRefundStatus.REFUNDED,
        OrderRefundStatus.PARTIALLY_REFUNDED,
    ]


async def test_money_typed_to_an_order_that_is_paid_is_the_store_s_and_flagged(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    order = await make_order(tenant, shop, reference="INV7")
    await confirm(tenant, told_of(shop, account="inv7"))

    again = await confirm(tenant, told_of(shop, account=" INV7", receipt="TKX0000002"))

    assert again.payment_id is not None
    second = await read(tenant, again.payment_id)
    assert (second.order_id, second.review_note) == (order.id, PAID_TWICE)
    assert (await read_order(tenant, order.id)).sums.overpaid == AMOUNT
    assert (await books(tenant, shop)).suspense == 0


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
