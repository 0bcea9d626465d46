"""Channels as they change: the present state first, then each change."""

from collections.abc import AsyncGenerator
from uuid import UUID

from core.errors import NotFound
from resolvers.channels import channel
from tenancy.context import TenantContext
from tenancy.roles import Scope
from tenant_db.channels.models import Channel


async def channel_updates(context: TenantContext, id: UUID) -> AsyncGenerator[Channel, None]:
    """One channel now, and again after each change. Needs channels:read.

    Raises:
        NotFound: this business has no such channel.
    """
    context.require(Scope.CHANNELS_READ)
    async with context.services.feed.subscribe(context.tenant.id, {f"channel:{id}"}) as notices:
        shown = await channel(context, id)
        if shown is None:
            raise NotFound("channel")
        yield shown
        async for _ in notices:
            shown = await channel(context, id)
            if shown is not None:
                yield shown
