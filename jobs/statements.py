"""Imports long statements: batch by batch, so that a run that dies is gone on with."""

import asyncio
import zlib
from typing import Final
from uuid import UUID

import structlog

from jobs.work import Dead, Done, Handler, Result, Work
from tenancy.sessions import Tenant
from tenant_db.statements import importing
from tenant_db.statements.errors import StatementMisplaced, StatementUnreadable
from tenant_db.statements.importing import StatementPlace
from tenant_db.statements.matching import match_period
from tenant_db.statements.models import StatementImport
from tenant_db.statements.parsing import Parsed
from tenant_db.statements.rules import ImportState, StatementProvider

KIND: Final = "import_statement"
BATCH: Final = 2_000
"""Lines of one transaction: after each, the progress shows."""

log = structlog.get_logger()


def statement_handlers() -> list[Handler]:
    """The jobs of statements."""
    return [Handler(KIND, import_statement)]


async def import_statement(work: Work) -> Result:
    """Read, store and match one file; what an earlier run has stored is not read as known before."""
    import_id = UUID(work.payload["import_id"])
    async with work.tenant.reading() as session:
        row = await session.get(StatementImport, import_id)
        if row is None:
            return Dead("the import was never written here")
        if row.content is None:
            return Done()
        place = await importing.statement_place(
            session, row.provider, row.channel_id, row.provider_account_id
        )
    try:
        found = await asyncio.to_thread(_read, row, place)
    except (StatementUnreadable, StatementMisplaced) as refusal:
        async with work.tenant.transaction() as session:
            locked = await session.get_one(StatementImport, import_id, with_for_update=True)
            importing.refuse_import(locked, refusal.message, work.services.clock())
        return Done()
    if await _store(work, import_id, found):
        await _finish(work, import_id)
    return Done()


def _read(row: StatementImport, place: StatementPlace) -> Parsed:
    return importing.read_statement(
        StatementProvider(row.provider), zlib.decompress(row.content or b""), place
    )


async def _store(work: Work, import_id: UUID, found: Parsed) -> bool:
    """False where another run has taken this one over: it will finish."""
    done = await _begin(work.tenant, import_id, found)
    while done < len(found.lines):
        async with work.tenant.transaction() as session:
            row = await session.get_one(StatementImport, import_id, with_for_update=True)
            if row.done_count != done:
                return False
            batch = found.lines[done : done + BATCH]
            await importing.store_lines(session, row, batch, work.services.clock())
            done = row.done_count
    return True


async def _begin(tenant: Tenant, import_id: UUID, found: Parsed) -> int:
    """How many lines an earlier run has stored."""
    async with tenant.transaction() as session:
        row = await session.get_one(StatementImport, import_id, with_for_update=True)
        if row.state == ImportState.WAITING:
            importing.begin_import(row, found)
        return row.done_count


async def _finish(work: Work, import_id: UUID) -> None:
    now = work.services.clock()
    async with work.tenant.transaction() as session:
        row = await session.get_one(StatementImport, import_id, with_for_update=True)
        if row.state != ImportState.RUNNING:
            return
        period = await importing.period_of(session, import_id)
        matched = 0
        if period is not None:
            matched = await match_period(session, row.holding, period, importing.tolerance_of(row), now)
        importing.finish_import(row, matched, now)
    log.info("statement_imported", lines=row.imported_count, matched=matched, errors=row.error_count)
