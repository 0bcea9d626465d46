"""Sweeps find work whose wake-up was lost, and give back the due times that Redis forgot."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
import redis.asyncio
from sqlalchemy import delete, select

from core.clock import utc_now
from core.tenant import TenantStatus
from jobs.cron import OFTEN_AT_ONCE, RARE_AT_ONCE, Periodic, run_if_free, run_schedule
from jobs.sweeping import Sweeper
from owner_db.tenants.directory import mark_dirty
from owner_db.tenants.models import DirtyTenant
from tenancy.engines import Tenants
from tenancy.errors import Capacity
from tenancy.sessions import OwnerDatabase, Tenant
from tests.jobs.conftest import FrailSignals, MovingClock, Registry, leave

DUE = "global:due:payments"


@pytest.fixture
def sweeper(
    owner: OwnerDatabase, sweeping: Tenants, redis_client: redis.asyncio.Redis, clock: MovingClock
) -> Sweeper:
    return Sweeper(owner, sweeping, redis_client, clock)


@pytest.fixture
def cut(signals: FrailSignals) -> FrailSignals:
    """Every wake-up is lost."""
    signals.is_cut = True
    return signals


async def mark(owner: OwnerDatabase, tenant_id: UUID, *, age_s: float) -> None:
    await mark_dirty(owner, tenant_id, utc_now() - timedelta(seconds=age_s))


async def marked(owner: OwnerDatabase) -> set[UUID]:
    async with owner.reading() as session:
        return set(await session.scalars(select(DirtyTenant.tenant_id)))


async def due(client: redis.asyncio.Redis) -> set[str]:
    return {member.decode() for member in await client.zrange(DUE, 0, -1)}


@pytest.mark.usefixtures("cut")
async def test_a_lost_wake_up_is_found_through_its_tenants_mark(
    sweeper: Sweeper, owner: OwnerDatabase, tenant: Tenant, redis_client: redis.asyncio.Redis
) -> None:
    await leave(tenant)
    assert await marked(owner) == {tenant.id}

    await sweeper.sweep_dirty()

    assert await due(redis_client) == {str(tenant.id)}


async def test_a_mark_goes_only_when_no_commit_can_rely_on_it_any_more(
    sweeper: Sweeper, owner: OwnerDatabase, tenant: Tenant, second_tenant: Tenant
) -> None:
    await mark(owner, tenant.id, age_s=100)
    await mark(owner, second_tenant.id, age_s=200)

    await sweeper.sweep_dirty()

    assert await marked(owner) == {tenant.id}


async def test_the_mark_of_a_tenant_that_could_not_be_read_stays(
    sweeper: Sweeper, owner: OwnerDatabase, tenant: Tenant, registry: Registry
) -> None:
    await mark(owner, tenant.id, age_s=200)
    registry.set_status(tenant.id, TenantStatus.MOVING)

    await sweeper.sweep_dirty()

    assert await marked(owner) == {tenant.id}


@pytest.mark.usefixtures("cut")
async def test_the_platforms_own_jobs_are_swept_without_a_mark(
    sweeper: Sweeper, owner: OwnerDatabase, redis_client: redis.asyncio.Redis
) -> None:
    await leave(owner)

    await sweeper.sweep_dirty()

    assert await due(redis_client) == {"owner"}


@pytest.mark.usefixtures("cut")
async def test_an_emptied_redis_gets_all_due_times_back_once(
    sweeper: Sweeper, tenant: Tenant, second_tenant: Tenant, redis_client: redis.asyncio.Redis
) -> None:
    await leave(tenant, after_s=3_600)
    await leave(second_tenant)

    await sweeper.sweep_if_redis_forgot()
    assert await due(redis_client) == {str(tenant.id), str(second_tenant.id)}

    await redis_client.delete(DUE)
    await sweeper.sweep_if_redis_forgot()
    assert await due(redis_client) == set(), "it swept all tenants although Redis had forgotten nothing"


@pytest.mark.usefixtures("cut")
async def test_one_tenants_outage_does_not_hide_the_others_work(
    *,
    sweeper: Sweeper,
    owner: OwnerDatabase,
    tenant: Tenant,
    second_tenant: Tenant,
    registry: Registry,
    redis_client: redis.asyncio.Redis,
) -> None:
    await leave(tenant)
    await leave(second_tenant)
    registry.set_status(tenant.id, TenantStatus.MOVING)
    async with owner.transaction() as session:
        await session.execute(delete(DirtyTenant))

    await sweeper.sweep_all()

    assert await due(redis_client) == {str(second_tenant.id)}
    assert await marked(owner) == {tenant.id}, "it is soon visited again"


async def test_a_sweep_never_puts_off_an_earlier_due_time(
    sweeper: Sweeper, tenant: Tenant, redis_client: redis.asyncio.Redis
) -> None:
    await leave(tenant, after_s=3_600)
    await redis_client.zadd(DUE, {str(tenant.id): 7})

    await sweeper.sweep_all()

    assert await redis_client.zscore(DUE, str(tenant.id)) == 7


async def test_one_process_at_a_time_runs_a_schedule(owner: OwnerDatabase) -> None:
    runs = 0
    began, may_end = asyncio.Event(), asyncio.Event()

    async def run() -> None:
        nonlocal runs
        runs += 1
        began.set()
        await may_end.wait()

    first = asyncio.create_task(run_if_free(owner, Periodic("sweep", 1, run)))
    await began.wait()
    await run_if_free(owner, Periodic("sweep", 1, run))
    may_end.set()
    await first

    assert runs == 1
    await run_if_free(owner, Periodic("sweep", 1, run))
    assert runs == 2


@pytest.mark.parametrize("error", [Capacity(), ZeroDivisionError("a bug")])
async def test_a_run_that_fails_leaves_the_lock_to_the_next(owner: OwnerDatabase, error: Exception) -> None:
    runs = 0

    async def run() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise error

    for _ in range(2):
        await run_if_free(owner, Periodic("sweep", 1, run))

    assert runs == 2


async def test_turns_that_come_at_once_leave_connections_to_others(owner: OwnerDatabase) -> None:
    at_once, begun = [0], asyncio.Queue[int]()
    may_end = asyncio.Semaphore(0)

    async def run() -> None:
        at_once[0] += 1
        begun.put_nowait(at_once[0])
        await may_end.acquire()
        at_once[0] -= 1

    often = [Periodic(f"often {number}", 5, run) for number in range(5)]
    rare = [Periodic(f"rare {number}", 3_600, run) for number in range(2)]
    running = asyncio.create_task(run_schedule(owner, [*often, *rare]))
    counts = []
    for number in range(len(often) + len(rare)):
        if number >= OFTEN_AT_ONCE + RARE_AT_ONCE:
            may_end.release()
        counts.append(await begun.get())
    may_end.release()
    running.cancel()
    await asyncio.wait([running])

    assert max(counts) == OFTEN_AT_ONCE + RARE_AT_ONCE
