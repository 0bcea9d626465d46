"""How much one caller may ask for: token buckets for API costs, strict windows for sensitive acts.

Both live in Redis, so that all server processes share them. Keys start with the tenant
(`t:{tenant_id}:`) or `global:`, and what identifies a person is hashed before it becomes a key.
"""

import asyncio
import math
import secrets
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError

from tenancy.errors import RateLimited

CHUNK_SHARE: Final = 20
"""A lease takes a twentieth of the bucket: also how far each process can overshoot."""
LEASES_MAX: Final = 20_000
DEGRADED_S: Final = 1.0
"""While Redis is away a caller gets one second's restore per second and process."""
UNREACHABLE_RETRY_S: Final = 5

# Refills by Redis' own clock, then gives `want` units, or `need`, or none and the wait in ms.
_LEASE: Final = """
local capacity, restore = tonumber(ARGV[1]), tonumber(ARGV[2])
local need, want = tonumber(ARGV[3]), tonumber(ARGV[4])
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
local bucket = redis.call('HMGET', KEYS[1], 'units', 'at_ms')
local units = tonumber(bucket[1]) or capacity
local elapsed_ms = math.max(0, now_ms - (tonumber(bucket[2]) or now_ms))
units = math.min(capacity, units + elapsed_ms * restore / 1000)
local taken, wait_ms = 0, 0
if units >= need then
  taken = math.floor(math.min(want, units))
  units = units - taken
else
  wait_ms = math.ceil((need - units) * 1000 / restore)
end
redis.call('HSET', KEYS[1], 'units', string.format('%.3f', units), 'at_ms', string.format('%.0f', now_ms))
redis.call('PEXPIRE', KEYS[1], math.ceil((capacity - units) * 1000 / restore) + 60000)
return {taken, math.floor(units), wait_ms}
"""

# A sorted set of the hits of the last window; a refused hit is not added, a known one not again.
_WINDOW: Final = """
local limit, window_ms, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now_ms - window_ms)
if redis.call('ZSCORE', KEYS[1], ARGV[4] .. ':1') then return 0 end
local count = redis.call('ZCARD', KEYS[1])
if count + cost > limit then
  local leaves = count + cost - limit - 1
  local last = redis.call('ZRANGE', KEYS[1], leaves, leaves, 'WITHSCORES')
  if last[2] == nil then return window_ms end
  return math.max(1, tonumber(last[2]) + window_ms - now_ms)
end
for i = 1, cost do
  redis.call('ZADD', KEYS[1], now_ms, ARGV[4] .. ':' .. i)
end
redis.call('PEXPIRE', KEYS[1], window_ms)
return 0
"""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Budget:
    """What a caller has left after a charge."""

    available: int
    capacity: int
    restore_per_s: int

    @property
    def full_after_s(self) -> int:
        """Seconds until the bucket is full again."""
        return math.ceil((self.capacity - self.available) / self.restore_per_s)


@dataclass(frozen=True, slots=True)
class Window:
    """An act that may happen at most `limit` times in any `per_s` seconds."""

    name: str
    key: str
    """Who or what it happens to, such as an e-mail address, IP or phone; it is hashed."""
    limit: int
    per_s: int
    cost: int = 1
    tenant_id: UUID | None = None

    @property
    def place(self) -> str:
        scope = "global" if self.tenant_id is None else f"t:{self.tenant_id}"
        return f"{scope}:window:{self.name}:{sha256(self.key.encode()).hexdigest()[:32]}"


