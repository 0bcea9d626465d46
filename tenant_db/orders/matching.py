"""Finds the order that a payer means who typed a reference by hand."""

from sqlalchemy import func, select

from core.clock import utc_now
from core.money import Money
from tenancy.sessions import TenantSession
from tenant_db.orders.machine import OPEN
from tenant_db.orders.models import Order


async def open_order_by_reference(session: TenantSession, reference: str, amount: Money) -> Order | None:
    """The order that waits for money under this reference, in capital or small letters; None where none does.

    Its currency is that of `amount`; the amount itself may be another: a part counts as a part, and
    what is too much is flagged when the payment succeeds. No lock is taken; the payment that is
    written with the order's reference takes it.
    """
    order = await order_typed(session, reference)
    if order is None or order.currency is not amount.currency or order.state is not OPEN:
        return None
    return None if utc_now() >= order.expires_at else order


async def order_typed(session: TenantSession, reference: str) -> Order | None:
    """The order of this reference, in capital or small letters, wherever it stands."""
    typed = reference.strip()
    if not typed:
        return None
    return await session.scalar(select(Order).where(func.upper(Order.reference) == typed.upper()))
