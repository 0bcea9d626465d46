"""Tells the open streams of every process what changed: one Redis channel for each tenant.

Nothing is kept: who subscribes reads the present state after subscribing, and reads it again at
RESYNC. A stream that is not read holds a bounded number of notices and no database connection.
"""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final
from uuid import UUID

import orjson
import redis.asyncio
import structlog
from redis.exceptions import RedisError

from core.clock import utc_now
from tenancy.errors import TenantUnavailable
from tenancy.sessions import Notice
from tenancy.subscriptions import Subscriptions

RESYNC: Final = Notice("resync", {})
"""Something may have been missed: read the state again."""
WAITING_MAX: Final = 256
"""Notices that one stream may leave unread; more become one RESYNC."""
SUBSCRIBE_TIMEOUT_S: Final = 5.0
CHANNEL: Final = "t:{tenant_id}:feed"

_log = structlog.get_logger()


def channel_of(tenant_id: UUID) -> str:
    return CHANNEL.format(tenant_id=tenant_id)


def message_of(*notices: Notice) -> bytes:
    """What one commit tells of one tenant, as it travels: ids, never a document."""
    return orjson.dumps([[notice.topic, notice.payload] for notice in notices])


class Stream:
    """The notices of one subscriber, the latest of each topic and id."""

    __slots__ = ("_is_over", "_reader", "_waiting", "missed_since", "topics")

    def __init__(self, topics: Collection[str]) -> None:
        self.topics = frozenset(topics)
        self._waiting: dict[tuple[str, object], tuple[Notice, datetime]] = {}
        self.missed_since: datetime | None = None
        """From when on something may have been missed: set by each RESYNC that is read."""
        # One reader, and thousands of streams: an asyncio.Event would be the largest part of each.
        self._reader: asyncio.Future[None] | None = None
        self._is_over = False

    def __aiter__(self) -> "Stream":
        return self

    async def __anext__(self) -> Notice:
        while not self._waiting:
            if self._is_over:
                raise StopAsyncIteration
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        notice, since = self._waiting.pop(next(iter(self._waiting)))
        if notice is RESYNC:
            self.missed_since = since
        return notice

    def take_waiting(self) -> list[Notice]:
        """What else waits right after a notice that was read, without waiting: it has no RESYNC."""
        told = [notice for notice, _ in self._waiting.values()]
        self._waiting.clear()
        return told

    def offer(self, notice: Notice) -> None:
        """Keep a notice of ours until it is read, in place of an older one of the same thing.

        What notices list, such as the accounts of a posting, adds up until it is read.
        """
        if notice.topic not in self.topics:
            return
        key = (notice.topic, notice.payload.get("id"))
        if key not in self._waiting and len(self._waiting) >= WAITING_MAX:
            self.resync()
            return
        # One that comes again goes to the end: a busy thing must not hide the others.
        earlier = self._waiting.pop(key, None)
        told = notice if earlier is None else _together(earlier[0], notice)
        if any(isinstance(listed, list) and len(listed) > WAITING_MAX for listed in told.payload.values()):
            self.resync()
            return
        self._waiting[key] = (told, utc_now())
        self._wake()

    def resync(self, since: datetime | None = None) -> None:
        """Forget what waits; the reader is to look at everything again that changed since then.

        Without a time, nothing was missed but what waits.
        """
        since = utc_now() if since is None else since
        earliest = min((offered for _, offered in self._waiting.values()), default=since)
        self._waiting = {(RESYNC.topic, None): (RESYNC, min(since, earliest))}
        self._wake()

    def end(self) -> None:
        """Let the reader's loop end once it has read what waits."""
        self._is_over = True
        self._wake()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)


def _together(earlier: Notice, later: Notice) -> Notice:
    payload = dict(later.payload)
    for name, listed in later.payload.items():
        before = earlier.payload.get(name)
        if isinstance(listed, list) and isinstance(before, list):
            payload[name] = list(dict.fromkeys([*before, *listed]))
    return Notice(later.topic, payload)


class Room:
    """The streams of one tenant, by topic: thousands may each wait for a payment of its own."""

    def __init__(self) -> None:
        self._by_topic: dict[str, set[Stream]] = {}

    def add(self, stream: Stream) -> None:
        for topic in stream.topics:
            self._by_topic.setdefault(topic, set()).add(stream)

    def discard(self, stream: Stream) -> None:
        for topic in stream.topics:
            streams = self._by_topic.get(topic, set())
            streams.discard(stream)
            if not streams:
                self._by_topic.pop(topic, None)

    @property
    def is_empty(self) -> bool:
        return not self._by_topic

    def streams(self) -> set[Stream]:
        """All of them, whatever they listen to."""
        return set().union(*self._by_topic.values())

    def offer(self, notice: Notice) -> None:
        for stream in self._by_topic.get(notice.topic, ()):
            stream.offer(notice)


class Feed:
    """Publishes and subscribes to notices of tenants, over one connection for all streams."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self._client = client
        self._rooms: dict[str, Room] = {}
        self._subscriptions = Subscriptions(client, self._deliver, self._resync)

    async def publish(self, tenant_id: UUID, notice: Notice) -> None:
        """Tell every process; a failure is logged only, for the state itself is in the database."""
        try:
            await self._client.publish(channel_of(tenant_id), message_of(notice))
        except (RedisError, OSError) as error:
            _log.warning("notice_lost", tenant=str(tenant_id), topic=notice.topic, error=type(error).__name__)

    @asynccontextmanager
    async def subscribe(self, tenant_id: UUID, topics: Collection[str]) -> AsyncIterator[Stream]:
        """A stream of the tenant's notices of these topics; Redis has acknowledged it on entry.

        Raises:
            TenantUnavailable: Redis did not answer in time.
        """
        channel = channel_of(tenant_id)
        stream = Stream(topics)
        self._rooms.setdefault(channel, Room()).add(stream)
        try:
            await self._subscribed(channel)
            yield stream
        finally:
            await self._leave(channel, stream)

    async def close(self) -> None:
        """End every stream and stop listening."""
        for room in self._rooms.values():
            for stream in room.streams():
                stream.end()
        await self._subscriptions.close()

    async def _subscribed(self, channel: str) -> None:
        try:
            async with asyncio.timeout(SUBSCRIBE_TIMEOUT_S):
                await self._subscriptions.add(channel)
        except TimeoutError as error:
            raise TenantUnavailable("Live updates can't be had now. Try again in a moment.") from error

    async def _leave(self, channel: str, stream: Stream) -> None:
        room = self._rooms[channel]
        room.discard(stream)
        if room.is_empty:
            del self._rooms[channel]
            await self._subscriptions.remove(channel)

    def _deliver(self, channel: str, data: bytes) -> None:
        room = self._rooms.get(channel)
        if room is None:
            return
        try:
            notices = [Notice(topic, payload) for topic, payload in orjson.loads(data)]
        except (ValueError, TypeError):
            # Another version's, while one replaces the other: what it tells is read from the database.
            _log.error("notice_unreadable", channel=channel)
            self._resync_room(room)
            return
        for notice in notices:
            room.offer(notice)

    def _resync(self) -> None:
        for room in self._rooms.values():
            self._resync_room(room)

    def _resync_room(self, room: Room) -> None:
        for stream in room.streams():
            stream.resync(self._subscriptions.heard_at)
