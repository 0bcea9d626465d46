"""A row runs once at a time, and again where its run did not end."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import update

from jobs.run import Runner
from jobs.work import Done, Handler, by_kind
from tenancy.columns import OutboxColumns
from tenancy.context import Services
from tenancy.engines import CONNECTIONS_PER_TENANT
from tenancy.outbox import claim_due
from tenancy.sessions import Tenant
from tenant_db.outbox.models import TenantOutbox
from tests.jobs.conftest import PATIENCE_S, Hand, MovingClock, leave, row_of


async def test_two_workers_never_run_one_row_at_once(services: Services, tenant: Tenant, hand: Hand) -> None:
    job = await leave(tenant)
    runners = [Runner(services, by_kind([Handler("act", hand)])) for _ in range(5)]

    async with asyncio.TaskGroup() as group:
        runs = [
            group.create_task(runner.run_outbox({}, str(tenant.id), str(job), tenant.ref.epoch))
            for runner in runners
        ]
        await hand.next_run()
        # The four losers end while the winner still runs.
        _, running = await asyncio.wait(runs, return_when=asyncio.FIRST_COMPLETED)
        while len(running) > 1:
            _, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        hand.end(Done())

    assert hand.at_once_max == 1
    assert hand.runs.empty()
    assert (await row_of(tenant, job)).attempts == 1


async def test_a_finished_row_does_not_run_again(services: Services, tenant: Tenant, hand: Hand) -> None:
    job = await leave(tenant)
    runner = Runner(services, by_kind([Handler("act", hand)]))
    hand.end(Done(), Done())

    for _ in range(2):
        await runner.run_outbox({}, str(tenant.id), str(job), tenant.ref.epoch)

    assert hand.runs.qsize() == 1


async def test_a_run_whose_worker_died_is_repeated_after_its_lease(
    services: Services, tenant: Tenant, hand: Hand, clock: MovingClock
) -> None:
    job = await leave(tenant)
    runner = Runner(services, by_kind([Handler("act", hand)]))
    arguments: tuple[dict[str, object], str, str, int] = ({}, str(tenant.id), str(job), tenant.ref.epoch)
    died = asyncio.create_task(runner.run_outbox(*arguments))
    await hand.next_run()
    died.cancel()
    await asyncio.wait([died])

    await runner.run_outbox(*arguments)
    assert hand.runs.empty(), "it ran again although its lease had not ended"
    clock.skip(21)
    hand.end(Done())
    await runner.run_outbox(*arguments)

    assert (await hand.next_run()).attempt == 2
    assert (await row_of(tenant, job)).state == "done"


async def leased_beyond(tenant: Tenant, job: UUID, instant: datetime) -> bool:
    leased_until = (await row_of(tenant, job)).leased_until
    return leased_until is not None and leased_until > instant


async def test_a_long_run_keeps_its_row(
    services: Services, tenant: Tenant, hand: Hand, clock: MovingClock
) -> None:
    job = await leave(tenant)
    runner = Runner(services, by_kind([Handler("act", hand)]), renew_every_s=0.01)
    arguments: tuple[dict[str, object], str, str, int] = ({}, str(tenant.id), str(job), tenant.ref.epoch)
    long = asyncio.create_task(runner.run_outbox(*arguments))
    await hand.next_run()

    clock.skip(9)
    moved_on = clock() + timedelta(seconds=11)
    async with asyncio.timeout(PATIENCE_S):
        while not await leased_beyond(tenant, job, moved_on):  # noqa: ASYNC110 - PostgreSQL can't set our event
            await asyncio.sleep(0)
    clock.skip(9)
    await runner.run_outbox(*arguments)

    assert hand.runs.empty(), "it was taken over although its run goes on"
    hand.end(Done())
    await long
    assert (await row_of(tenant, job)).state == "done"


@asynccontextmanager
async def crowded(services: Services, tenant: Tenant) -> AsyncIterator[None]:
    """All connections that jobs may have to the tenant are busy."""
    async with AsyncExitStack() as stack:
        for _ in range(CONNECTIONS_PER_TENANT):
            await stack.enter_async_context(services.tenants.engines.lease(tenant.ref))
        yield


async def until(tenant: Tenant, job: UUID, is_so: Callable[[OutboxColumns], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not is_so(await row_of(tenant, job)):  # noqa: ASYNC110 - PostgreSQL can't set our event
            await asyncio.sleep(0.01)


@pytest.fixture
async def runner(services: Services, hand: Hand) -> AsyncIterator[Runner]:
    made = Runner(services, by_kind([Handler("act", hand)]))
    yield made
    await made.close()


async def test_a_row_that_could_not_begin_is_free_again_before_its_lease_ends(
    services: Services, tenant: Tenant, runner: Runner, clock: MovingClock
) -> None:
    job = await leave(tenant)
    async with tenant.transaction() as session:
        await claim_due(session, "payments", clock(), lease_s=3_600, in_flight_max=8)

    async with crowded(services, tenant):
        await asyncio.create_task(runner.run_outbox({}, str(tenant.id), str(job), tenant.ref.epoch))
        assert (await row_of(tenant, job)).leased_until is not None

    await until(tenant, job, lambda row: row.leased_until is None)
    assert (await row_of(tenant, job)).attempts == 0


async def test_a_result_that_could_not_be_written_down_is_written_later(
    services: Services, tenant: Tenant, runner: Runner, hand: Hand
) -> None:
    job = await leave(tenant)
    run = asyncio.create_task(runner.run_outbox({}, str(tenant.id), str(job), tenant.ref.epoch))
    await hand.next_run()

    async with crowded(services, tenant):
        hand.end(Done())
        await run
        assert (await row_of(tenant, job)).state == "running"

    await until(tenant, job, lambda row: row.state == "done")
    assert (await row_of(tenant, job)).attempts == 1


async def test_a_ladder_comes_back_soon_from_an_outage_however_long_it_is(
    services: Services, tenant: Tenant, hand: Hand, clock: MovingClock
) -> None:
    job = await leave(tenant)
    runner = Runner(services, by_kind([Handler("act", hand, attempts_max=99, retry_max_s=0.001)]))
    async with tenant.transaction() as session:
        await session.execute(update(TenantOutbox).where(TenantOutbox.id == job).values(attempts=40))

    hand.end(OSError("an outage"))
    await runner.run_outbox({}, str(tenant.id), str(job), tenant.ref.epoch)

    row = await row_of(tenant, job)
    assert (row.state, row.attempts) == ("pending", 41)
    assert row.next_attempt_at <= clock()


async def test_a_job_that_kills_every_worker_becomes_a_dead_letter(
    services: Services, tenant: Tenant, hand: Hand, clock: MovingClock
) -> None:
    job = await leave(tenant)
    runner = Runner(services, by_kind([Handler("act", hand, attempts_max=2)]))
    for _ in range(2):
        died = asyncio.create_task(runner.run_outbox({}, str(tenant.id), str(job), tenant.ref.epoch))
        await hand.next_run()
        died.cancel()
        await asyncio.wait([died])
        clock.skip(21)

    await runner.run_outbox({}, str(tenant.id), str(job), tenant.ref.epoch)

    assert hand.runs.empty()
    assert (await row_of(tenant, job)).state == "dead"
