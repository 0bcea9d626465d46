"""Makes the files that people ask for, and removes them when their time is over."""

import asyncio
from time import monotonic
from typing import Final
from uuid import UUID

from sqlalchemy import select

from core.periods import Period
from jobs.work import Dead, Done, Handler, Later, Result, Work
from owner_db.tenants.models import Tenant as TenantRow
from tenancy.sessions import Tenant
from tenant_db.exports import expiring, making
from tenant_db.exports.models import Export
from tenant_db.exports.rules import PART_BYTES, ROWS_MAX, ExportFormat, ExportKind
from tenant_db.exports.sources import Row, Source, Subject
from tenant_db.exports.writing import counted_rows, csv_pieces, open_source
from tenant_db.ledger.models import LedgerAccount
from tenant_db.stores.models import Store

MAKE_ATTEMPTS_MAX: Final = 40
"""Runs of up to RUN_S each, most of which only go on where the one before has stopped."""
RUN_S: Final = 30.0
"""Half of what a job may take: the next part is never begun after that."""
EXPIRE_ATTEMPTS_MAX: Final = 100
GAVE_UP: Final = "It could not be made. Ask for it again; if that fails, too, tell the platform's support."


def export_handlers() -> list[Handler]:
    """The jobs of exports."""
    return [
        Handler("make_export", make_export, attempts_max=MAKE_ATTEMPTS_MAX),
        Handler("expire_export", expire_export, attempts_max=EXPIRE_ATTEMPTS_MAX),
    ]


async def make_export(work: Work) -> Result:
    """Make a file, or go on with it; a run that comes twice finds nothing to do."""
    tenant, id_ = work.tenant, UUID(work.payload["export_id"])
    if work.attempt >= MAKE_ATTEMPTS_MAX:
        async with tenant.transaction() as session:
            await making.fail(session, id_, work.services.clock(), GAVE_UP)
        return Dead("too many runs did not make it")
    async with tenant.transaction() as session:
        export = await making.claim(session, id_, work.services.clock())
    if export is None:
        return Done()
    async with tenant.reading() as session:
        source = await open_source(
            session,
            ExportKind(export.kind),
            Subject(export.account_id, export.store_id),
            Period(export.since, export.before),
            export.place,
        )
    if ExportFormat(export.format) is ExportFormat.PDF:
        return await _make_pages(work, export, source)
    return await _make_csv(work, export, source)


async def expire_export(work: Work) -> Result:
    """Remove a file once its time is over; until then, come back."""
    now = work.services.clock()
    async with work.tenant.transaction() as session:
        again_at = await expiring.expire_export(session, UUID(work.payload["export_id"]), now)
    if again_at is None:
        return Done()
    return Later(max(1.0, (again_at - now).total_seconds()), "its time is not over")


async def _make_csv(work: Work, export: Export, source: Source) -> Result:
    tenant, began = work.tenant, monotonic()
    part_count = export.part_count
    async for piece in csv_pieces(tenant, source, is_first=part_count == 0):
        async with tenant.transaction() as session:
            is_ours = await making.add_part(
                session,
                export.id,
                part_count,
                piece.content,
                row_count=piece.row_count,
                place=source.place(),
            )
        if not is_ours:
            return Done()
        part_count += 1
        if monotonic() - began > RUN_S:
            return Later(0, "it goes on in another run")
    async with tenant.transaction() as session:
        await making.finish(session, export.id, part_count, work.services.clock())
    return Done()


async def _make_pages(work: Work, export: Export, source: Source) -> Result:
    """Read everything, draw it in a thread, store it in one transaction: it is bounded by ROWS_MAX."""
    # Loaded here: a worker that draws nothing needs none of it.
    from tenant_db.exports.drawing import draw  # noqa: PLC0415 - as above
    from tenant_db.exports.pages import document_of  # noqa: PLC0415 - as above

    tenant, now = work.tenant, work.services.clock()
    rows: list[Row] = []
    while batch := await source.read(tenant):
        rows += batch
        if counted_rows(rows) > 2 * ROWS_MAX[ExportFormat.PDF]:
            raise ValueError("an export has twice the rows that were counted")
    document = document_of(export, await _business(work), await _subject(tenant, export), rows, now)
    content = await asyncio.to_thread(draw, document)
    pieces = [content[at : at + PART_BYTES] for at in range(0, len(content), PART_BYTES)]
    async with tenant.transaction() as session:
        for number, piece in enumerate(pieces):
            counted = counted_rows(rows) if number == 0 else 0
            if not await making.add_part(session, export.id, number, piece, row_count=counted, place={}):
                return Done()
        await making.finish(session, export.id, len(pieces), now)
    return Done()


async def _business(work: Work) -> str:
    async with work.services.owner.reading() as session:
        return await session.scalar(select(TenantRow.name).where(TenantRow.id == work.tenant.id)) or ""


async def _subject(tenant: Tenant, export: Export) -> str:
    """Whose transfers these are, for people."""
    async with tenant.reading() as session:
        if export.store_id is not None:
            store = await session.get_one(Store, export.store_id)
            return f"{store.name} ({store.code})"
        if export.account_id is not None:
            account = await session.get_one(LedgerAccount, export.account_id)
            return f"{account.code}, {account.currency}"
    return "The whole business"
