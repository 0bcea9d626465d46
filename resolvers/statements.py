"""Importing providers' statements, and matching their lines with the books."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final
from uuid import UUID

from sqlalchemy import select

from core.ids import Kind, new_id, outside
from core.pages import Page, PageRequest
from resolvers.idempotency import once, run_once
from resolvers.pages import page_of
from tenancy.audit import acting, record_audit
from tenancy.context import TenantContext
from tenancy.outbox import announce
from tenancy.roles import Scope
from tenancy.sessions import TenantSession
from tenant_db.ledger.models import Transfer
from tenant_db.statements import deciding, importing
from tenant_db.statements.importing import NewImport, StatementPlace
from tenant_db.statements.matching import Matched, is_unmatched, match_period
from tenant_db.statements.models import StatementImport, StatementLine, StatementMatch
from tenant_db.statements.parsing import Parsed
from tenant_db.statements.rules import ROWS_AT_ONCE_MAX, required_note

JOBS_QUEUE: Final = "platform"


@dataclass(frozen=True, slots=True)
class LineFilter:
    """Which lines a page is of; None is all."""

    import_id: UUID | None = None
    holding: str | None = None
    """The TypeID of a channel or provider account."""
    is_matched: bool | None = None


@dataclass(frozen=True, slots=True)
class Imported:
    """An import, or, of a dry run, only what was read."""

    row: StatementImport | None
    found: Parsed | None
    """None where a job reads the file."""


async def statement_imports(context: TenantContext, request: PageRequest) -> Page[StatementImport]:
    """Needs ledger:read."""
    context.require(Scope.LEDGER_READ)
    async with context.tenant.reading() as session:
        return await page_of(session, select(StatementImport), StatementImport, request)


async def statement_import(context: TenantContext, id: UUID) -> StatementImport | None:
    """Needs ledger:read. None: this business has no such import."""
    context.require(Scope.LEDGER_READ)
    async with context.tenant.reading() as session:
        return await session.get(StatementImport, id)


async def statement_match(context: TenantContext, id: UUID) -> StatementMatch | None:
    """Needs ledger:read. None: this business has no such match."""
    context.require(Scope.LEDGER_READ)
    async with context.tenant.reading() as session:
        return await session.get(StatementMatch, id)


async def statement_lines(
    context: TenantContext, request: PageRequest, only: LineFilter
) -> Page[StatementLine]:
    """Needs ledger:read."""
    context.require(Scope.LEDGER_READ)
    rows = select(StatementLine)
    if only.import_id is not None:
        rows = rows.where(StatementLine.import_id == only.import_id)
    if only.holding is not None:
        rows = rows.where(StatementLine.holding == only.holding)
    if only.is_matched is not None:
        is_free = StatementLine.match_id.is_(None)
        rows = rows.where(~is_free if only.is_matched else is_free)
    async with context.tenant.reading() as session:
        return await page_of(session, rows, StatementLine, request)


async def unmatched_transfers(
    context: TenantContext, request: PageRequest, holding: str, since: datetime | None, until: datetime | None
) -> Page[Transfer]:
    """Transfers that moved what lies at a place and that no statement has confirmed. Needs ledger:read."""
    context.require(Scope.LEDGER_READ)
    rows = select(Transfer).where(is_unmatched(holding))
    if since is not None:
        rows = rows.where(Transfer.created_at >= since)
    if until is not None:
        rows = rows.where(Transfer.created_at < until)
    async with context.tenant.reading() as session:
        return await page_of(session, rows, Transfer, request)


async def import_statement(
    context: TenantContext, new: NewImport, idempotency_key: str, *, is_dry_run: bool
) -> Imported:
    """Read a file, store its lines and match them; a long file is left to a job. Needs ledger:write.

    A dry run stores nothing and tells what is wrong in which row.

    Raises:
        NotFound: no such channel or provider account of this provider.
        StatementUnreadable, StatementMisplaced: the file as a whole is not what it should be.
        IdempotencyKeyReused, IdempotencyInProgress: as `run_once`.
    """
    context.require(Scope.LEDGER_WRITE)
    async with context.tenant.reading() as session:
        place = await importing.statement_place(
            session, new.provider, new.channel_id, new.provider_account_id
        )
    is_long = new.content.count(b"\n") > ROWS_AT_ONCE_MAX
    found = None
    if is_dry_run or not is_long:
        # Seconds for the largest dry run, which must not hold up other requests.
        found = await asyncio.to_thread(importing.read_statement, new.provider, new.content, place)
    if is_dry_run:
        return Imported(None, found)
    return await _import(context, new, idempotency_key, place, found)


async def match_statement_lines(
    context: TenantContext,
    line_ids: Sequence[UUID],
    transfer_ids: Sequence[UUID],
    note: str,
    idempotency_key: str,
) -> StatementMatch:
    """Say that lines and transfers are the same money. Needs ledger:write.

    Raises:
        InvalidInput, NotFound, MatchRefused: as `deciding.match_by_hand`.
        IdempotencyKeyReused, IdempotencyInProgress: as `run_once`.
    """
    principal = context.require(Scope.LEDGER_WRITE)
    matched = Matched(f"{principal.kind}:{principal.id}", required_note(note))

    async def effect(session: TenantSession) -> StatementMatch:
        match = await deciding.match_by_hand(
            session, line_ids, transfer_ids, matched, context.services.clock(), id=id_
        )
        _audit(context, session, "match_statement_lines", match.id, matched.note)
        return match

    id_ = new_id()
    input_ = {
        "lines": [str(each) for each in line_ids],
        "transfers": [str(each) for each in transfer_ids],
        "note": matched.note,
    }
    wanted = once(context, "match_statement_lines", idempotency_key, input=input_, ids={"match": id_})
    return await run_once(context.tenant.transaction, wanted, effect, _reload_match)


async def unmatch_statement(
    context: TenantContext, match_id: UUID, note: str, idempotency_key: str
) -> StatementMatch:
    """Undo a match, whoever made it. Needs ledger:write.

    Raises:
        InvalidInput, NotFound, MatchRefused: as `deciding.undo_match`.
        IdempotencyKeyReused, IdempotencyInProgress: as `run_once`.
    """
    principal = context.require(Scope.LEDGER_WRITE)
    undone = Matched(f"{principal.kind}:{principal.id}", required_note(note))

    async def effect(session: TenantSession) -> StatementMatch:
        match = await deciding.undo_match(session, match_id, undone, context.services.clock())
        _audit(context, session, "unmatch_statement", match.id, undone.note)
        return match

    input_ = {"match": str(match_id), "note": undone.note}
    wanted = once(context, "unmatch_statement", idempotency_key, input=input_, ids={"match": match_id})
    return await run_once(context.tenant.transaction, wanted, effect, _reload_match)


async def _import(
    context: TenantContext,
    new: NewImport,
    idempotency_key: str,
    place: StatementPlace,
    found: Parsed | None,
) -> Imported:
    id_ = new_id()

    async def effect(session: TenantSession) -> Imported:
        row = importing.planned_import(new, place, id_)
        session.add(row)
        await session.flush()
        if found is None:
            announce(session, "import_statement", queue=JOBS_QUEUE, import_id=str(id_))
        else:
            await _store(session, row, found, context.services.clock())
        subject = outside(Kind.STATEMENT_IMPORT, id_)
        details = {"file": row.file_name, "place": row.holding}
        record_audit(session, acting(context), "import_statement", subject=subject, details=details)
        return Imported(row, found)

    async def reload(session: TenantSession, ids: Mapping[str, UUID]) -> Imported:
        return Imported(await session.get_one(StatementImport, ids["import"]), found)

    wanted = once(context, "import_statement", idempotency_key, input=_input(new, place), ids={"import": id_})
    return await run_once(context.tenant.transaction, wanted, effect, reload)


async def _store(session: TenantSession, row: StatementImport, found: Parsed, now: datetime) -> None:
    importing.begin_import(row, found)
    await importing.store_lines(session, row, found.lines, now)
    period = await importing.period_of(session, row.id)
    matched = 0
    if period is not None:
        matched = await match_period(session, row.holding, period, importing.tolerance_of(row), now)
    importing.finish_import(row, matched, now)


def _input(new: NewImport, place: StatementPlace) -> dict[str, object]:
    return {
        "provider": new.provider.value,
        "place": place.holding,
        "content": sha256(new.content).hexdigest(),
        "file": new.file_name,
        "tolerance": [new.tolerance.minor, new.tolerance.days],
    }


def _audit(
    context: TenantContext, session: TenantSession, action: str, match_id: UUID, note: str | None
) -> None:
    subject = outside(Kind.STATEMENT_MATCH, match_id)
    record_audit(session, acting(context), action, subject=subject, reason=note)


async def _reload_match(session: TenantSession, ids: Mapping[str, UUID]) -> StatementMatch:
    return await session.get_one(StatementMatch, ids["match"])
