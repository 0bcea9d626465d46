"""From outbox to arq: takes the tenants whose time has come, claims their rows, enqueues them."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog

from jobs.rows import claim_rows
from jobs.run import UNREACHABLE
from jobs.supervision import uncut
from jobs.transport import Transport
from jobs.work import backoff
from tenancy.context import Services
from tenancy.metrics import OUTBOX_LAG_SECONDS
from tenancy.outbox import Claimed, Claims, claim_due
from tenancy.sessions import OwnerDatabase, Tenant
from tenancy.signals import DUE_PREFIX, NUDGE_WITHIN_S, OWNER_MEMBER

TAKEN_PREFIX: Final = "global:taken:"
"""As the due times: tenants that a relay is looking at, by when that relay counts as dead."""
TAKE_LEASE_S: Final = 10.0
ROW_LEASE_S: Final = 15.0
"""From claim to the start of the job; a row that arq lost comes back after it."""
TENANTS_AT_ONCE: Final = 8
IDLE_S: Final = NUDGE_WITHIN_S
"""The longest sleep: a nudge may be lost, and the clock of another machine be ahead."""
PAUSE_S: Final = 0.005
"""Between two looks at what is due: nudges come in bursts."""
GATHER_S: Final = 0.02
"""How long a tenant that had rows is left alone: those of a busy one come together."""
UNREACHED_FIRST_S: Final = 0.5
"""After how long a tenant that could not be reached is tried again: doubled each time, up to TAKE_LEASE_S."""
REVISIT_S: Final = 1.0
"""When a tenant at its cap is looked at again, should the wake-up of a finished job be lost."""

_TAKE: Final = """
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[1], 'LIMIT', 0, 100)) do
  redis.call('ZREM', KEYS[2], member)
  redis.call('ZADD', KEYS[1], 'LT', ARGV[1], member)
end
local members, upcoming = {}, ''
local window = ARGV[3] + redis.call('ZCARD', KEYS[2])
local due = redis.call('ZRANGE', KEYS[1], 0, window, 'WITHSCORES')
for i = 1, #due, 2 do
  if not redis.call('ZSCORE', KEYS[2], due[i]) then
    if tonumber(due[i + 1]) > tonumber(ARGV[1]) or #members >= tonumber(ARGV[3]) then
      upcoming = due[i + 1]
      break
    end
    table.insert(members, due[i])
    redis.call('ZREM', KEYS[1], due[i])
    redis.call('ZADD', KEYS[2], ARGV[2], due[i])
  end
