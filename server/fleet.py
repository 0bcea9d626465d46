"""Upgrading every tenant's database: waves that grow, in parallel processes, stopped when they fail."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol
from uuid import UUID

import asyncpg
from sqlalchemy import make_url, select

from core.errors import DomainError
from owner_db.tenants import migrating
from owner_db.tenants.models import DatabaseServer
from owner_db.tenants.servers import Servers
from owner_db.tenants.templates import ensure_template
from owner_db.tenants.waves import must_stop
from server.fleet_crew import Crew, Event, crew
from server.fleet_worker import Assignment
from tenancy.revisions import Which, head
from tenancy.sessions import OwnerDatabase

PROCESSES: Final = 3
"""Each may hold two connections to a tenant's server and one to the owner database."""
_RUNNER: Final = 0x48A21A03
"""Session advisory lock in the owner database: one fleet, one runner."""


class AnotherRunner(DomainError):
    """Somebody else is upgrading the fleet at this moment."""

    code = "ANOTHER_RUNNER"

    def __init__(self) -> None:
        super().__init__("The tenants are being upgraded by another process. Watch: hazina migrate status")


class Show(Protocol):
    """Shows a person how an upgrade goes."""

    def began(self, progress: migrating.Progress, target: str) -> None: ...

    def stepped(self, progress: migrating.Progress, code: str, error: str | None) -> None: ...


@dataclass(frozen=True, slots=True)
class Fleet:
    """What an upgrade needs to reach."""

    owner: OwnerDatabase
    owner_url: str
    """As role hazina_owner, with its password."""
    servers: Servers
    stale: Callable[[UUID], Awaitable[None]]
    """Tells every process that a tenant's prepared statements may no longer fit."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an upgrade ended."""

    target: str
    tenants: int
    """All that have a database."""
    upgraded: int
    failed: Sequence[tuple[str, str]]
    """Codes, each with why."""
    outdated: int
    """Not at the target when it ended."""

    @property
    def is_complete(self) -> bool:
        return self.outdated == 0


async def migrate_tenants(fleet: Fleet, show: Show, *, processes: int = PROCESSES) -> Outcome:
    """Bring every tenant to this code's newest revision; broken off, it goes on where it was.

    Tenants that the registry knows to be there already are not even connected to.

    Raises:
        AnotherRunner: one is at it already.
        ServerUnreachable: a database server did not answer before the first tenant was begun.
    """
    target = head(Which.TENANT)
    async with fleet.owner.reading() as session:
        outdated, tenants = await migrating.outdated_count(session, target)
    if outdated == 0:
        return Outcome(target, tenants, 0, (), 0)
    async with _only_runner(fleet.owner_url):
        await _ensure_templates(fleet, target)
        async with fleet.owner.transaction() as session:
            run_id = await migrating.open_run(session, target)
        upgraded = await _run(fleet, show, run_id, target, min(processes, outdated))
    return await _outcome(fleet, run_id, target, upgraded)


async def _run(fleet: Fleet, show: Show, run_id: UUID, target: str, processes: int) -> int:
    assignment = Assignment(fleet.owner_url, fleet.servers.passwords, str(run_id), target)
    async with fleet.owner.reading() as session:
        before = await migrating.progress(session, run_id)
        waves = await migrating.open_waves(session, run_id)
    show.began(before, target)
    tally = _Tally(fleet, show, run_id, before)
    async with crew(processes, assignment) as led:
        for wave in waves:
            if not await _wave(tally, led, wave):
                await _close(fleet, run_id, "stopped")
                return tally.upgraded
    await _close(fleet, run_id, "stopped" if tally.failed else "done")
    return tally.upgraded


async def _wave(tally: "_Tally", led: Crew, wave: int) -> bool:
    """Upgrade one wave; False where the run must stop."""
    goes_on = True
    async for event in led.wave(wave):
        await tally.count(event)
        if goes_on and must_stop(wave, tally.upgraded + tally.failed, tally.failed):
            goes_on = False
            # Nobody can claim from here on; what is under way is waited for.
            await _close(tally.fleet, tally.run_id, "stopped")
    return goes_on and not led.is_lost


class _Tally:
    """Counts how tenants ended, shows it, and tells other processes of each that changed."""

    def __init__(self, fleet: Fleet, show: Show, run_id: UUID, before: migrating.Progress) -> None:
        self.fleet = fleet
        self._before = before
        self.run_id = run_id
        self.upgraded = 0
        self.failed = 0
        self._show = show

    async def count(self, event: Event) -> None:
        error: str | None = None
        if event["event"] == "done":
            self.upgraded += 1
            await self.fleet.stale(UUID(event["tenant"]))
        else:
            self.failed += 1
            error = event.get("error", "its process ended; the next run takes it up again")
        progress = replace(self._before, done=self._before.done + self.upgraded, failed=self.failed)
        self._show.stepped(progress, str(event.get("code", "a tenant")), error)


async def _close(fleet: Fleet, run_id: UUID, state: str) -> None:
    async with fleet.owner.transaction() as session:
        await migrating.close_run(session, run_id, state)


async def _outcome(fleet: Fleet, run_id: UUID, target: str, upgraded: int) -> Outcome:
    async with fleet.owner.reading() as session:
        outdated, tenants = await migrating.outdated_count(session, target)
        failed = await migrating.failures(session, run_id, limit=migrating.FAILURES_SHOWN_MAX)
    return Outcome(target, tenants, upgraded, failed, outdated)


async def _ensure_templates(fleet: Fleet, target: str) -> None:
    """Every server gets the template of the target: what its tenants are compared with."""
    async with fleet.owner.reading() as session:
        urls = (await session.scalars(select(DatabaseServer.migrator_url))).all()
    for url in urls:
        async with fleet.servers.connect(url) as admin:
            await ensure_template(admin, fleet.servers, url, target)


@asynccontextmanager
async def _only_runner(owner_url: str) -> AsyncIterator[None]:
    """Hold the runner's lock on a connection of its own: it ends with the process, however that ends."""
    url = make_url(owner_url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection: Any = await asyncpg.connect(url, server_settings={"application_name": "hazina-migrate"})
    try:
        if not await connection.fetchval(f"SELECT pg_try_advisory_lock({_RUNNER})"):
            raise AnotherRunner
        yield
    finally:
        await connection.close()
