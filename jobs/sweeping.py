"""Finds work whose wake-up was lost, and rebuilds the due times when Redis has forgotten them."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from redis.asyncio import Redis
from sqlalchemy import delete, select

from core.clock import Clock
from jobs.cron import Periodic
from jobs.run import UNREACHABLE
from owner_db.tenants.directory import mark_dirty
from owner_db.tenants.models import DirtyTenant
from owner_db.tenants.walking import settling_tenants
from tenancy.engines import Tenants
from tenancy.outbox import all_due, let_claims_go
from tenancy.sessions import OwnerDatabase, Tenant, TenantSession
from tenancy.signals import DUE_PREFIX, OWNER_MEMBER, SEALING
from tenant_db.ledger.blocks import has_unsealed

SENTINEL: Final = "global:due:known"
"""Set once the due times are complete. Where it is missing, Redis was emptied."""
DIRTY_EVERY_S: Final = 5.0
DIRTY_VISITS_MAX: Final = 50
"""Tenants visited in one sweep of the dirty ones: 10 a second, whatever their number."""
DIRTY_READ_MAX: Final = 5_000
MARK_LIFE_S: Final = 150.0
"""A process marks a tenant for a minute; longer than that and its longest transaction, the mark may go."""
ALL_EVERY_S: Final = 3_600.0
AT_ONCE: Final = 4
"""Connections that sweeps may hold."""

_Visit = Callable[[OwnerDatabase | Tenant, str], Awaitable[None]]

log = structlog.get_logger()


class Sweeper:
    """Reads outboxes and writes their due times to Redis; it runs nothing itself."""

    def __init__(self, owner: OwnerDatabase, tenants: Tenants, redis: Redis, clock: Clock) -> None:
        """`tenants` lease connections of the sweeps' own, so that sweeps and jobs can't starve each other."""
        self._owner = owner
        self._tenants = tenants
        self._clock = clock
        self._redis = redis
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._visited: dict[UUID, datetime] = {}

    def schedule(self) -> Sequence[Periodic]:
        return (
            Periodic("sweep_lost_redis", DIRTY_EVERY_S, self.sweep_if_redis_forgot),
            Periodic("sweep_dirty", DIRTY_EVERY_S, self.sweep_dirty),
            Periodic("sweep_all", ALL_EVERY_S, self.sweep_all),
        )

    async def sweep_if_redis_forgot(self) -> None:
        """Rebuild all due times if Redis has lost its data since they were last complete."""
        if await self._redis.exists(SENTINEL):
            return
        log.warning("due_times_rebuilt")
        await self._sweep(self._revisit)
        # Only now: a rebuild that dies half-way is begun again.
        await self._redis.set(SENTINEL, "1")

    async def sweep_dirty(self) -> None:
        """Visit the platform's outbox, and the dirty tenants that were visited longest ago."""
        await self._visit(self._owner, OWNER_MEMBER)
        now = self._clock()
        marks = await self._marks()
        never = datetime.min.replace(tzinfo=now.tzinfo)
        self._visited = {marked: at for marked, at in self._visited.items() if marked in marks}
        chosen = sorted(marks, key=lambda marked: self._visited.get(marked, never))[:DIRTY_VISITS_MAX]
        found = await asyncio.gather(*(self._visit_tenant(tenant_id, self._visit) for tenant_id in chosen))
        self._visited |= dict.fromkeys(chosen, now)
        old = now - timedelta(seconds=MARK_LIFE_S)
        clean = [
            tenant_id
            for tenant_id, was_read in zip(chosen, found, strict=True)
            if was_read and marks[tenant_id] < old
        ]
        if clean:
            # A newer mark than the one that was read stays.
            async with self._owner.transaction() as session:
                await session.execute(
                    delete(DirtyTenant).where(DirtyTenant.tenant_id.in_(clean), DirtyTenant.marked_at < old)
                )

    async def sweep_all(self) -> None:
        """Visit every outbox there is."""
        await self._sweep(self._visit)

    async def _sweep(self, visit: _Visit) -> None:
        await visit(self._owner, OWNER_MEMBER)
        async for batch in settling_tenants(self._owner):
            found = await asyncio.gather(*(self._visit_tenant(tenant_id, visit) for tenant_id in batch))
            for tenant_id, was_read in zip(batch, found, strict=True):
                if not was_read:
                    await mark_dirty(self._owner, tenant_id, self._clock())

    async def _marks(self) -> dict[UUID, datetime]:
        async with self._owner.reading() as session:
            found = await session.execute(
                select(DirtyTenant.tenant_id, DirtyTenant.marked_at)
                .order_by(DirtyTenant.marked_at)
                .limit(DIRTY_READ_MAX)
            )
            return dict(found.all())

    async def _visit_tenant(self, id: UUID, visit: _Visit) -> bool:
        """Says whether the tenant's outbox could be read."""
        async with self._slots:
            try:
                await visit(await self._tenants.settling(id), str(id))
            except UNREACHABLE as error:
                # One tenant's outage must not hide the others' work; the next sweep comes soon.
                log.warning("sweep_passes_over", tenant=str(id), error=type(error).__name__)
                return False
            return True

    async def _revisit(self, database: OwnerDatabase | Tenant, member: str) -> None:
        """As `_visit`, after Redis has lost what was claimed for it."""
        async with database.transaction() as session:
            await let_claims_go(session, self._clock())
        await self._visit(database, member)

    async def _visit(self, database: OwnerDatabase | Tenant, member: str) -> None:
        async with database.reading() as session:
            due = await all_due(session)
            to_seal = isinstance(session, TenantSession) and await has_unsealed(session)
        for queue, at in due.items():
            await self._redis.zadd(DUE_PREFIX + queue, {member: at.timestamp()}, lt=True)
        if to_seal:
            await self._redis.zadd(SEALING, {member: int(self._clock().timestamp())}, lt=True)
