"""Wakes the relays of this process at once when a commit somewhere left them work."""

import asyncio
from collections.abc import Sequence

import redis.asyncio

from tenancy.signals import NUDGE_PREFIX


class Nudges:
    """One subscription for all queues; each relay waits on its own event."""

    def __init__(self, client: redis.asyncio.Redis, queues: Sequence[str]) -> None:
        self._client = client
        self._events = {queue: asyncio.Event() for queue in queues}

    def event(self, queue: str) -> asyncio.Event:
        """Set at every nudge; whoever waits clears it before looking for work."""
        return self._events[queue]

    async def listen(self) -> None:
        """Turn messages into events, until cancelled.

        Raises:
            redis.exceptions.RedisError: the connection is gone; call again.
        """
        async with self._client.pubsub(ignore_subscribe_messages=False) as subscription:
            await subscription.subscribe(*(NUDGE_PREFIX + queue for queue in self._events))
            async for message in subscription.listen():
                queue = message["channel"].decode().removeprefix(NUDGE_PREFIX)
                # A confirmed subscription counts as a nudge: what was told before it was missed.
                self._events[queue].set()