end
return {members, upcoming}
"""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Queue:
    """One class of jobs that must not starve another."""

    name: str
    slots: int
    """Jobs that run at once in one process."""
    in_flight_max: int
    """Rows of one tenant that are enqueued or running, over all processes: nobody fills the queue."""

    @property
    def arq_name(self) -> str:
        return f"global:queue:{self.name}"


class Relay:
    """Relays one queue. Any number of relays may run at once, in any number of processes."""

    def __init__(
        self,
        services: Services,
        redis: Transport,
        queue: Queue,
        nudged: asyncio.Event,
        enqueued: Callable[[], None],
    ) -> None:
        self._services = services
        self._redis = redis
        self._queue = queue
        self._nudged = nudged
        self._enqueued = enqueued
        self._take = redis.register_script(_TAKE)
        self._keys = [DUE_PREFIX + queue.name, TAKEN_PREFIX + queue.name]
        self._busy = 0
        self._unreached: dict[str, int] = {}
        """How many visits in a row failed, of tenants that can't be reached."""

    async def run(self) -> None:
        """Relay until cancelled.

        Raises:
            ExceptionGroup: of redis.exceptions.RedisError or OSError: Redis is gone; run it again.
        """
        self._busy = 0
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._nudged.clear()
                members, wait_s = await self._due_members()
                for member in members:
                    self._busy += 1
                    tasks.create_task(uncut(self._visit(member)))
                await asyncio.sleep(PAUSE_S)
                await self._wait(wait_s)

    async def _due_members(self) -> tuple[list[str], float]:
        """Take what is due, and say for how long nothing else will be.

        A tenant that is being looked at is left for later, for two looks at once would each count
        the other's rows too late and exceed its cap.
        """
        room = TENANTS_AT_ONCE - self._busy
        if room == 0:
            return [], IDLE_S
        now = self._services.clock().timestamp()
        members, upcoming = await self._take(keys=self._keys, args=[now, now + TAKE_LEASE_S, room])
        wait_s = min(IDLE_S, max(0.0, float(upcoming) - now)) if upcoming else IDLE_S
        return [member.decode() for member in members], wait_s

    async def _wait(self, wait_s: float) -> None:
        try:
            async with asyncio.timeout(wait_s):
                await self._nudged.wait()
        except TimeoutError:
            return

    async def _visit(self, member: str) -> None:
        """Claim and enqueue one tenant's rows. If Redis can't be reached, its take lease brings it back."""
        with structlog.contextvars.bound_contextvars(tenant=member, queue=self._queue.name):
            try:
                has_room, due = await self._relay(member)
                self._unreached.pop(member, None)
            except UNREACHABLE as error:
                has_room, due = False, self._again_at(member, error)
            finally:
                self._busy -= 1
                if self._busy == TENANTS_AT_ONCE - 1:
                    self._nudged.set()
            if has_room:
                await asyncio.sleep(GATHER_S)
            await self._settle(member, due)

    def _again_at(self, member: str, error: Exception) -> datetime:
        """When to come back to a tenant that can't be reached: soon at first, for most outages are short."""
        failures = self._unreached[member] = self._unreached.get(member, 0) + 1
        pause_s = backoff(failures, first_s=UNREACHED_FIRST_S, max_s=TAKE_LEASE_S)
        log.warning("relay_waits", error=type(error).__name__, pause_s=round(pause_s, 1))
        return self._services.clock() + timedelta(seconds=pause_s)

    async def _relay(self, member: str) -> tuple[bool, datetime | None]:
        """Gives whether rows were enqueued and the tenant may have more, and when to look again."""
        database = await self._database(member)
        now = self._services.clock()
        rows, due = await self._claim(database, now)
        epoch = database.ref.epoch if isinstance(database, Tenant) else 0
        if rows:
            await self._enqueue(member, rows, epoch)
            self._enqueued()
        if due is not None and due <= now:
            # Still due: the tenant is at its cap, and a job that ends will wake us sooner.
            return False, now + timedelta(seconds=REVISIT_S)
        return bool(rows), due

    async def _claim(self, database: OwnerDatabase | Tenant, now: datetime) -> Claims:
        name, most = self._queue.name, self._queue.in_flight_max
        if isinstance(database, Tenant):
            return await claim_rows(database, name, now, lease_s=ROW_LEASE_S, in_flight_max=most)
        async with database.transaction() as session:
            return await claim_due(session, name, now, lease_s=ROW_LEASE_S, in_flight_max=most)

    async def _enqueue(self, member: str, rows: Sequence[Claimed], epoch: int) -> None:
        # The attempt is part of the id: arq drops an id that it knows, so a row enqueued twice runs once.
        jobs = [
            (f"{member}:{row.kind}:{row.id}:{row.attempts}", (member, str(row.id), epoch)) for row in rows
        ]
        await self._redis.enqueue_all(self._queue.arq_name, "run_outbox", jobs)
        now, lag = self._services.clock(), OUTBOX_LAG_SECONDS.labels(self._queue.name)
        for row in rows:
            lag.observe((now - row.due).total_seconds())

    async def _settle(self, member: str, due: datetime | None) -> None:
        """Put the tenant back for its next due time; a wake-up that came meanwhile stays if it is earlier."""
        async with self._redis.pipeline(transaction=True) as steps:
            steps.zrem(self._keys[1], member)
            if due is not None:
                steps.zadd(self._keys[0], {member: due.timestamp()}, lt=True)
            steps.zscore(self._keys[0], member)
            *_, next_due = await steps.execute()
        if next_due is not None and next_due < self._services.clock().timestamp() + IDLE_S:
            self._nudged.set()

    async def _database(self, member: str) -> OwnerDatabase | Tenant:
        if member == OWNER_MEMBER:
            return self._services.owner
        return await self._services.tenants.settling(UUID(member))
