"""Circuit breakers: whether a provider account answers at all, shared by all processes.

One breaker per provider account: another business's keys, or another account of the same
provider, say nothing about this one. The state lives in Redis under the tenant's own key; while
Redis is away every circuit counts as closed, for a payment that might fail is better than none.
"""

from collections.abc import Awaitable, Iterable, Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Final, cast
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from core.clock import Clock

FAILURES_MAX: Final = 5
"""So many calls in a row without an answer, within FAILURE_WINDOW, open a circuit."""
FAILURE_WINDOW: Final = timedelta(seconds=60)
OPEN_FOR: Final = timedelta(seconds=30)
"""How long nothing is sent before one probe may go."""
PROBE_FOR: Final = timedelta(seconds=60)
"""How long a probe keeps others away: longer than any call lasts. One that died is then replaced."""
FORGOTTEN_AFTER: Final = timedelta(minutes=10)

# A hash: `count` of failures in a row, the instants of the last of them as `0` to `max - 1`,
# `opened` and `probed`. In whole milliseconds of the caller's clock.
_ALLOW: Final = """
local now, open_ms, probe_ms = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local found = redis.call('HMGET', KEYS[1], 'opened', 'probed')
if not found[1] then return 1 end
if now - tonumber(found[1]) < open_ms then return 0 end
if found[2] and now - tonumber(found[2]) < probe_ms then return 0 end
redis.call('HSET', KEYS[1], 'probed', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
"""
_FAIL: Final = """
local now, open_ms = tonumber(ARGV[1]), tonumber(ARGV[2])
local max, window_ms = tonumber(ARGV[3]), tonumber(ARGV[4])
local opened = redis.call('HGET', KEYS[1], 'opened')
if opened then
  if now - tonumber(opened) >= open_ms then
    redis.call('HSET', KEYS[1], 'opened', ARGV[1])
    redis.call('HDEL', KEYS[1], 'probed')
  end
else
  local count = redis.call('HINCRBY', KEYS[1], 'count', 1)
  redis.call('HSET', KEYS[1], tostring(count % max), ARGV[1])
  local first = redis.call('HGET', KEYS[1], tostring((count + 1) % max))
  if count >= max and now - tonumber(first) <= window_ms then
    redis.call('HSET', KEYS[1], 'opened', ARGV[1])
  end
end
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return 0
"""

_log = structlog.get_logger()


class CircuitState(StrEnum):
    """Whether a provider account may be asked to collect."""

    CLOSED = "closed"
    OPEN = "open"
    """It did not answer several times in a row: nothing new is sent for a while."""
    HALF_OPEN = "half_open"
    """The while is over: one attempt goes, and its answer decides."""


class Circuits:
    """The breakers of all provider accounts, as every process sees them."""

    def __init__(self, redis: Redis, clock: Clock) -> None:
        self._redis = redis
        self._clock = clock
        self._allow = redis.register_script(_ALLOW)
        self._fail = redis.register_script(_FAIL)

    async def states(self, tenant_id: UUID, account_ids: Iterable[UUID]) -> Mapping[UUID, CircuitState]:
        """The state of each account's circuit; asking takes no probe."""
        ids = list(account_ids)
        now = self._now_ms()
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                for id_ in ids:
                    pipe.hget(circuit_key(tenant_id, id_), "opened")
                opened = await pipe.execute() if ids else []
        except (RedisError, OSError) as error:
            _lost(tenant_id, error)
            opened = [None] * len(ids)
        return {id_: _state(at, now) for id_, at in zip(ids, opened, strict=True)}

    async def open_ones(self, tenant_id: UUID, account_ids: Iterable[UUID]) -> frozenset[UUID]:
        """The accounts whose circuit is open: not to be chosen at all."""
        states = await self.states(tenant_id, account_ids)
        return frozenset(id_ for id_, state in states.items() if state is CircuitState.OPEN)

    async def allow(self, tenant_id: UUID, account_id: UUID) -> bool:
        """Whether a new attempt may be sent now; where the circuit is half-open, takes the one probe.

        Whoever is allowed sends at once, and records how it went.
        """
        arguments = [self._now_ms(), _ms(OPEN_FOR), _ms(PROBE_FOR), _ms(FORGOTTEN_AFTER)]
        key = circuit_key(tenant_id, account_id)
        try:
            return bool(await self._allow(keys=[key], args=arguments))
        except (RedisError, OSError) as error:
            _lost(tenant_id, error)
            return True

    async def record(self, tenant_id: UUID, account_id: UUID, *, is_success: bool) -> None:
        """Tell how one call went.

        A refusal (ProviderRejected) is a success: whoever refuses is alive. Only ProviderUnavailable
        and OutcomeUnknown are failures. A success closes the circuit, whoever's call it was.
        """
        key = circuit_key(tenant_id, account_id)
        try:
            if is_success:
                await cast("Awaitable[int]", self._redis.delete(key))
            else:
                window = [FAILURES_MAX, _ms(FAILURE_WINDOW), _ms(FORGOTTEN_AFTER)]
                await self._fail(keys=[key], args=[self._now_ms(), _ms(OPEN_FOR), *window])
        except (RedisError, OSError) as error:
            _lost(tenant_id, error)

    def _now_ms(self) -> int:
        return int(self._clock().timestamp() * 1_000)


def circuit_key(tenant_id: UUID, account_id: UUID) -> str:
    """Where one account's circuit is in Redis."""
    return f"t:{tenant_id}:circuit:{account_id}"


def _state(opened: bytes | None, now_ms: int) -> CircuitState:
    if opened is None:
        return CircuitState.CLOSED
    return CircuitState.OPEN if now_ms - int(opened) < _ms(OPEN_FOR) else CircuitState.HALF_OPEN


def _ms(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)


def _lost(tenant_id: UUID, error: Exception) -> None:
    _log.warning("circuits_lost", tenant=str(tenant_id), error=type(error).__name__)
