"""Orders as they change: the present state first, then each newer version."""

from collections.abc import AsyncGenerator
from uuid import UUID

from core.errors import NotFound
from resolvers.orders import order
from tenancy.context import TenantContext
from tenancy.roles import Scope
from tenant_db.orders.models import Order


async def order_updates(context: TenantContext, id: UUID) -> AsyncGenerator[Order, None]:
    """One order now, after each change of it, and when one of its payments has changed.

    Needs payments:read. Nothing is asked of the database while nothing happens.

    Raises:
        NotFound: this business has no such order.
    """
    context.require(Scope.PAYMENTS_READ)
    # Subscribed before it is read: what changes in between is told, not lost.
    async with context.services.feed.subscribe(context.tenant.id, {f"order:{id}"}) as notices:
        shown = await order(context, id)
        if shown is None:
            raise NotFound("order")
        yield shown
        async for _ in notices:
            newer = await order(context, id)
            if newer is not None and newer.version >= shown.version:
                shown = newer
                yield shown
