"""How channels fare: now, and as it changes."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final
from uuid import UUID

from tenancy.context import TenantContext
from tenancy.roles import Scope
from tenancy.sessions import Notice
from tenant_db.channels import health
from tenant_db.channels.health import ChannelHealth

PACE_S: Final = 3.0
"""It is computed at most this often for a subscriber, however many payments there are."""
IDLE_S: Final = 60.0
"""It is computed again after this long without any news, for what is over ages, too."""


async def channel_health(context: TenantContext, channel_id: UUID) -> ChannelHealth:
    """How a channel has fared in the last day and week. Needs channels:read.

    Raises:
        NotFound: this business has no such channel.
    """
    context.require(Scope.CHANNELS_READ)
    async with context.tenant.reading() as session:
        return await health.channel_health(session, channel_id, context.services.clock())


async def health_updates(context: TenantContext, channel_id: UUID) -> AsyncGenerator[ChannelHealth, None]:
    """A channel's health now, and again whenever it has changed. Needs channels:read.

    Raises:
        NotFound: this business has no such channel.
    """
    context.require(Scope.CHANNELS_READ)
    topics = {f"channel:{channel_id}", "payments"}
    async with context.services.feed.subscribe(context.tenant.id, topics) as notices:
        shown = await channel_health(context, channel_id)
        yield shown
        async for _ in _paced(notices):
            found = await channel_health(context, channel_id)
            if (found.day, found.week) != (shown.day, shown.week):
                shown = found
                yield shown


async def _paced(notices: AsyncIterator[Notice]) -> AsyncGenerator[None, None]:
    """Yield after news, and after a while without; news that come faster than PACE_S count as one."""
    news = _next(notices)
    last = time.monotonic()
    try:
        while True:
            await asyncio.wait({news}, timeout=IDLE_S)
            if news.done():
                await asyncio.sleep(max(0.0, last + PACE_S - time.monotonic()))
            while news.done():
                news.result()
                news = _next(notices)
                # Let it take what has waited meanwhile.
                await asyncio.sleep(0)
            last = time.monotonic()
            yield
    except StopAsyncIteration:
        return
    finally:
        news.cancel()
        await asyncio.wait({news})


def _next(notices: AsyncIterator[Notice]) -> asyncio.Task[Notice]:
    async def take() -> Notice:
        return await anext(notices)

    return asyncio.create_task(take())
