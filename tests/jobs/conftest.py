"""A registry of tenants, a Redis, and workers to start and stop."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

import pytest
import redis.asyncio

from core.clock import utc_now
from core.tenant import TenantStatus
from jobs.work import Handler, Result, Work
from jobs.worker import run_worker
from owner_db.tenants.directory import mark_dirty
from tenancy.columns import OutboxColumns
from tenancy.context import Services
from tenancy.engines import TenantEngines, Tenants
from tenancy.errors import TenantUnknown
from tenancy.outbox import announce
from tenancy.policy import Policy
from tenancy.sessions import AfterCommit, OwnerDatabase, Tenant
from tenancy.shapes import model_of
from tenancy.signals import RedisSignals
from tenancy.tenant_ref import TenantRef
from tests.factories.tenants import register

PATIENCE_S = 20.0


class FrailSignals(RedisSignals):
    """The real signals, whose wake-ups can be lost."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        super().__init__(client, self._mark)
        self.is_cut = False
        self.owner: OwnerDatabase | None = None
        """Where tenants are marked dirty, once the registry knows them."""

    async def _mark(self, tenant_id: UUID) -> None:
        if self.owner is not None:
            await mark_dirty(self.owner, tenant_id)

    async def after_commit(self, tenant_id: UUID | None, after: AfterCommit) -> None:
        if not self.is_cut:
            await super().after_commit(tenant_id, after)


class Registry:
    """A directory whose entries tests may change."""

    def __init__(self, *tenants: Tenant) -> None:
        self._refs = {tenant.id: tenant.ref for tenant in tenants}

    async def find(self, tenant_id: UUID) -> TenantRef:
        if tenant_id not in self._refs:
            raise TenantUnknown
        return self._refs[tenant_id]

    async def find_now(self, tenant_id: UUID) -> TenantRef:
        if tenant_id not in self._refs:
            raise TenantUnknown
        return self._refs[tenant_id]

    def advance_epoch(self, tenant_id: UUID) -> None:
        ref = self._refs[tenant_id]
        self._refs[tenant_id] = replace(ref, epoch=ref.epoch + 1)

    def set_status(self, tenant_id: UUID, status: TenantStatus) -> None:
        self._refs[tenant_id] = replace(self._refs[tenant_id], status=status)


@dataclass(slots=True)
class MovingClock:
    """The real time and an offset that tests move on."""

    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        return utc_now() + self.ahead

    def skip(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)


@dataclass(slots=True)
class Hand:
    """A handler that tests hold: tells each run, and ends it as it is told to."""

    runs: asyncio.Queue[Work] = field(default_factory=asyncio.Queue)
    results: asyncio.Queue[Result | Exception] = field(default_factory=asyncio.Queue)
    at_once: int = 0
    at_once_max: int = 0

    async def __call__(self, work: Work) -> Result:
        self.at_once += 1
        self.at_once_max = max(self.at_once_max, self.at_once)
        self.runs.put_nowait(work)
        try:
            result = await self.results.get()
        finally:
            self.at_once -= 1
        if isinstance(result, Exception):
            raise result
        return result

    async def next_run(self) -> Work:
        async with asyncio.timeout(PATIENCE_S):
            return await self.runs.get()

    def end(self, *results: Result | Exception) -> None:
        for result in results:
            self.results.put_nowait(result)


@pytest.fixture
def signals(redis_client: redis.asyncio.Redis) -> FrailSignals:
    return FrailSignals(redis_client)


@pytest.fixture
def clock() -> MovingClock:
    return MovingClock()


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
async def registry(
    owner: OwnerDatabase, tenant: Tenant, second_tenant: Tenant, signals: FrailSignals
) -> Registry:
    for one in (tenant, second_tenant):
        await register(owner, one.ref)
    signals.owner = owner
    return Registry(tenant, second_tenant)


@pytest.fixture
async def sweeping(registry: Registry, signals: FrailSignals) -> AsyncIterator[Tenants]:
    engines = TenantEngines(4)
    yield Tenants(registry, engines, signals)
    await engines.close()


@pytest.fixture
async def services(
    owner: OwnerDatabase, registry: Registry, signals: FrailSignals, clock: MovingClock
) -> AsyncIterator[Services]:
    """What jobs use of a process's services; the rest is not there."""
    engines = TenantEngines(24)
    tenants = Tenants(registry, engines, signals)
    nothing = cast("Any", None)
    yield Services(owner, tenants, nothing, nothing, nothing, nothing, Policy(), clock, nothing)
    await engines.close()


Handling = Callable[[Work], Awaitable[Result]]


@pytest.fixture
def working(services: Services, sweeping: Tenants, redis_url: str) -> "Working":
    return Working(services, sweeping, redis_url)


@dataclass(slots=True)
class Working:
    """Starts what one worker process runs; it is stopped, gracefully, at the end of the block."""

    services: Services
    sweeping: Tenants
    redis_url: str

    @asynccontextmanager
    async def __call__(
        self, completion_wait_s: float = PATIENCE_S, attempts_max: int = 3, **handling: Handling
    ) -> AsyncIterator[asyncio.Event]:
        stop = asyncio.Event()
        handlers = [Handler(kind, run, attempts_max=attempts_max) for kind, run in handling.items()]
        running = asyncio.create_task(
            run_worker(
                self.services,
                self.redis_url,
                handlers,
                stop,
                sweeping=self.sweeping,
                completion_wait_s=completion_wait_s,
            )
        )
        try:
            yield stop
        finally:
            stop.set()
            await running


async def leave(
    database: Tenant | OwnerDatabase,
    kind: str = "act",
    queue: str = "payments",
    after_s: float = 0,
    **ids: str,
) -> UUID:
    """Announce one job and commit."""
    async with database.transaction() as session:
        return announce(session, kind, queue=queue, after_s=after_s, **ids)


async def row_of(database: Tenant | OwnerDatabase, id: UUID) -> OutboxColumns:
    """The outbox row as it is now."""
    async with database.reading() as session:
        return await session.get_one(model_of(session, OutboxColumns), id)
