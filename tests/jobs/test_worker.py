"""A worker runs what the outboxes hold: once at a time, soon, and to an end that is written down."""

import asyncio

import pytest

from core.tenant import TenantStatus
from jobs.run import Runner
from jobs.work import Dead, Done, Handler, Later, backoff, by_kind
from tenancy.context import Services
from tenancy.sessions import OwnerDatabase, Tenant
from tests.databases import PostgresServer
from tests.jobs.conftest import Hand, Registry, Working, leave, row_of


async def test_an_announced_job_runs_with_its_tenant_and_ids(
    working: Working, tenant: Tenant, hand: Hand
) -> None:
    async with working(act=hand):
        job = await leave(tenant, payment_id="p1")
        work = await hand.next_run()
        hand.end(Done())

    assert work.tenant.id == tenant.id
    assert (work.id, work.payload, work.attempt) == (job, {"payment_id": "p1"}, 1)
    row = await row_of(tenant, job)
    assert (row.state, row.leased_until, row.last_error) == ("done", None, None)


async def test_a_job_of_the_platform_runs_without_a_tenant(
    working: Working, owner: OwnerDatabase, hand: Hand
) -> None:
    async with working(act=hand):
        job = await leave(owner, queue="platform")
        work = await hand.next_run()
        hand.end(Done())

    with pytest.raises(ValueError, match="no tenant"):
        _ = work.tenant
    assert (await row_of(owner, job)).state == "done"


async def test_a_job_that_asks_for_later_runs_again_as_the_next_attempt(
    working: Working, tenant: Tenant, hand: Hand
) -> None:
    async with working(act=hand):
        job = await leave(tenant)
        hand.end(Later(0.01, "not yet"), Done())
        attempts = [(await hand.next_run()).attempt, (await hand.next_run()).attempt]

    assert attempts == [1, 2]
    assert (await row_of(tenant, job)).state == "done"


async def test_a_job_that_is_never_ready_becomes_a_dead_letter(
    working: Working, tenant: Tenant, hand: Hand
) -> None:
    async with working(attempts_max=2, act=hand):
        job = await leave(tenant)
        hand.end(Later(0, "M-Pesa is down"), Later(0, "M-Pesa is still down"))
        await hand.next_run()
        await hand.next_run()

    row = await row_of(tenant, job)
    assert (row.state, row.attempts, row.last_error) == ("dead", 2, "M-Pesa is still down")


async def test_a_job_that_is_refused_for_good_is_not_tried_again(
    working: Working, tenant: Tenant, hand: Hand
) -> None:
    async with working(act=hand):
        job = await leave(tenant)
        hand.end(Dead("the channel is gone"))
        await hand.next_run()

    row = await row_of(tenant, job)
    assert (row.state, row.attempts, row.last_error) == ("dead", 1, "the channel is gone")


async def test_a_bug_in_a_job_is_logged_by_reference_and_tried_again_later(
    working: Working, tenant: Tenant, hand: Hand
) -> None:
    async with working(act=hand):
        job = await leave(tenant)
        hand.end(ZeroDivisionError("secret detail"))
        await hand.next_run()

    row = await row_of(tenant, job)
    assert row.state == "pending"
    assert row.last_error is not None
    assert row.last_error.startswith("ZeroDivisionError, logged as job_")
    assert "secret" not in row.last_error


async def test_a_job_that_takes_too_long_is_cut_off_and_tried_again(
    services: Services, tenant: Tenant, hand: Hand
) -> None:
    job = await leave(tenant)
    runner = Runner(services, by_kind([Handler("act", hand, timeout_s=0.01)]))

    await runner.run_outbox({}, str(tenant.id), str(job), tenant.ref.epoch)

    row = await row_of(tenant, job)
    assert row.state == "pending"
    assert row.last_error is not None
    assert row.last_error.startswith("TimeoutError")


async def test_a_kind_that_this_version_does_not_know_waits_for_one_that_does(
    services: Services, tenant: Tenant
) -> None:
    job = await leave(tenant, "of_tomorrow")

    await Runner(services, {}).run_outbox({}, str(tenant.id), str(job), tenant.ref.epoch)

    row = await row_of(tenant, job)
    assert (row.state, row.last_error) == ("pending", "this worker knows no job of_tomorrow")


async def test_a_job_of_an_earlier_epoch_touches_nothing(
    services: Services, tenant: Tenant, registry: Registry, hand: Hand
) -> None:
    job = await leave(tenant)
    registry.advance_epoch(tenant.id)

    await Runner(services, by_kind([Handler("act", hand)])).run_outbox(
        {}, str(tenant.id), str(job), tenant.ref.epoch
    )

    row = await row_of(tenant, job)
    assert (row.state, row.attempts) == ("pending", 0)


async def test_a_result_that_can_not_be_written_down_leaves_the_row_to_its_lease(
    services: Services, tenant: Tenant, postgres: PostgresServer, hand: Hand
) -> None:
    job = await leave(tenant)
    runner = Runner(services, by_kind([Handler("act", hand)]))
    running = asyncio.create_task(runner.run_outbox({}, str(tenant.id), str(job), tenant.ref.epoch))
    await hand.next_run()

    superuser = await postgres.connect_as_superuser(tenant.ref.database)
    await superuser.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await superuser.execute("REVOKE UPDATE ON outbox FROM hazina_tenant")
    await superuser.close()
    hand.end(Done())
    await running

    row = await row_of(tenant, job)
    assert (row.state, row.attempts) == ("running", 1)


async def test_a_job_runs_under_the_new_epoch_once_the_relay_issues_it_again(
    working: Working, tenant: Tenant, registry: Registry, hand: Hand
) -> None:
    async with working(act=hand):
        registry.advance_epoch(tenant.id)
        job = await leave(tenant)
        work = await hand.next_run()
        hand.end(Done())

    assert work.tenant.ref.epoch == tenant.ref.epoch + 1
    assert (await row_of(tenant, job)).state == "done"


async def test_the_jobs_of_a_suspended_tenant_still_run(
    working: Working, tenant: Tenant, registry: Registry, hand: Hand
) -> None:
    registry.set_status(tenant.id, TenantStatus.SUSPENDED)

    async with working(act=hand):
        job = await leave(tenant)
        await hand.next_run()
        hand.end(Done())

    assert (await row_of(tenant, job)).state == "done"


async def test_a_stopping_worker_lets_its_job_end(working: Working, tenant: Tenant, hand: Hand) -> None:
    async with working(act=hand) as stop:
        job = await leave(tenant)
        await hand.next_run()
        stop.set()
        hand.end(Done())

    assert (await row_of(tenant, job)).state == "done"


async def test_a_job_cut_off_by_the_end_of_its_worker_keeps_its_lease(
    working: Working, tenant: Tenant, hand: Hand
) -> None:
    async with working(completion_wait_s=0.01, act=hand):
        job = await leave(tenant)
        await hand.next_run()

    row = await row_of(tenant, job)
    assert (row.state, row.attempts) == ("running", 1)
    assert row.leased_until is not None


def test_backoff_grows_up_to_its_cap_and_never_exceeds_it() -> None:
    for attempt in range(1, 50):
        assert 0 <= backoff(attempt, first_s=1, max_s=30) <= min(30, 2 ** (attempt - 1))


def test_two_handlers_of_one_kind_are_refused(hand: Hand) -> None:
    with pytest.raises(ValueError, match="two handlers for act"):
        by_kind([Handler("act", hand), Handler("act", hand)])
    with pytest.raises(ValueError, match="must end within"):
        Handler("act", hand, timeout_s=61)
