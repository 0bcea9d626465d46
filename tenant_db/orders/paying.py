"""What an order makes of the attempts to collect it, and of the money they bring."""

from datetime import datetime
from enum import Enum, auto
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, and_, bindparam, case, exists, func, null, or_, select, update
from sqlalchemy.sql.dml import ReturningUpdate

from core.errors import InvalidInput
from core.money import Money
from tenancy.sessions import TenantSession
from tenant_db.orders.errors import AmountNotDue, OrderNotOpen
from tenant_db.orders.machine import CANCELLED, EXPIRED, OPEN, PAID
from tenant_db.orders.models import Order
from tenant_db.orders.telling import tell_of, tell_paid
from tenant_db.payments.models import Payment
from tenant_db.payments.reviewing import flag
from tenant_db.payments.rules import Cause
from tenant_db.reviews.rules import ReviewCause

PAID_TWICE: Final = "Another payment for the same order has succeeded: refund one."
OVERPAID: Final = "It brought more than was due for its order: refund the rest."
ORDER_CANCELLED: Final = "It paid an order that was cancelled: refund it."
PAID_LATE: Final = "It paid an order whose time was over: deliver, or refund it."
OTHER_CURRENCY: Final = "It paid an order of another currency, which does not count it: refund it."


class Reception(Enum):
    """How an order took a payment's money."""

    NO_ORDER = auto()
    """The reference is the tenant's own word; nothing is known of an order."""
    TAKEN = auto()
    """It counts, as far as it should."""
    FLAGGED = auto()
    """It counts, and a person is told to give something back."""


class _Standing(NamedTuple):
    """An order right before a payment is counted."""

    id: UUID
    was: str
    is_same_currency: bool
    due_minor: int


async def order_to_pay(
    session: TenantSession, order_reference: str, amount: Money, store_id: UUID | None, now: datetime
) -> Order | None:
    """The order that a new attempt is for, under its reference's lock; None where there is none.

    Whether it is paid already the caller finds out by its payments.

    Raises:
        OrderNotOpen: it is cancelled or expired, or its time is over.
        AmountNotDue: the attempt is not for what is due.
        InvalidInput: the payment names another store than the order's.
    """
    order = await session.scalar(select(Order).where(Order.reference == order_reference))
    if order is None or order.state is PAID:
        return order
    if order.state is not OPEN:
        raise OrderNotOpen(order.status)
    if now >= order.expires_at:
        raise OrderNotOpen(EXPIRED.value)
    if amount != order.sums.due:
        raise AmountNotDue(order.sums.due)
    if store_id not in (None, order.store_id):
        raise InvalidInput("storeId", "This order belongs to another store. Leave the store out.")
    return order


def is_over(order_reference: str) -> ColumnElement[bool]:
    """SQL: whether an order of this reference is paid, cancelled or expired."""
    return exists().where(Order.reference == order_reference, Order.status != OPEN)


def is_still_open(order_reference: str) -> ColumnElement[bool]:
    """SQL: whether an order of this reference waits for money, though some of it may have come."""
    return exists().where(Order.reference == order_reference, Order.status == OPEN)


async def note_paid(session: TenantSession, payment: Payment, cause: Cause, now: datetime) -> Reception:
    """Count a payment that has just succeeded on its order, in one statement; flag what should go back.

    The caller holds the payment's lock and that of the order's reference. Nothing is asked of the
    database for a payment without a reference.
    """
    if payment.order_reference is None:
        return Reception.NO_ORDER
    brought = payment.due
    given = {"of": payment.order_reference, "minor": brought.minor, "in": brought.currency, "now": now}
    found = (await session.execute(_COUNT, given)).one_or_none()
    if found is None:
        return Reception.NO_ORDER
    standing = _Standing._make(found)
    if payment.order_id is None:
        payment.order_id = standing.id
    tell_of(session, standing.id)
    if standing.is_same_currency and standing.was in (OPEN, EXPIRED) and brought.minor >= standing.due_minor:
        tell_paid(session, standing.id, payment)
    note = _refundable(standing, brought.minor)
    if note is None:
        return Reception.TAKEN
    about = ReviewCause.MISMATCH if note == OTHER_CURRENCY else ReviewCause.DOUBLE_PAYMENT
    flag(session, payment, note, cause, about)
    return Reception.FLAGGED


async def note_refunded(session: TenantSession, order_id: UUID | None, refunded: Money) -> None:
    """Count what went back for good of one of an order's payments; negative where a refund failed later.

    None is a payment of no order: nothing is done.
    """
    if order_id is None:
        return
    await session.execute(
        update(Order)
        .where(Order.id == order_id, Order.currency == refunded.currency)
        .values(
            refunded_minor=func.greatest(0, Order.refunded_minor + refunded.minor), version=Order.version + 1
        )
        .execution_options(synchronize_session=False)
    )
    tell_of(session, order_id)


def _refundable(standing: _Standing, minor: int) -> str | None:
    """Why something of this payment should go back; None where nothing should."""
    if not standing.is_same_currency:
        return OTHER_CURRENCY
    if standing.was == PAID:
        return PAID_TWICE
    if standing.was == CANCELLED:
        return ORDER_CANCELLED
    if standing.was == EXPIRED:
        return PAID_LATE
    return OVERPAID if minor > standing.due_minor else None


def _count() -> ReturningUpdate[tuple[UUID, str, bool, int]]:
    """The order as it was is read in the same statement, under its row's lock."""
    before = (
        select(
            Order.id,
            Order.status,
            (Order.currency == bindparam("in", type_=Order.currency.type)).label("is_same_currency"),
            func.greatest(0, Order.total_minor - Order.paid_minor).label("due_minor"),
            Order.paid_minor,
        )
        .where(Order.reference == bindparam("of"))
        .with_for_update()
        .cte("before")
    )
    minor = bindparam("minor", type_=Order.paid_minor.type)
    paid_minor = before.c.paid_minor + case((before.c.is_same_currency, minor), else_=0)
    is_covered = and_(
        or_(before.c.status == OPEN, before.c.status == EXPIRED), paid_minor >= Order.total_minor
    )
    now = bindparam("now", type_=Order.paid_at.type)
    return (
        update(Order)
        .where(Order.id == before.c.id)
        .values(
            paid_minor=paid_minor,
            status=case((is_covered, PAID.value), else_=before.c.status),
            paid_at=case((is_covered, now), else_=Order.paid_at),
            ended_at=case((is_covered, null()), else_=Order.ended_at),
            version=Order.version + 1,
        )
        .returning(Order.id, before.c.status, before.c.is_same_currency, before.c.due_minor)
        .execution_options(synchronize_session=False)
    )


_COUNT: Final = _count()
