"""The fleet is upgraded in waves by several processes, and an upgrade that was broken off goes on."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import select

from owner_db.tenants import migrating
from owner_db.tenants.models import MigrationItem, MigrationRun, Tenant
from server import fleet as fleet_module
from server.embedded_roles import OWNER_ROLE
from server.fleet import AnotherRunner, Fleet, migrate_tenants
from tenancy.revisions import Which, head, revisions
from tests.factories.registry import Registry

ROOT = Path(__file__).resolve().parent.parent.parent
RUNNER = Path(__file__).with_name("runner.py")
WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = $1"
    " AND application_name = 'hazina-migrate' AND wait_event_type = 'Lock'"
)
OLDEST = revisions(Which.TENANT)[0]
OLD = revisions(Which.TENANT)[-2]
NEW = head(Which.TENANT)


@dataclass
class Told:
    """Keeps what a person would be shown."""

    progress: list[migrating.Progress] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)

    def began(self, progress: migrating.Progress, target: str) -> None:
        self.progress.append(progress)

    def stepped(self, progress: migrating.Progress, code: str, error: str | None) -> None:
        self.progress.append(progress)
        if error is not None:
            self.errors[code] = error


def fleet_of(registry: Registry) -> Fleet:
    url = registry.postgres.url(OWNER_ROLE, registry.owner.engine.url.database or "")
    return Fleet(registry.owner, url, registry.servers, registry.invalidate)


async def tenants_at(registry: Registry, revision: str, count: int) -> list[Tenant]:
    return [await registry.active(revision) for _ in range(count)]


async def run_sql(registry: Registry, tenant: Tenant, statement: str) -> None:
    async with registry.servers.connect(registry.migrator_url, tenant.database) as connection:
        await connection.execute(statement)


async def revisions_of(registry: Registry) -> list[str | None]:
    async with registry.owner.reading() as session:
        return list(await session.scalars(select(Tenant.revision).order_by(Tenant.created_at)))


async def test_every_tenant_is_brought_to_the_newest_revision_and_told_stale(registry: Registry) -> None:
    tenants = await tenants_at(registry, OLD, 4)
    registry.invalidated.clear()

    outcome = await migrate_tenants(fleet_of(registry), Told())

    assert outcome.is_complete
    assert outcome.upgraded == 4
    assert await revisions_of(registry) == [NEW] * 4
    assert set(registry.invalidated) == {tenant.id for tenant in tenants}


async def test_with_nothing_to_do_no_process_is_started_and_no_tenant_reached(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    await tenants_at(registry, NEW, 2)
    monkeypatch.setattr(fleet_module, "crew", None)

    outcome = await migrate_tenants(fleet_of(registry), Told())

    assert (outcome.tenants, outcome.upgraded, outcome.is_complete) == (2, 0, True)


async def test_a_failing_canary_stops_the_run_before_anybody_else_is_touched(registry: Registry) -> None:
    first, *_ = await tenants_at(registry, OLD, 3)
    await run_sql(registry, first, "DROP TABLE outbox")
    told = Told()

    outcome = await migrate_tenants(fleet_of(registry), told)

    assert not outcome.is_complete
    assert list(told.errors) == [first.code]
    assert "outbox" in told.errors[first.code]
    assert await revisions_of(registry) == [OLD] * 3


async def test_a_half_failing_fleet_stops(registry: Registry) -> None:
    tenants = await tenants_at(registry, OLD, 8)
    for tenant in tenants[1::2]:
        await run_sql(registry, tenant, "DROP TABLE outbox")

    outcome = await migrate_tenants(fleet_of(registry), Told(), processes=1)

    assert len(outcome.failed) == 2
    assert outcome.outdated > 4
    async with registry.owner.reading() as session:
        assert await session.scalar(select(MigrationRun.state)) == "stopped"


async def test_a_stopped_run_goes_on_once_the_cause_is_mended(registry: Registry) -> None:
    first, *_ = await tenants_at(registry, OLD, 3)
    await run_sql(registry, first, "ALTER TABLE outbox RENAME TO hidden")
    await migrate_tenants(fleet_of(registry), Told())
    await run_sql(registry, first, "ALTER TABLE hidden RENAME TO outbox")

    outcome = await migrate_tenants(fleet_of(registry), Told())

    assert outcome.is_complete
    async with registry.owner.reading() as session:
        runs = (await session.scalars(select(MigrationRun.state))).all()
        attempts = (await session.scalars(select(MigrationItem.attempts))).all()
    assert runs == ["done"]
    assert sorted(attempts) == [1, 1, 2]


async def test_a_tenant_stamped_at_the_newest_revision_without_its_tables_is_detected(
    registry: Registry,
) -> None:
    (tenant,) = await tenants_at(registry, OLDEST, 1)
    await run_sql(registry, tenant, f"UPDATE alembic_version SET version_num = '{NEW}'")  # noqa: S608 - a constant
    told = Told()

    outcome = await migrate_tenants(fleet_of(registry), told)

    assert not outcome.is_complete
    assert "missing " in told.errors[tenant.code]
    assert await revisions_of(registry) == [OLDEST]


async def test_two_runners_never_work_at_once(registry: Registry) -> None:
    await tenants_at(registry, OLD, 2)
    fleet = fleet_of(registry)
    async with fleet_module._only_runner(fleet.owner_url):  # noqa: SLF001 - stands for the first runner
        with pytest.raises(AnotherRunner):
            await migrate_tenants(fleet, Told())

    assert (await migrate_tenants(fleet, Told())).is_complete


async def test_a_run_goes_on_after_its_runner_was_killed(registry: Registry) -> None:
    first, *_ = await tenants_at(registry, OLD, 3)
    fleet = fleet_of(registry)
    urls = (fleet.owner_url, registry.migrator_url, registry.postgres.tenant_url())
    async with holding_up(registry, first) as waited_for:
        runner = await asyncio.create_subprocess_exec(
            sys.executable, str(RUNNER), *urls, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
        await waited_for()
        runner.kill()
        await runner.wait()

    outcome = await migrate_tenants(fleet, Told())

    assert outcome.is_complete
    assert await revisions_of(registry) == [NEW] * 3
    async with registry.owner.reading() as session:
        assert (await session.scalars(select(MigrationRun.state))).all() == ["done"]


async def test_a_process_that_is_killed_loses_only_the_tenant_it_was_at(registry: Registry) -> None:
    first, *_ = await tenants_at(registry, OLD, 2)
    told = Told()
    async with holding_up(registry, first) as waited_for:
        running = asyncio.ensure_future(migrate_tenants(fleet_of(registry), told, processes=1))
        await waited_for()
        for pid in worker_processes():
            os.kill(pid, signal.SIGKILL)
        outcome = await running

    assert not outcome.is_complete
    assert "its process ended" in next(iter(told.errors.values()))
    assert (await migrate_tenants(fleet_of(registry), Told())).is_complete


@asynccontextmanager
async def holding_up(registry: Registry, tenant: Tenant) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Keep a table locked; gives what waits until an upgrade stands at the lock."""
    async with (
        registry.servers.connect(registry.migrator_url, tenant.database) as holder,
        registry.servers.connect(registry.migrator_url) as observer,
    ):
        await holder.execute("BEGIN; LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE")

        async def waited_for() -> None:
            async with asyncio.timeout(20):
                while not await observer.fetchval(WAITING, tenant.database):  # noqa: ASYNC110 - PostgreSQL can't set our event
                    await asyncio.sleep(0.01)

        yield waited_for


def worker_processes() -> list[int]:
    """Our own children that upgrade tenants."""
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    return [int(pid) for pid in children if b"fleet_worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]
