"""Links to the page where an order is paid."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from core.errors import InvalidInput, NotFound
from tenancy.checkout_tokens import CheckoutToken
from tenancy.errors import NotSignedIn
from tenancy.sessions import TenantSession
from tenant_db.orders.errors import OrderNotOpen
from tenant_db.orders.machine import CANCELLED, EXPIRED, OPEN
from tenant_db.orders.models import Order
from tenant_db.orders.rules import new_link_key
from tenant_db.orders.telling import tell

LINK_OUTLIVES: Final = timedelta(days=30)
"""A link shows what became of its order for so long after the order's time: the payer's receipt."""


def pay_link(tenant_id: UUID, order: Order, expires_at: datetime | None, now: datetime) -> CheckoutToken:
    """A link to an open order; it grants nothing but to see and to pay this one.

    Raises:
        OrderNotOpen: it is paid, cancelled or expired.
        InvalidInput: `expires_at` is past, or too long after the order's own time.
    """
    if order.state is not OPEN:
        raise OrderNotOpen(order.status)
    if now >= order.expires_at:
        raise OrderNotOpen(EXPIRED.value)
    last = order.expires_at + LINK_OUTLIVES
    if expires_at is not None and not now < expires_at <= last:
        raise InvalidInput(
            "expiresAt", f"A link ends at most {LINK_OUTLIVES.days} days after its order expires."
        )
    return CheckoutToken.written(tenant_id, order.id, expires_at or last, order.link_key)


async def revoke_links(session: TenantSession, order_id: UUID) -> Order:
    """End every link to the order that was written so far, by a new key; pages that are open end, too.

    The order stays as it is, and a new link can be written at once.

    Raises:
        NotFound: no such order.
    """
    order = await session.get(Order, order_id, with_for_update=True, populate_existing=True)
    if order is None:
        raise NotFound("order")
    order.link_key = new_link_key()
    order.version += 1
    tell(session, order)
    return order


async def linked_order(session: TenantSession, order_id: UUID, token: CheckoutToken | None) -> Order:
    """The order for whoever has proved a token, proved again: it may have been revoked since.

    Raises:
        NotFound: the order is gone.
        NotSignedIn: there is no token, or it proves nothing any more.
    """
    order = await session.get(Order, order_id)
    if order is None:
        raise NotFound("order")
    if token is None or not token.is_proven(order.link_key):
        raise NotSignedIn("This link is no longer valid. Ask for a new one.")
    return order


async def proven_order(session: TenantSession, token: CheckoutToken) -> Order | None:
    """The order that a token was written for; None where there is none, or it was cancelled."""
    order = await session.get(Order, token.order_id)
    if order is None or not token.is_proven(order.link_key) or order.state is CANCELLED:
        return None
    return order
