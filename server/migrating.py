"""The commands that upgrade the fleet and say where it stands."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from rich.console import Console
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import create_async_engine

from owner_db.tenants import migrating
from owner_db.tenants.machine import HAS_DATABASE
from owner_db.tenants.models import MigrationRun, Tenant
from server.settings import Settings, required
from tenancy.revisions import Which, head
from tenancy.sessions import NobodyListens, OwnerDatabase

FAILED: Final = 1


async def upgrade_fleet(settings: Settings, processes: int) -> int:
    """Upgrade every tenant, showing how it goes; the exit status is 0 only if none is left behind.

    Raises:
        AnotherRunner: one is at it already.
        ServerUnreachable: a database server did not answer.
    """
    console = Console(highlight=False)
    target = head(Which.TENANT)
    tenants = await all_at(settings, target)
    if tenants is not None:
        console.print(f"{tenants} tenants are at {target}; nothing to do")
        return 0
    return await _upgrade(settings, console, processes)


async def _upgrade(settings: Settings, console: Console, processes: int) -> int:
    # Only here: what an upgrade needs takes longer to import than seeing that there is nothing to do.
    from server.compose import process  # noqa: PLC0415 - see above
    from server.fleet import Fleet, migrate_tenants  # noqa: PLC0415 - see above
    from server.fleet_show import shown  # noqa: PLC0415 - see above

    async with process(settings, connections=1, name="hazina-migrate") as here:
        owner_url = str(settings.database_url)
        fleet = Fleet(here.services.owner, owner_url, here.servers, here.services.tenant_changed)
        with shown(console) as show:
            outcome = await migrate_tenants(fleet, show, processes=processes)
    console.print(
        f"{outcome.tenants} tenants, {outcome.upgraded} upgraded, {len(outcome.failed)} failed,"
        f" {outcome.outdated} not at {outcome.target}"
    )
    return 0 if outcome.is_complete else FAILED


async def all_at(settings: Settings, target: str) -> int | None:
    """How many tenants there are, if the registry knows all of them to be at `target`."""
    async with _owner(settings) as owner, owner.reading() as session:
        outdated, tenants = await migrating.outdated_count(session, target)
    return None if outdated else tenants


@asynccontextmanager
async def _owner(settings: Settings) -> AsyncIterator[OwnerDatabase]:
    """The owner database alone. Raises SettingMissing."""
    engine = create_async_engine(required(settings.database_url, "HAZINA_DATABASE_URL"), pool_size=1)
    try:
        yield OwnerDatabase(engine, NobodyListens())
    finally:
        await engine.dispose()


async def fleet_status(settings: Settings) -> int:
    """Print revisions and the last run; the exit status is 0 only if no tenant is left behind."""
    target = head(Which.TENANT)
    console = Console(highlight=False)
    async with _owner(settings) as owner, owner.reading() as session:
        outdated, tenants = await migrating.outdated_count(session, target)
        found = await session.execute(
            select(Tenant.revision, func.count())
            .where(Tenant.status.in_(HAS_DATABASE))
            .group_by(Tenant.revision)
            .order_by(Tenant.revision)
        )
        counts = found.all()
        run = await session.scalar(select(MigrationRun).order_by(MigrationRun.created_at.desc()).limit(1))
        progress = await migrating.progress(session, run.id) if run is not None else None
        failed = (
            await migrating.failures(session, run.id, limit=migrating.FAILURES_SHOWN_MAX)
            if run is not None
            else []
        )
    console.print(f"newest revision {target}: {tenants - outdated} of {tenants} tenants are there")
    for revision, count in counts:
        console.print(f"  {revision}  {count}")
    if run is not None and progress is not None:
        console.print(
            f"last upgrade, to {run.target}: {run.state},"
            f" {progress.done} of {progress.total} done, {progress.failed} failed"
        )
    for code, error in failed:
        console.print(f"  {code}: {error}", markup=False, soft_wrap=True)
    return 0 if outdated == 0 else FAILED
