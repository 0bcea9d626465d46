"""From an export's rows to its file: a source that can be resumed, and CSV in pieces."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from core.periods import Period
from tenancy.sessions import Tenant, TenantSession
from tenant_db.exports.cells import csv_bytes
from tenant_db.exports.report_rows import ReportSource
from tenant_db.exports.rules import PART_BYTES, ExportKind
from tenant_db.exports.sources import Row, Source, Subject
from tenant_db.exports.statement_rows import StatementSource
from tenant_db.exports.transfer_rows import AccountTransfers, AllTransfers


@dataclass(frozen=True, slots=True)
class Piece:
    """Some bytes of a file, as they follow each other."""

    content: bytes
    row_count: int
    """What it tells of, headings and sums not counted."""


async def open_source(
    session: TenantSession, kind: ExportKind, subject: Subject, period: Period, place: Mapping[str, Any]
) -> Source:
    """The rows of an export, from the first or from where an earlier run has put them down."""
    if kind is ExportKind.STATEMENT:
        if place:
            return StatementSource.resume(period, place)
        return await StatementSource.begin(session, subject, period)
    if kind is ExportKind.REPORT:
        return ReportSource.resume(period, subject.store_id, place)
    if subject == Subject():
        return AllTransfers.resume(period, place) if place else AllTransfers.begin(period)
    return AccountTransfers.resume(place) if place else await AccountTransfers.begin(session, subject, period)


async def csv_pieces(tenant: Tenant, source: Source, *, is_first: bool) -> AsyncIterator[Piece]:
    """The rest of a CSV file, in pieces of some PART_BYTES; `is_first` puts the header before it.

    When a piece is given, `source.place()` is where the next one begins, and no connection is held.
    """
    waiting, counted = [csv_bytes([source.header])] if is_first else [], 0
    while True:
        rows = await source.read(tenant)
        if not rows:
            break
        waiting.append(csv_bytes(row.csv() for row in rows))
        counted += counted_rows(rows)
        if sum(map(len, waiting)) >= PART_BYTES:
            yield Piece(b"".join(waiting), counted)
            waiting, counted = [], 0
    if waiting:
        yield Piece(b"".join(waiting), counted)


def counted_rows(rows: Sequence[Row]) -> int:
    return sum(row.is_counted for row in rows)


async def statement_csv(tenant: Tenant, account_id: UUID, period: Period) -> AsyncIterator[bytes]:
    """The statement of one ledger account as CSV, in pieces of some PART_BYTES."""
    async with tenant.reading() as session:
        source = await StatementSource.begin(session, Subject(account_id=account_id), period)
    async for piece in csv_pieces(tenant, source, is_first=True):
        yield piece.content
