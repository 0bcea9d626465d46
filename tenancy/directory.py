"""Which tenant is where, and whether it is served."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeVar
from uuid import UUID

import redis.asyncio
import structlog
from redis.exceptions import RedisError

from tenancy.errors import TenantUnknown
from tenancy.flights import Flights
from tenancy.subscriptions import Subscriptions
from tenancy.tenant_ref import TenantRef

TTL_S: Final = 5.0
UNKNOWN_TTL_S: Final = 60.0
UNKNOWN_MAX: Final = 1_000
ENTRIES_MAX: Final = 10_000
CHANNEL: Final = "global:directory"
"""Whose row changed: the message is the tenant's id."""
START_TIMEOUT_S: Final = 10.0

Remembered = TypeVar("Remembered")

_log = structlog.get_logger()


class TenantDirectory(Protocol):
    """Looks tenants up."""

    async def find(self, tenant_id: UUID) -> TenantRef:
        """Raises TenantUnknown. What it says may be some seconds old."""
        ...

    async def find_now(self, tenant_id: UUID) -> TenantRef:
        """Raises TenantUnknown. What it says was true after the call began."""
        ...


class CachedDirectory:
    """Remembers rows of the registry for some seconds, and forgets one at once when any process says so.

    A lost message costs at most `ttl_s`: what is remembered is never older.
    """

    def __init__(
        self,
        load: Callable[[UUID], Awaitable[TenantRef | None]],
        *,
        monotonic: Callable[[], float] = time.monotonic,
        ttl_s: float = TTL_S,
        entries_max: int = ENTRIES_MAX,
    ) -> None:
        self._load = load
        self._monotonic = monotonic
        self._ttl_s = ttl_s
        self._entries_max = entries_max
        self._known: OrderedDict[UUID, tuple[TenantRef, float]] = OrderedDict()
        self._unknown: OrderedDict[UUID, float] = OrderedDict()
        self._flights = Flights(self._loaded)
        self._client: redis.asyncio.Redis | None = None
        self._subscriptions: Subscriptions | None = None

    async def start(self, client: redis.asyncio.Redis) -> None:
        """Hear of changes from now on; returns when Redis has acknowledged it.

        Raises:
            TimeoutError: Redis did not answer in START_TIMEOUT_S.
        """
        self._client = client
        self._subscriptions = Subscriptions(client, self._heard, self.clear)
        async with asyncio.timeout(START_TIMEOUT_S):
            await self._subscriptions.add(CHANNEL)

    async def close(self) -> None:
        if self._subscriptions is not None:
            await self._subscriptions.close()

    async def find(self, tenant_id: UUID) -> TenantRef:
        """The tenant's row, at most `ttl_s` old; that there is none, at most UNKNOWN_TTL_S.

        Raises:
            TenantUnknown: no such tenant.
        """
        now = self._monotonic()
        known = self._known.get(tenant_id)
        if known is not None and now < known[1]:
            return known[0]
        if now < self._unknown.get(tenant_id, 0):
            raise TenantUnknown
        return await self._flights.join(tenant_id)

    async def find_now(self, tenant_id: UUID) -> TenantRef:
        """The tenant's row as it is now. Raises TenantUnknown."""
        self.forget(tenant_id)
        return await self._flights.join(tenant_id)

    async def invalidate(self, tenant_id: UUID) -> None:
        """Have every process look the tenant up again; call it after the commit that changed the row."""
        self.forget(tenant_id)
        if self._client is None:
            return
        try:
            await self._client.publish(CHANNEL, str(tenant_id))
        except (RedisError, OSError) as error:
            # The others find out when what they remember grows old.
            _log.warning("invalidation_lost", tenant=str(tenant_id), error=type(error).__name__)

    def forget(self, tenant_id: UUID) -> None:
        """Look the tenant up again at the next call, in this process."""
        self._known.pop(tenant_id, None)
        self._unknown.pop(tenant_id, None)
        self._flights.part(tenant_id)

    def clear(self) -> None:
        """Look everybody up again: messages may have been missed."""
        for tenant_id in [*self._known, *self._unknown]:
            self.forget(tenant_id)
        self._flights.part_all()

    def _heard(self, _: str, data: bytes) -> None:
        try:
            self.forget(UUID(data.decode()))
        except ValueError:
            _log.error("invalidation_unreadable")

    async def _loaded(self, tenant_id: UUID) -> TenantRef:
        """Load and remember; not if the tenant was invalidated since the load began."""
        asked_at = self._monotonic()
        ref = await self._load(tenant_id)
        is_current = self._flights.is_current(tenant_id)
        if ref is None:
            if is_current:
                _remember(self._unknown, tenant_id, asked_at + UNKNOWN_TTL_S, UNKNOWN_MAX)
            raise TenantUnknown
        if is_current:
            _remember(self._known, tenant_id, (ref, asked_at + self._ttl_s), self._entries_max)
        return ref


def _remember(
    entries: OrderedDict[UUID, Remembered], tenant_id: UUID, entry: Remembered, entries_max: int
) -> None:
    entries.pop(tenant_id, None)
    entries[tenant_id] = entry
    if len(entries) > entries_max:
        entries.popitem(last=False)
