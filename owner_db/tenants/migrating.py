"""The rows of a fleet's upgrade: who is next, who is done, and whether it goes on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import func, insert, select, update

from core.clock import utc_now
from core.ids import new_id
from owner_db.tenants.machine import HAS_DATABASE
from owner_db.tenants.models import DatabaseServer, MigrationItem, MigrationRun, Tenant
from owner_db.tenants.waves import wave_sizes
from tenancy.sessions import OwnerSession

ERROR_CHARACTERS_MAX: Final = 2_000
FAILURES_SHOWN_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class Claimed:
    """One tenant that this process upgrades now."""

    item_id: UUID
    tenant_id: UUID
    code: str
    database: str
    server_url: str
    """The registry's URL of its server for the migrator."""
    attempts: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is."""

    total: int
    done: int
    failed: int


async def outdated_count(session: OwnerSession, target: str) -> tuple[int, int]:
    """How many tenants are not at `target` by the registry's word, and how many there are in all."""
    row = (
        await session.execute(
            select(func.count().filter(Tenant.revision.is_distinct_from(target)), func.count()).where(
                Tenant.status.in_(HAS_DATABASE)
            )
        )
    ).one()
    return row[0], row[1]


async def open_run(session: OwnerSession, target: str) -> UUID:
    """Begin the upgrade to `target`, or take up the one that was broken off.

    What was running or failed is tried again, and tenants that are new to it join in waves of their own.
    The caller holds the runner's lock, so nobody else is at it.
    """
    run = await session.scalar(
        select(MigrationRun)
        .where(MigrationRun.target == target, MigrationRun.state.in_(("running", "stopped")))
        .order_by(MigrationRun.created_at.desc())
        .limit(1)
        .with_for_update()
    )
    if run is None:
        run = MigrationRun(id=new_id(), target=target, state="running")
        session.add(run)
        await session.flush()
    run.state = "running"
    run.finished_at = None
    await session.execute(
        update(MigrationItem)
        .where(MigrationItem.run_id == run.id, MigrationItem.state.in_(("running", "failed")))
        .values(state="pending")
        .execution_options(synchronize_session=False)
    )
    await _add_items(session, run.id, target)
    return run.id


async def claim(session: OwnerSession, run_id: UUID, wave: int) -> Claimed | None:
    """Take the next tenant of the waves up to `wave`; None where there is none, or the run was stopped."""
    item = await session.scalar(
        select(MigrationItem)
        .join(MigrationRun, MigrationRun.id == MigrationItem.run_id)
        .where(
            MigrationItem.run_id == run_id,
            MigrationItem.state == "pending",
            MigrationItem.wave <= wave,
            MigrationRun.state == "running",
        )
        .order_by(MigrationItem.wave, MigrationItem.id)
        .limit(1)
        .with_for_update(of=MigrationItem, skip_locked=True)
    )
    if item is None:
        return None
    item.state = "running"
    item.attempts += 1
    tenant, server_url = (
        await session.execute(
            select(Tenant, DatabaseServer.migrator_url)
            .join(DatabaseServer, DatabaseServer.id == Tenant.server_id)
            .where(Tenant.id == item.tenant_id)
        )
    ).one()
    return Claimed(item.id, tenant.id, tenant.code, tenant.database, server_url, item.attempts)


async def finish(
    session: OwnerSession, claimed: Claimed, *, revision: str, catalogue_hash: bytes, duration_ms: int
) -> None:
    """Record that a tenant is at `revision`, and that its live catalogue proved it."""
    await session.execute(
        update(Tenant)
        .where(Tenant.id == claimed.tenant_id)
        .values(revision=revision, catalogue_hash=catalogue_hash)
        .execution_options(synchronize_session=False)
    )
    await _end(session, claimed, state="done", error=None, duration_ms=duration_ms)


async def fail(session: OwnerSession, claimed: Claimed, *, error: str, duration_ms: int) -> None:
    """Record why a tenant could not be upgraded; the next run tries it again."""
    await _end(session, claimed, state="failed", error=error[:ERROR_CHARACTERS_MAX], duration_ms=duration_ms)


async def close_run(session: OwnerSession, run_id: UUID, state: str) -> None:
    """End a run as `done` or `stopped`; from then on nobody can claim of it."""
    await session.execute(
        update(MigrationRun)
        .where(MigrationRun.id == run_id)
        .values(state=state, finished_at=utc_now())
        .execution_options(synchronize_session=False)
    )


async def progress(session: OwnerSession, run_id: UUID) -> Progress:
    """Counts of the whole run, those done before it was broken off included."""
    row = (
        await session.execute(
            select(
                func.count(),
                func.count().filter(MigrationItem.state == "done"),
                func.count().filter(MigrationItem.state == "failed"),
            ).where(MigrationItem.run_id == run_id)
        )
    ).one()
    return Progress(row[0], row[1], row[2])


async def open_waves(session: OwnerSession, run_id: UUID) -> Sequence[int]:
    """The waves that still have something to do."""
    found = await session.scalars(
        select(MigrationItem.wave)
        .where(MigrationItem.run_id == run_id, MigrationItem.state == "pending")
        .distinct()
        .order_by(MigrationItem.wave)
    )
    return found.all()


async def failures(session: OwnerSession, run_id: UUID, *, limit: int) -> Sequence[tuple[str, str]]:
    """Codes of the tenants that failed, each with why."""
    found = await session.execute(
        select(Tenant.code, MigrationItem.error)
        .join(Tenant, Tenant.id == MigrationItem.tenant_id)
        .where(MigrationItem.run_id == run_id, MigrationItem.state == "failed")
        .order_by(MigrationItem.id)
        .limit(limit)
    )
    return [(code, error or "") for code, error in found]


async def _add_items(session: OwnerSession, run_id: UUID, target: str) -> None:
    known = select(MigrationItem.tenant_id).where(MigrationItem.run_id == run_id)
    rows = (
        await session.execute(
            select(Tenant.id, Tenant.revision)
            .where(
                Tenant.status.in_(HAS_DATABASE),
                Tenant.revision.is_distinct_from(target),
                Tenant.id.not_in(known),
            )
            .order_by(Tenant.created_at, Tenant.id)
        )
    ).all()
    waves = [wave for wave, size in enumerate(wave_sizes(len(rows))) for _ in range(size)]
    items = [
        {
            "id": new_id(),
            "created_at": utc_now(),
            "run_id": run_id,
            "tenant_id": tenant_id,
            "from_revision": revision,
            "state": "pending",
            "wave": wave,
            "attempts": 0,
        }
        for (tenant_id, revision), wave in zip(rows, waves, strict=True)
    ]
    if items:
        await session.execute(insert(MigrationItem), items)


async def _end(
    session: OwnerSession, claimed: Claimed, *, state: str, error: str | None, duration_ms: int
) -> None:
    # An attempt that another runner has taken over records nothing.
    await session.execute(
        update(MigrationItem)
        .where(
            MigrationItem.id == claimed.item_id,
            MigrationItem.state == "running",
            MigrationItem.attempts == claimed.attempts,
        )
        .values(state=state, error=error, duration_ms=duration_ms)
        .execution_options(synchronize_session=False)
    )
