"""The entries of a statement, oldest first: of one account as they are, of several as one list.

Entries of several accounts are ordered by their time, then by the account, then by the sequence, so that
an account's own order holds in the list as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import text

from core.currency import Currency
from core.pages import Cursor, Page, PageRequest
from tenancy.sessions import TenantSession
from tenant_db.ledger.rules import NormalSide
from tenant_db.ledger.statements import Span, Statement

SHARE_MIN: Final = 4
"""Entries that are read of each account at a time, at least: fewer would mean more questions."""


class StatementEntry(NamedTuple):
    """One account's side of a transfer, as a statement shows it."""

    account_id: UUID
    sequence: int
    created_at: datetime
    transfer_id: UUID
    side: NormalSide
    amount_minor: int
    change_minor: int
    """What it adds to the balance: negative where it takes."""
    balance_before_minor: int
    """Of its account row."""
    kind: str
    reference: str
    effective_at: datetime
    other_id: UUID
    """The account at the transfer's other end."""

    @property
    def id(self) -> UUID:
        """Its place in the list, for cursors: half of the account's id, and the sequence."""
        return place_of(self.account_id, self.sequence)


@dataclass(frozen=True, slots=True)
class Line:
    """An entry in a statement's list, with the balance of all its accounts that it left."""

    entry: StatementEntry
    currency: Currency
    balance_minor: int

    @property
    def created_at(self) -> datetime:
        return self.entry.created_at

    @property
    def id(self) -> UUID:
        return self.entry.id


@dataclass(frozen=True, slots=True)
class Batch:
    """Entries in order, and how far each span has been read: the sequence of its last entry so far."""

    entries: Sequence[StatementEntry]
    reached: Sequence[int]


def place_of(account_id: UUID, sequence: int) -> UUID:
    """Packs both into 16 bytes: the half of a UUIDv7 that is random tells accounts apart."""
    return UUID(bytes=account_id.bytes[8:] + sequence.to_bytes(8))


async def lines(session: TenantSession, statement: Statement, request: PageRequest) -> Page[Line]:
    """One page of a statement, oldest first, each with the running balance."""
    spans = statement.spans
    reached = [span.after for span in spans]
    if request.after is not None:
        reached = await _reached(session, spans, request.after)
    batch = await entries_after(session, spans, reached, request.first + 1)
    balance = await _balance_at(session, spans, reached)
    found = []
    for entry in batch.entries[: request.first]:
        balance += entry.change_minor
        found.append(Line(entry, statement.currency, balance))
    return Page(found, has_next=len(batch.entries) > request.first)


