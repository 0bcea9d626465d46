"""One connection to Redis that listens to many channels, and says when it may have missed something."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final

import redis.asyncio
import structlog
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from core.clock import utc_now

HEARTBEAT_S: Final = 15.0
"""A silent connection is asked for a sign of life; a second silence ends it."""
BACKOFF_FIRST_S: Final = 0.05
BACKOFF_MAX_S: Final = 5.0
FAILURES: Final = (RedisError, OSError, TimeoutError)

_log = structlog.get_logger()


class ConnectionReplaced(RedisError):
    """The client has connected again by itself: what was published meanwhile is gone."""


class _OneConnection(PubSub):
    """Fails where redis-py would connect again and go on as if nothing had been missed."""

    async def open(self) -> None:
        await self.connect()  # type: ignore[no-untyped-call] # redis-py has no types here

    async def on_connect(self, _: object) -> None:
        """Called at each connection after the first."""
        raise ConnectionReplaced

    async def next_message(self, timeout_s: float) -> Mapping[str, Any] | None:
        """What comes next; None where nothing came in time.

        Read from the connection itself: whatever would try again would connect again, and
        `get_message` takes twice the time.
        """
        if self.connection is None:
            raise ConnectionReplaced
        response = await self.connection.read_response(timeout=timeout_s, disconnect_on_error=False)
        message: Mapping[str, Any] | None = await self.handle_message(response)
        return message

    async def give_up(self) -> None:
        """Close the connection, so that whoever reads from it notices."""
        if self.connection is not None:
            await self.connection.disconnect(nowait=True)


class Subscriptions:
    """Keeps a changing set of channels subscribed, through losses of the connection.

    `on_message` gets each message. `on_gap` is called once all channels are subscribed again after
    a loss: whatever was published in between is gone. Both are plain functions and must not block.
    """

    def __init__(
        self,
        client: redis.asyncio.Redis,
        on_message: Callable[[str, bytes], None],
        on_gap: Callable[[], None],
    ) -> None:
        self._client = client
        self._on_message = on_message
        self._on_gap = on_gap
        self._wanted: dict[str, asyncio.Event] = {}
        # A channel that left and came back is waiting for two acknowledgements; only the last counts.
        self._unacknowledged: Counter[str] = Counter()
        self._pubsub: _OneConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._has_gap = False
        self.heard_at = utc_now()
        """Up to then nothing was missed; after a loss it stands still until `on_gap` has been called."""

    async def add(self, channel: str) -> None:
        """Subscribe; returns when Redis has acknowledged it, however long Redis is away."""
        acknowledged = self._wanted.get(channel)
        if acknowledged is None:
            acknowledged = self._wanted[channel] = asyncio.Event()
            if self._reader is None:
                self.heard_at = utc_now()
                self._reader = asyncio.create_task(self._read())
            await self._send_subscribe([channel])
        await acknowledged.wait()

    async def remove(self, channel: str) -> None:
        """Unsubscribe; nothing is delivered from now on."""
        self._wanted.pop(channel, None)
        if self._pubsub is not None:
            await self._send(self._pubsub, self._pubsub.unsubscribe(channel))

    async def close(self) -> None:
        """Stop listening."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.cancel()
            with suppress(asyncio.CancelledError):
                await reader

    async def _read(self) -> None:
        backoff_s = BACKOFF_FIRST_S
        while True:
            try:
                async with _OneConnection(self._client.connection_pool) as pubsub:
                    await pubsub.open()
                    self._pubsub = pubsub
                    await self._subscribe_again()
                    backoff_s = BACKOFF_FIRST_S
                    await self._deliver(pubsub)
            except FAILURES as error:
                _log.warning("subscriptions_lost", error=type(error).__name__, again_in_s=backoff_s)
            finally:
                self._pubsub = None
                self._has_gap = True
            await asyncio.sleep(backoff_s)
            backoff_s = min(2 * backoff_s, BACKOFF_MAX_S)

    async def _subscribe_again(self) -> None:
        self._unacknowledged.clear()
        for acknowledged in self._wanted.values():
            acknowledged.clear()
        if self._wanted:
            await self._send_subscribe(list(self._wanted))
        else:
            self._has_gap = False
            self.heard_at = utc_now()

    async def _send_subscribe(self, channels: list[str]) -> None:
        if self._pubsub is not None:
            self._unacknowledged.update(channels)
            await self._send(self._pubsub, self._pubsub.subscribe(*channels))

    async def _send(self, pubsub: _OneConnection, command: Awaitable[object]) -> None:
        """Send; where that fails, the reader connects again and subscribes to what is wanted then."""
        try:
            await command
        except FAILURES:
            with suppress(*FAILURES):
                await pubsub.give_up()

    async def _deliver(self, pubsub: _OneConnection) -> None:
        is_silent = False
        while True:
            message = await pubsub.next_message(HEARTBEAT_S)
            if message is None:
                if is_silent:
                    raise TimeoutError("Redis gave no sign of life")
                is_silent = True
                await pubsub.ping()
                continue
            is_silent = False
            if not self._has_gap:
                self.heard_at = utc_now()
            if message["type"] == "message":
                self._on_message(message["channel"].decode(), message["data"])
            elif message["type"] == "subscribe":
                self._acknowledge(message["channel"].decode())

    def _acknowledge(self, channel: str) -> None:
        self._unacknowledged[channel] -= 1
        if self._unacknowledged[channel] > 0:
            return
        del self._unacknowledged[channel]
        if channel in self._wanted:
            self._wanted[channel].set()
        if self._has_gap and not self._unacknowledged:
            self._on_gap()
            self._has_gap = False
            self.heard_at = utc_now()
