"""The page of an order as it changes: the present state first, then each newer version."""

from collections.abc import AsyncGenerator

from resolvers.checkout import Checkout, checkout
from tenancy.context import TenantContext


async def checkout_updates(context: TenantContext) -> AsyncGenerator[Checkout, None]:
    """The order of the caller's link now, and after each change of it or of its payments.

    Nothing is asked of the database while nothing happens.

    Raises:
        NotSignedIn: the caller holds no link, or one that was revoked.
        NotFound: the order is gone.
    """
    tenant, payer = context.paying()
    # Subscribed before it is read: what changes in between is told, not lost.
    async with context.services.feed.subscribe(tenant.id, {f"order:{payer.id}"}) as notices:
        shown = await checkout(context)
        yield shown
        async for _ in notices:
            newer = await checkout(context)
            if newer.version > shown.version:
                shown = newer
                yield shown
