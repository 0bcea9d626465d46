"""The entries of a statement, oldest first: of one account as they are, of several as one list.

Entries of several accounts are ordered by their time, then by the account, then by the sequence, so that
an account's own order holds in the list as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from core.currency import Currency
from core.pages import Cursor, Page, PageRequest
from tenancy.sessions import Tenant
from tenant_db.ledger.statements import Span, Statement

SHARE_MIN: Final = 4
"""Entries that are read of each account at a time, at least: fewer would mean more questions."""


class StatementEntry(NamedTuple):
    """One account's side of a transfer, as a statement shows it: read a hundred thousand at a time."""

    account_id: UUID
    sequence: int
    created_at: datetime
    transfer_id: UUID
    is_debit: bool
    change_minor: int
    """What it adds to the balance, on the account's normal side: negative where it takes."""
    kind: str
    reference: str
    effective_at: datetime
    other_id: UUID
    """The account at the transfer's other end."""
    currency: str
    reverses_id: UUID | None

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


async def lines(tenant: Tenant, statement: Statement, request: PageRequest) -> Page[Line]:
    """One page of a statement, oldest first, each with the running balance."""
    spans = statement.spans
    reached = [span.after for span in spans]
    if request.after is not None:
        reached = await _reached(tenant, spans, request.after)
    batch = await entries_after(tenant, spans, reached, request.first + 1)
    balance = await _balance_at(tenant, spans, reached)
    found = []
    for entry in batch.entries[: request.first]:
        balance += entry.change_minor
        found.append(Line(entry, statement.currency, balance))
    return Page(found, has_next=len(batch.entries) > request.first)


async def entries_after(tenant: Tenant, spans: Sequence[Span], reached: Sequence[int], count: int) -> Batch:
    """The next `count` entries or more, after what was reached in each span. Fewer: there are no more."""
    if len(spans) == 1:
        found = await _entries(tenant, spans, reached, [min(spans[0].until, reached[0] + count)])
        return Batch(found, [found[-1].sequence] if found else reached)
    share = max(SHARE_MIN, -(-2 * count // max(1, len(spans))))
    merged: list[StatementEntry] = []
    while len(merged) < count:
        batch = await _merged_after(tenant, spans, reached, share)
        if not batch.entries:
            break
        merged += batch.entries
        reached = batch.reached
    return Batch(merged, reached)


async def _merged_after(tenant: Tenant, spans: Sequence[Span], reached: Sequence[int], share: int) -> Batch:
    """At most `share` entries of each span: none of them later than one that was not read."""
    ends = [min(span.until, place + share) for span, place in zip(spans, reached, strict=True)]
    entries = sorted(await _entries(tenant, spans, reached, ends), key=_order)
    # Where there is more to read, what comes later than its last one has to wait.
    last = {(span.account_id, end) for span, end in zip(spans, ends, strict=True) if end < span.until}
    cut = next((_order(entry) for entry in entries if (entry.account_id, entry.sequence) in last), None)
    if cut is not None:
        entries = [entry for entry in entries if _order(entry) <= cut]
    read = {entry.account_id: entry.sequence for entry in entries}
    return Batch(
        entries, [read.get(span.account_id, place) for span, place in zip(spans, reached, strict=True)]
    )


async def _entries(
    tenant: Tenant, spans: Sequence[Span], reached: Sequence[int], ends: Sequence[int]
) -> list[StatementEntry]:
    """Those after what was reached, up to an end, of each span; those of one span in their order."""
    rows = await tenant.rows(_ENTRIES, [span.account_id for span in spans], reached, ends)
    return [
        StatementEntry(account, number, at, transfer, is_debit, int(change), *rest)
        for account, number, at, transfer, is_debit, change, *rest in rows
    ]


async def _reached(tenant: Tenant, spans: Sequence[Span], after: Cursor) -> list[int]:
    """How far each span had been read when the list stood at a cursor."""
    rows = await tenant.rows(
        _COUNTS,
        [span.account_id for span in spans],
        [span.after for span in spans],
        [span.until for span in spans],
        after.created_at,
    )
    counted = {row["account_id"]: (row["older"], row["not_later"]) for row in rows}
    half, sequence = after.id.bytes[:8], int.from_bytes(after.id.bytes[8:])
    reached = []
    for span in spans:
        older, not_later = counted[span.account_id]
        own = span.account_id.bytes[8:]
        if own == half:
            reached.append(min(max(sequence, older), not_later))
        else:
            reached.append(not_later if own < half else older)
    return reached


async def _balance_at(tenant: Tenant, spans: Sequence[Span], reached: Sequence[int]) -> int:
    """What all accounts together had at these places."""
    if all(place == span.after for span, place in zip(spans, reached, strict=True)):
        return sum(span.opening_minor for span in spans)
    ((balance,),) = await tenant.rows(_BALANCE, [span.account_id for span in spans], reached)
    return int(balance)


def _order(entry: StatementEntry) -> tuple[datetime, bytes, int]:
    return entry.created_at, entry.account_id.bytes[8:], entry.sequence


# Entries are gap-free: a range of sequences is a count. The limits keep the planner from joining all
# transfers there are, which it would take for cheaper without knowing how few are wanted.
_ENTRIES: Final = """
SELECT entry.account_id, entry.sequence, entry.created_at, entry.transfer_id, entry.side = 'debit',
    CAST(entry.balance_after_minor - entry.balance_before_minor AS text),
    transfer.kind, transfer.reference, transfer.effective_at,
    CASE entry.side WHEN 'debit' THEN transfer.destination_id ELSE transfer.source_id END,
    transfer.currency, transfer.reverses_id
FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS span (account_id, after, until)
CROSS JOIN LATERAL (
    SELECT * FROM ledger_entries AS each
    WHERE each.account_id = span.account_id AND each.sequence > span.after AND each.sequence <= span.until
    ORDER BY each.sequence LIMIT 100000
) AS entry
CROSS JOIN LATERAL (
    SELECT * FROM ledger_transfers AS its WHERE its.id = entry.transfer_id LIMIT 1
) AS transfer
ORDER BY entry.sequence
"""

_COUNTS: Final = """
SELECT span.account_id, search.older, search.not_later
FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS span (account_id, after, until)
CROSS JOIN LATERAL (
    SELECT min(reached.count) AS older, max(reached.count) AS not_later
    FROM (VALUES ($4::timestamptz), ($4::timestamptz + interval '1 microsecond'))
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
FROM unnest($1::uuid[], $2::bigint[]) AS place (account_id, sequence)
JOIN ledger_entries AS entry USING (account_id, sequence)
"""
