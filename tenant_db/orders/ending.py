"""Ends an order that nobody has paid: its shop takes it back, or its time is over."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, exists, select

from core.errors import NotFound
from tenancy.errors import TransactionInterrupted
from tenancy.sessions import TenantSession
from tenant_db.orders.errors import OrderNotOpen
from tenant_db.orders.machine import CANCELLED, EXPIRED, OPEN
from tenant_db.orders.models import Order
from tenant_db.orders.rules import LAST_ATTEMPT_GRACE
from tenant_db.orders.telling import tell
from tenant_db.payments.locking import lock_order
from tenant_db.payments.machine import ENDED, SUCCEEDED
from tenant_db.payments.models import Payment
from tenant_db.payments.reviewing import flag
from tenant_db.payments.rules import Cause
from tenant_db.reviews.rules import ReviewCause

CANCELLED_PART_PAID: str = "Its order was cancelled when only a part was paid: refund it."
EXPIRED_PART_PAID: str = "Its order has expired when only a part was paid: refund it."


async def cancel_order(session: TenantSession, order_id: UUID, now: datetime) -> Order:
    """Take an open order back; its links lead nowhere from then on. Again changes nothing.

    An attempt that the payer approves at this moment still counts, and is flagged to be refunded, as
    is a part that was paid before.

    Raises:
        NotFound: no such order.
        OrderNotOpen: it is paid or expired.
        TransactionInterrupted: something was paid of it at this moment; do it again.
    """
    order, parts = await _locked(session, order_id)
    if order.state is CANCELLED:
        return order
    if order.state is not OPEN:
        raise OrderNotOpen(order.status)
    order.ended_at = now
    order.advance(CANCELLED)
    for payment in parts:
        flag(session, payment, CANCELLED_PART_PAID, Cause.API, ReviewCause.DOUBLE_PAYMENT)
    tell(session, order)
    return order


async def expire_order(session: TenantSession, order_id: UUID, now: datetime) -> datetime | None:
    """End an order whose time is over; gives when to look again, if ever.

    An attempt begun before that is waited for, at most LAST_ATTEMPT_GRACE: its payer may hold the
    phone in hand.

    Raises:
        TransactionInterrupted: something was paid of it at this moment; do it again.
    """
    if await session.get(Order, order_id) is None:
        return None
    order, parts = await _locked(session, order_id)
    if order.state is not OPEN:
        return None
    if now < order.expires_at:
        return order.expires_at
    gives_up_at = order.expires_at + LAST_ATTEMPT_GRACE
    if now < gives_up_at and await _has_attempt(session, order):
        return gives_up_at
    order.ended_at = now
    order.advance(EXPIRED)
    for payment in parts:
        flag(session, payment, EXPIRED_PART_PAID, Cause.JOB, ReviewCause.DOUBLE_PAYMENT)
    tell(session, order)
    return None


async def _locked(session: TenantSession, order_id: UUID) -> tuple[Order, list[Payment]]:
    """The order and what was paid of it. Payments are locked before their order, as everywhere.

    Raises:
        NotFound: no such order.
        TransactionInterrupted: another part was paid meanwhile; its payment can't be locked any more.
    """
    reference = await session.scalar(select(Order.reference).where(Order.id == order_id))
    if reference is None:
        raise NotFound("order")
    is_paid = and_(Payment.order_reference == reference, Payment.status == SUCCEEDED)
    paid = await session.scalars(
        select(Payment)
        .where(is_paid)
        .order_by(Payment.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    parts = list(paid)
    await lock_order(session, reference)
    # From here on nobody counts a payment of it.
    if set(await session.scalars(select(Payment.id).where(is_paid))) != {part.id for part in parts}:
        raise TransactionInterrupted
    found = await session.scalars(
        select(Order).where(Order.id == order_id).with_for_update().execution_options(populate_existing=True)
    )
    return found.one(), parts


async def _has_attempt(session: TenantSession, order: Order) -> bool:
    is_begun = exists().where(
        Payment.order_reference == order.reference,
        Payment.status.not_in(ENDED),
        Payment.created_at < order.expires_at,
    )
    return bool(await session.scalar(select(is_begun)))