@dataclass(slots=True)
class _Lease:
    """Units taken from the bucket in Redis and not used yet."""

    units: int = 0
    behind: float = 0.0
    """Units the bucket had left when it was last asked."""
    asked_at: float = field(default_factory=lambda: float("-inf"))
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class RateLimits:
    """The limits of all callers, as one process sees them.

    A process takes units in chunks, so most charges need no round trip. What it has taken and
    not used stays valid: a caller can exceed the bucket by at most one chunk per process.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._lease = redis.register_script(_LEASE)
        self._window = redis.register_script(_WINDOW)
        self._leases: OrderedDict[tuple[UUID | None, str], _Lease] = OrderedDict()

    async def charge(
        self, tenant_id: UUID | None, caller: str, cost: int, capacity: int, restore_per_s: int
    ) -> Budget:
        """Take `cost` units from the caller's bucket; tenant None is somebody without one.

        A cost beyond the capacity takes a full bucket. While Redis is away, callers get a trickle.

        Raises:
            RateLimited: the bucket lacks them; nothing was taken.
        """
        lease = self._lease_of(tenant_id, caller)
        needed = min(cost, capacity)
        if lease.units < needed:
            async with lease.lock:
                if lease.units < needed:
                    await self._refill(lease, _bucket(tenant_id, caller), needed, capacity, restore_per_s)
        lease.units -= needed
        restored = (time.monotonic() - lease.asked_at) * restore_per_s
        available = lease.units + min(capacity, lease.behind + restored)
        return Budget(min(capacity, int(available)), capacity, restore_per_s)

    def give_back(self, tenant_id: UUID | None, caller: str, units: int) -> None:
        """Return what a charge turned out not to need; it stays with this process."""
        lease = self._leases.get((tenant_id, caller))
        if lease is not None:
            lease.units += units

    async def hit(
        self, name: str, key: str, *, limit: int, per_s: int, cost: int = 1, tenant_id: UUID | None = None
    ) -> None:
        """Count an act that may happen at most `limit` times in any `per_s` seconds.

        `key` says who or what it happens to, such as an e-mail address, IP or phone; it is hashed.
        Refused acts do not count. While Redis is away every act is refused.

        Raises:
            RateLimited: the limit is reached.
        """
        await self.hit_all(Window(name, key, limit, per_s, cost, tenant_id))

    async def hit_all(self, *windows: Window, act: str | None = None) -> None:
        """Count one act in several windows, in one round trip; refused by one, it counts in none.

        An act with a name of its own, such as its idempotency key, counts once however often it is tried.

        Raises:
            RateLimited: a limit is reached.
        """
        unique = secrets.token_hex(8) if act is None else sha256(act.encode()).hexdigest()[:32]
        try:
            waits_ms = await self._hit(windows, unique)
            if any(waits_ms):
                await self._take_back(windows, unique)
        except (RedisError, OSError) as error:
            _log.warning("rate_limit_unreachable", limit=windows[0].name, error=str(error))
            raise RateLimited(UNREACHABLE_RETRY_S) from error
        if any(waits_ms):
            raise RateLimited(math.ceil(max(waits_ms) / 1000))

    async def _hit(self, windows: Sequence[Window], unique: str) -> list[int]:
        """Milliseconds to wait for each; 0 where it was counted."""
        script = self._window.sha
        for _ in range(2):
            async with self._redis.pipeline(transaction=False) as pipe:
                for window in windows:
                    given = (window.limit, window.per_s * 1000, window.cost)
                    pipe.evalsha(script, 1, window.place, *map(str, given), unique)
                try:
                    return [int(wait_ms) for wait_ms in await pipe.execute()]
                except NoScriptError:
                    # Redis was started anew: it forgets scripts.
                    script = await self._redis.script_load(_WINDOW)
        raise RedisError("Redis forgets its scripts as soon as it is told them.")

    async def _take_back(self, windows: Sequence[Window], unique: str) -> None:
        async with self._redis.pipeline(transaction=False) as pipe:
            for window in windows:
                pipe.zrem(window.place, *(f"{unique}:{number + 1}" for number in range(window.cost)))
            await pipe.execute()

    def _lease_of(self, tenant_id: UUID | None, caller: str) -> _Lease:
        key = (tenant_id, caller)
        lease = self._leases.get(key)
        if lease is None:
            lease = self._leases[key] = _Lease()
            if len(self._leases) > LEASES_MAX:
                self._leases.popitem(last=False)
        else:
            self._leases.move_to_end(key)
        return lease

    async def _refill(
        self, lease: _Lease, bucket: str, needed: int, capacity: int, restore_per_s: int
    ) -> None:
        missing = needed - lease.units
        wanted = max(missing, capacity // CHUNK_SHARE)
        try:
            taken, behind, wait_ms = await self._lease(
                keys=[bucket], args=[capacity, restore_per_s, missing, wanted]
            )
        except (RedisError, OSError) as error:
            _log.warning("rate_limit_unreachable", limit="cost", error=str(error))
            self._trickle(lease, missing, restore_per_s)
            return
        lease.behind, lease.asked_at = float(behind), time.monotonic()
        if not taken:
            raise RateLimited(max(1, math.ceil(int(wait_ms) / 1000)))
        lease.units += int(taken)

    def _trickle(self, lease: _Lease, missing: int, restore_per_s: int) -> None:
        if time.monotonic() - lease.asked_at < DEGRADED_S:
            raise RateLimited(1)
        lease.behind, lease.asked_at = 0.0, time.monotonic()
        lease.units += max(missing, int(restore_per_s * DEGRADED_S))


def _bucket(tenant_id: UUID | None, caller: str) -> str:
    scope = "global" if tenant_id is None else f"t:{tenant_id}"
    return f"{scope}:bucket:{sha256(caller.encode()).hexdigest()[:32]}"
