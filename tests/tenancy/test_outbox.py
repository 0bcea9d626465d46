"""An outbox row is run by one worker at a time, and no end of a run is lost."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from core.clock import utc_now
from core.errors import NotFound
from tenancy.columns import OutboxColumns
from tenancy.dead_letters import dead_letters, requeue
from tenancy.outbox import (
    Begun,
    Claimed,
    all_due,
    announce,
    begin,
    bury,
    claim_due,
    finish,
    postpone,
)
from tenancy.sessions import OwnerDatabase, Tenant
from tenancy.shapes import model_of
from tests.conftest import RecordedSignals
from tests.racing import race

LEASE_S = 30.0


async def leave(database: Tenant | OwnerDatabase, queue: str = "payments", after_s: float = 0) -> UUID:
    async with database.transaction() as session:
        return announce(session, "act", queue=queue, after_s=after_s, payment_id="p1")


async def claimed(database: Tenant | OwnerDatabase, now: datetime, in_flight_max: int = 100) -> list[Claimed]:
    async with database.transaction() as session:
        claims = await claim_due(session, "payments", now, lease_s=LEASE_S, in_flight_max=in_flight_max)
        return list(claims.rows)


async def begun(database: Tenant | OwnerDatabase, id: UUID, now: datetime) -> Begun | None:
    async with database.transaction() as session:
        return await begin(session, id, now, lease_s=LEASE_S)


async def begun_now(tenant: Tenant, id: UUID) -> Begun:
    run = await begun(tenant, id, utc_now())
    assert run is not None
    return run


async def row_of(database: Tenant | OwnerDatabase, id: UUID) -> OutboxColumns:
    async with database.reading() as session:
        return await session.get_one(model_of(session, OutboxColumns), id)


async def test_a_job_exists_only_if_its_transaction_commits(tenant: Tenant, signals: RecordedSignals) -> None:
    with pytest.raises(ZeroDivisionError):
        async with tenant.transaction() as session:
            announce(session, "act", queue="payments")
            raise ZeroDivisionError

    assert signals.after == []
    assert await claimed(tenant, utc_now()) == []


async def test_a_commit_tells_the_earliest_due_time_of_each_queue(
    tenant: Tenant, signals: RecordedSignals
) -> None:
    async with tenant.transaction() as session:
        announce(session, "act", queue="payments", after_s=60)
        announce(session, "act", queue="payments")
        announce(session, "act", queue="inbox", after_s=60)

    (after,) = signals.after
    now = utc_now().timestamp()
    assert after.due["payments"] == pytest.approx(now, abs=5)
    assert after.due["inbox"] == pytest.approx(now + 60, abs=5)


async def test_both_databases_have_the_same_outbox(owner: OwnerDatabase, tenant: Tenant) -> None:
    theirs, ours = await leave(tenant), await leave(owner)

    assert [row.id for row in await claimed(tenant, utc_now())] == [theirs]
    assert [row.id for row in await claimed(owner, utc_now())] == [ours]


async def test_a_rival_relay_passes_over_rows_that_are_being_claimed(tenant: Tenant) -> None:
    jobs = [await leave(tenant) for _ in range(4)]
    now = utc_now()

    async with tenant.transaction() as session:
        first, _ = await claim_due(session, "payments", now, lease_s=LEASE_S, in_flight_max=2)
        second = await claimed(tenant, now)

    assert [row.id for row in first] == jobs[:2], "the oldest come first"
    assert [row.id for row in second] == jobs[2:]


async def test_a_claimed_row_comes_back_when_its_lease_ends(tenant: Tenant) -> None:
    job = await leave(tenant)
    now = utc_now()

    assert [row.id for row in await claimed(tenant, now)] == [job]
    assert await claimed(tenant, now + timedelta(seconds=LEASE_S - 1)) == []
    assert [row.id for row in await claimed(tenant, now + timedelta(seconds=LEASE_S))] == [job]


async def test_a_row_whose_worker_died_is_claimed_and_begins_again(tenant: Tenant) -> None:
    job = await leave(tenant)
    assert await begun_now(tenant, job)
    later = utc_now() + timedelta(seconds=LEASE_S + 1)

    assert [(row.id, row.attempts) for row in await claimed(tenant, later)] == [(job, 1)]
    again = await begun(tenant, job, later)

    assert again is not None
    assert again.attempt == 2


async def test_no_more_rows_are_claimed_than_may_be_in_flight(tenant: Tenant) -> None:
    for _ in range(4):
        await leave(tenant)
    now = utc_now()

    (first,) = await claimed(tenant, now, in_flight_max=1)
    assert await claimed(tenant, now, in_flight_max=1) == []

    run = await begun_now(tenant, first.id)
    async with tenant.transaction() as session:
        await finish(session, run, now)
    assert len(await claimed(tenant, now, in_flight_max=3)) == 3


async def test_other_queues_are_left_alone(tenant: Tenant) -> None:
    await leave(tenant, queue="inbox")

    assert await claimed(tenant, utc_now()) == []


async def test_ten_workers_begin_a_row_once(tenant: Tenant) -> None:
    job = await leave(tenant)
    now = utc_now()

    runs = await race(
        tenant, text("SELECT 1 FROM outbox FOR UPDATE"), [lambda: begun(tenant, job, now) for _ in range(10)]
    )

    winners = [run for run in runs if run is not None]
    assert len(winners) == 1
    assert isinstance(winners[0], Begun)
    assert winners[0].attempt == 1


async def test_a_row_does_not_begin_before_its_time(tenant: Tenant) -> None:
    job = await leave(tenant, after_s=60)

    assert await begun(tenant, job, utc_now()) is None
    assert await begun(tenant, job, utc_now() + timedelta(seconds=60)) is not None


async def test_a_run_that_was_taken_over_records_nothing(tenant: Tenant) -> None:
    job = await leave(tenant)
    slow = await begun_now(tenant, job)
    fast = await begun(tenant, job, utc_now() + timedelta(seconds=LEASE_S + 1))
    assert fast is not None

    async with tenant.transaction() as session:
        await bury(session, slow, utc_now(), why="too late")
    assert (await row_of(tenant, job)).state == "running"

    async with tenant.transaction() as session:
        await finish(session, fast, utc_now())
        await postpone(session, slow, utc_now(), due=utc_now(), why="too late again")
    assert (await row_of(tenant, job)).state == "done"


async def test_a_postponed_row_says_why_and_wakes_the_relay_in_time(
    tenant: Tenant, signals: RecordedSignals
) -> None:
    run = await begun_now(tenant, await leave(tenant))
    due = utc_now() + timedelta(seconds=90)

    async with tenant.transaction() as session:
        await postpone(session, run, utc_now(), due=due, why="x" * 9_000)

    row = await row_of(tenant, run.id)
    assert (row.state, row.next_attempt_at, row.leased_until) == ("pending", due, None)
    assert row.last_error == "x" * 500
    assert signals.after[-1].due == {"payments": due.timestamp()}


async def test_the_end_of_a_run_wakes_the_relay_if_more_is_waiting(
    tenant: Tenant, signals: RecordedSignals
) -> None:
    run = await begun_now(tenant, await leave(tenant))
    other = await begun_now(tenant, await leave(tenant))
    await leave(tenant, after_s=60)

    async with tenant.transaction() as session:
        await finish(session, run, utc_now())
    assert signals.after[-1].due == {}, "nothing waited"

    await leave(tenant)
    async with tenant.transaction() as session:
        await finish(session, other, utc_now())
    assert set(signals.after[-1].due) == {"payments"}


async def test_the_next_due_time_is_a_rows_or_the_end_of_a_lease(tenant: Tenant) -> None:
    await leave(tenant, queue="inbox", after_s=90)
    await leave(tenant)
    now = utc_now()
    ends = now + timedelta(seconds=LEASE_S)

    async with tenant.transaction() as session:
        for _ in range(2):
            claims = await claim_due(session, "payments", now, lease_s=LEASE_S, in_flight_max=9)
            assert claims.next_due == ends
        assert (await claim_due(session, "platform", now, lease_s=LEASE_S, in_flight_max=9)).next_due is None
    async with tenant.reading() as session:
        due = await all_due(session)
    assert due["payments"] == ends
    assert due["inbox"] > ends
    assert len(due) == 2


async def test_a_dead_letter_is_listed_and_runs_again_once_requeued(
    tenant: Tenant, signals: RecordedSignals
) -> None:
    runs = [await begun_now(tenant, await leave(tenant)) for _ in range(3)]
    async with tenant.transaction() as session:
        for run in runs:
            await bury(session, run, utc_now(), why="refused for good")

    async with tenant.reading() as session:
        page = await dead_letters(session, first=2)
        rest = await dead_letters(session, first=2, before=page[-1].id)
    assert [letter.id for letter in (*page, *rest)] == [run.id for run in reversed(runs)]
    assert (page[0].last_error, page[0].attempts, page[0].payload) == (
        "refused for good",
        1,
        {"payment_id": "p1"},
    )

    async with tenant.transaction() as session:
        await requeue(session, runs[0].id, utc_now())
    assert set(signals.after[-1].due) == {"payments"}
    assert (await begun_now(tenant, runs[0].id)).attempt == 1


async def test_only_a_dead_letter_can_be_requeued(tenant: Tenant) -> None:
    job = await leave(tenant)

    with pytest.raises(NotFound):
        async with tenant.transaction() as session:
            await requeue(session, job, utc_now())


async def test_two_people_who_requeue_one_dead_letter_requeue_it_once(tenant: Tenant) -> None:
    run = await begun_now(tenant, await leave(tenant))
    async with tenant.transaction() as session:
        await bury(session, run, utc_now(), why="refused")

    async def once() -> None:
        async with tenant.transaction() as session:
            await requeue(session, run.id, utc_now())

    ended = await asyncio.gather(once(), once(), return_exceptions=True)
    assert sorted(type(end).__name__ for end in ended) == ["NoneType", "NotFound"]