async def entries_after(
    session: TenantSession, spans: Sequence[Span], reached: Sequence[int], count: int
) -> Batch:
    """The next `count` entries or more, after what was reached in each span. Fewer: there are no more."""
    share = max(SHARE_MIN, count if len(spans) <= 1 else -(-2 * count // len(spans)))
    found: list[StatementEntry] = []
    places = list(reached)
    while len(found) < count:
        batch = await _some_after(session, spans, places, share)
        places = list(batch.reached)
        found += batch.entries
        if not batch.entries:
            break
    return Batch(found, places)


async def _some_after(
    session: TenantSession, spans: Sequence[Span], reached: Sequence[int], share: int
) -> Batch:
    """At most `share` entries of each span: none of them later than one that was not read."""
    ends = [min(span.until, place + share) for span, place in zip(spans, reached, strict=True)]
    values = {"ids": [span.account_id for span in spans], "after": list(reached), "until": ends}
    rows = await session.execute(text(_ENTRIES), values)
    entries = sorted((_entry(row) for row in rows), key=_order)
    # Where there is more to read, what comes later than its last one has to wait.
    last = {(span.account_id, end) for span, end in zip(spans, ends, strict=True) if end < span.until}
    cut = next((_order(entry) for entry in entries if (entry.account_id, entry.sequence) in last), None)
    if cut is not None:
        entries = [entry for entry in entries if _order(entry) <= cut]
    read = {entry.account_id: entry.sequence for entry in entries}
    places = [read.get(span.account_id, place) for span, place in zip(spans, reached, strict=True)]
    return Batch(entries, places)


async def _reached(session: TenantSession, spans: Sequence[Span], after: Cursor) -> list[int]:
    """How far each span had been read when the list stood at a cursor."""
    values = {
        "ids": [span.account_id for span in spans],
        "after": [span.after for span in spans],
        "until": [span.until for span in spans],
        "at": after.created_at,
    }
    half, sequence = after.id.bytes[:8], int.from_bytes(after.id.bytes[8:])
    counted = {row.account_id: row for row in await session.execute(text(_COUNTS), values)}
    reached = []
    for span in spans:
        older, not_later = counted[span.account_id].older, counted[span.account_id].not_later
        own = span.account_id.bytes[8:]
        if own == half:
            reached.append(min(max(sequence, older), not_later))
        else:
            reached.append(not_later if own < half else older)
    return reached


async def _balance_at(session: TenantSession, spans: Sequence[Span], reached: Sequence[int]) -> int:
    """What all accounts together had at these places."""
    if all(place == span.after for span, place in zip(spans, reached, strict=True)):
        return sum(span.opening_minor for span in spans)
    values = {"ids": [span.account_id for span in spans], "places": list(reached)}
    return int(await session.scalar(text(_BALANCE), values))


def _order(entry: StatementEntry) -> tuple[datetime, bytes, int]:
    return entry.created_at, entry.account_id.bytes[8:], entry.sequence


def _entry(row: Any) -> StatementEntry:  # noqa: ANN401 - a row of text()
    amount, before = int(row.amount_minor), int(row.balance_before_minor)
    return StatementEntry(
        account_id=row.account_id,
        sequence=row.sequence,
        created_at=row.created_at,
        transfer_id=row.transfer_id,
        side=NormalSide(row.side),
        amount_minor=amount,
        change_minor=int(row.balance_after_minor) - before,
        balance_before_minor=before,
        kind=row.kind,
        reference=row.reference,
        effective_at=row.effective_at,
        other_id=row.destination_id if row.side == NormalSide.DEBIT else row.source_id,
    )


# Entries are gap-free: a range of sequences is a count. The limits keep the planner from joining all
# transfers there are, which it would take for cheaper without knowing how few are wanted.
_ENTRIES: Final = """
SELECT entry.account_id, entry.sequence, entry.created_at, entry.transfer_id, entry.side,
    entry.amount_minor, entry.balance_before_minor, entry.balance_after_minor,
    transfer.kind, transfer.reference, transfer.effective_at, transfer.source_id, transfer.destination_id
FROM unnest(CAST(:ids AS uuid[]), CAST(:after AS bigint[]), CAST(:until AS bigint[]))
    AS span (account_id, after, until)
CROSS JOIN LATERAL (
    SELECT * FROM ledger_entries AS each
    WHERE each.account_id = span.account_id AND each.sequence > span.after AND each.sequence <= span.until
    ORDER BY each.sequence LIMIT 100000
) AS entry
CROSS JOIN LATERAL (
    SELECT * FROM ledger_transfers AS its WHERE its.id = entry.transfer_id LIMIT 1
) AS transfer
"""

_COUNTS: Final = """
SELECT span.account_id, search.older, search.not_later
FROM unnest(CAST(:ids AS uuid[]), CAST(:after AS bigint[]), CAST(:until AS bigint[]))
    AS span (account_id, after, until)
CROSS JOIN LATERAL (
    SELECT min(reached.count) AS older, max(reached.count) AS not_later
    FROM (VALUES (CAST(:at AS timestamptz)), (CAST(:at AS timestamptz) + interval '1 microsecond'))
        AS instant (at)
    CROSS JOIN LATERAL (
        WITH RECURSIVE search AS (
            SELECT span.after AS low, span.until AS high
            UNION ALL
            SELECT CASE WHEN entry.created_at < instant.at THEN entry.sequence ELSE search.low END,
                CASE WHEN entry.created_at < instant.at THEN search.high ELSE entry.sequence - 1 END
            FROM search JOIN ledger_entries AS entry
                ON entry.account_id = span.account_id AND entry.sequence = (search.low + search.high + 1) / 2
            WHERE search.low < search.high
        )
        SELECT max(low) AS count FROM search
    ) AS reached
) AS search
"""

_BALANCE: Final = """
SELECT coalesce(sum(entry.balance_after_minor), 0)
FROM unnest(CAST(:ids AS uuid[]), CAST(:places AS bigint[])) AS place (account_id, sequence)
JOIN ledger_entries AS entry USING (account_id, sequence)
"""
