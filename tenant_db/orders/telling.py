"""Wakes who watches an order, after the commit."""

from uuid import UUID

from tenancy.sessions import Notice, TenantSession
from tenant_db.orders.models import Order


def tell(session: TenantSession, order: Order) -> None:
    """Publish that the order has a new version."""
    tell_of(session, order.id)


def tell_of(session: TenantSession, order_id: UUID) -> None:
    """Publish that the order, or one of its payments, has changed."""
    session.after.notices.append(Notice(f"order:{order_id}", {"id": str(order_id)}))
