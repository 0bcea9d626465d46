"""The payment providers that businesses can configure."""

from collections.abc import Sequence

from owner_db.catalog.providers import Provider, enabled_providers
from tenancy.context import TenantContext
from tenancy.roles import Scope


async def payment_providers(context: TenantContext) -> Sequence[Provider]:
    """Those that are switched on, the most recommended first. Needs channels:read."""
    context.require(Scope.CHANNELS_READ)
    async with context.services.owner.reading() as session:
        return await enabled_providers(session)
