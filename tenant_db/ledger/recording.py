"""Writes what was decided under the locks: all of a transaction's rows in one statement.

The row locks are held while it runs, so it is one round trip however much there is, and the
database's clock is read under them: an account's entries are in the order of their times.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final

from sqlalchemy.exc import DBAPIError

from tenancy.errors import TransactionInterrupted
from tenancy.sessions import TenantSession
from tenant_db.ledger.book import Book
from tenant_db.ledger.feeding import tell
from tenant_db.ledger.results import Held, Posted
from tenant_db.ledger.rules import AccountState

UNIQUE_VIOLATION: Final = "23505"
BIGINT_LIMIT: Final = 2**63
"""Amounts below it travel as bigint, at a third of the cost of numeric."""

_AMOUNT: Final = "amount"


@dataclass(frozen=True, eq=False)
class Part:
    """A piece of the statement that writes rows of one sort."""

    columns: Mapping[str, str]
    """What is sent of each row: name → type of PostgreSQL; `amount` is bigint or numeric."""
    body: str
    """CTEs that read `{rows}`, and `instant` from the CTE `now`."""


_POSTINGS: Final = Part(
    {
        "id": "uuid",
        "source_id": "uuid",
        "destination_id": "uuid",
        "source_sequence": "bigint",
        "destination_sequence": "bigint",
        "amount_minor": _AMOUNT,
        "currency": "text",
        "kind": "text",
        "reference": "text",
        "idempotency_key": "text",
        "effective_at": "timestamptz",
        "reverses_id": "uuid",
        "hold_id": "uuid",
        "details": "text",
        "source_before": _AMOUNT,
        "source_after": _AMOUNT,
        "destination_before": _AMOUNT,
        "destination_after": _AMOUNT,
    },
    """
postings AS MATERIALIZED (SELECT * FROM {rows}),
transfers AS (
    INSERT INTO ledger_transfers
        (id, created_at, source_id, destination_id, source_sequence, destination_sequence, amount_minor,
         currency, kind, reference, idempotency_key, effective_at, reverses_id, hold_id, details)
    SELECT id, instant, source_id, destination_id, source_sequence, destination_sequence, amount_minor,
        currency, kind, reference, idempotency_key, coalesce(effective_at, instant), reverses_id, hold_id,
        details::jsonb
    FROM now, postings
),
entries AS (
    INSERT INTO ledger_entries
        (account_id, sequence, created_at, transfer_id, side, amount_minor, balance_before_minor,
         balance_after_minor)
    SELECT entry.account_id, entry.sequence, instant, id, entry.side, amount_minor, entry.before, entry.after
    FROM now, postings, LATERAL (VALUES
        (source_id, source_sequence, 'debit', source_before, source_after),
        (destination_id, destination_sequence, 'credit', destination_before, destination_after)
    ) AS entry (account_id, sequence, side, before, after)
)""",
)
_ACCOUNTS: Final = Part(
    {
        "id": "uuid",
        "posted_debits": _AMOUNT,
        "posted_credits": _AMOUNT,
        "pending_debits": _AMOUNT,
        "pending_credits": _AMOUNT,
        "entries": "bigint",
    },
    """
accounts AS (
    UPDATE ledger_accounts AS account
    SET posted_debits_minor = new.posted_debits, posted_credits_minor = new.posted_credits,
        pending_debits_minor = new.pending_debits, pending_credits_minor = new.pending_credits,
        entry_count = new.entries
    FROM {rows}
    WHERE account.id = new.id
)""",
)
_PLACED: Final = Part(
    {
        "id": "uuid",
        "source_id": "uuid",
        "destination_id": "uuid",
        "amount_minor": _AMOUNT,
        "currency": "text",
        "kind": "text",
        "reference": "text",
        "idempotency_key": "text",
        "expires_at": "timestamptz",
        "details": "text",
    },
    """
placed AS (
    INSERT INTO ledger_holds
        (id, created_at, source_id, destination_id, amount_minor, currency, kind, reference, idempotency_key,
         details, state, posted_minor, expires_at)
    SELECT id, instant, source_id, destination_id, amount_minor, currency, kind, reference, idempotency_key,
        details::jsonb, 'pending', 0, expires_at
    FROM now, {rows}
)""",
)
_RESOLVED: Final = Part(
    {"id": "uuid", "state": "text", "posted_minor": _AMOUNT},
    """
resolved AS (
    UPDATE ledger_holds AS hold
    SET state = new.state, posted_minor = new.posted_minor, resolved_at = instant
    FROM now, {rows}
    WHERE hold.id = new.id
)""",
)

Rows = tuple[Part, Sequence[Sequence[Any]]]
"""What one part writes: a list for each of its columns."""


async def record(session: TenantSession, book: Book, others: Sequence[Rows] = ()) -> datetime:
    """Write what the book has to be written, and rows of other tables with it; tells when that was.

    The caller holds the lock of every account of the book.

    Raises:
        TransactionInterrupted: a rival has used one of the keys, for other accounts, and committed.
    """
    accounts = book.changed_accounts()
    written = [
        (_POSTINGS, _posting_columns(book.posted, book.balances)),
        (_ACCOUNTS, _account_columns(accounts)),
        (_PLACED, _placed_columns(book.placed)),
        (_RESOLVED, _resolved_columns(book.resolved)),
        *others,
    ]
    written = [(part, columns) for part, columns in written if columns[0]]
    instant = await _write(session, written, _amount_type(accounts))
    for posted in book.posted:
        posted.created_at = instant
        posted.effective_at = posted.wanted_at or instant
    for held in book.placed:
        held.created_at = instant
    for held in book.resolved:
        held.resolved_at = instant
    if accounts:
        tell(session, [account.id for account in accounts])
    session.after.has_unsealed |= bool(book.posted)
    return instant


async def _write(session: TenantSession, written: Sequence[Rows], amount_type: str) -> datetime:
    statement = _statement(tuple(part for part, _ in written), amount_type)
    arguments = tuple(column for _, columns in written for column in columns)
    connection = await session.connection()
    try:
        result = await connection.exec_driver_sql(statement, arguments)
    except DBAPIError as error:
        # Its look-up came before the rival's commit; the same again finds what the rival made.
        if getattr(error.orig, "sqlstate", None) == UNIQUE_VIOLATION:
            raise TransactionInterrupted from error
        raise
    instant: datetime = result.scalar_one()
    return instant


@cache
def _statement(parts: tuple[Part, ...], amount_type: str) -> str:
    """One statement of these parts. There are few combinations, and each is prepared once a connection."""
    number = 0
    pieces = ["WITH now AS MATERIALIZED (SELECT clock_timestamp() AS instant)"]
    for part in parts:
        arrays = []
        for type_ in part.columns.values():
            number += 1
            arrays.append(f"${number}::{amount_type if type_ == _AMOUNT else type_}[]")
        rows = f"unnest({', '.join(arrays)}) AS new ({', '.join(part.columns)})"
        pieces.append(part.body.format(rows=rows))
    return ",".join(pieces) + "\nSELECT instant FROM now"


def _amount_type(accounts: Sequence[AccountState]) -> str:
    """No amount or balance of the statement is larger than what an account has counted."""
    largest = 0
    for account in accounts:
        largest = max(
            largest,
            account.posted_debits_minor,
            account.posted_credits_minor,
            account.pending_debits_minor,
            account.pending_credits_minor,
        )
    return "bigint" if largest < BIGINT_LIMIT else "numeric"


def _posting_columns(
    posted: Sequence[Posted], balances: Sequence[tuple[int, int, int, int]]
) -> list[Sequence[Any]]:
    return [
        [each.id for each in posted],
        [each.source_id for each in posted],
        [each.destination_id for each in posted],
        [each.source_sequence for each in posted],
        [each.destination_sequence for each in posted],
        [each.amount_minor for each in posted],
        [each.currency for each in posted],
        [each.kind for each in posted],
        [each.reference for each in posted],
        [each.idempotency_key for each in posted],
        [each.wanted_at for each in posted],
        [each.reverses_id for each in posted],
        [each.hold_id for each in posted],
        [each.details_json for each in posted],
        *(list(column) for column in zip(*balances, strict=True)),
    ]


def _account_columns(accounts: Sequence[AccountState]) -> list[Sequence[Any]]:
    return [
        [account.id for account in accounts],
        [account.posted_debits_minor for account in accounts],
        [account.posted_credits_minor for account in accounts],
        [account.pending_debits_minor for account in accounts],
        [account.pending_credits_minor for account in accounts],
        [account.entry_count for account in accounts],
    ]


def _placed_columns(placed: Sequence[Held]) -> list[Sequence[Any]]:
    return [
        [held.id for held in placed],
        [held.source_id for held in placed],
        [held.destination_id for held in placed],
        [held.amount_minor for held in placed],
        [held.currency for held in placed],
        [held.kind for held in placed],
        [held.reference for held in placed],
        [held.idempotency_key for held in placed],
        [held.expires_at for held in placed],
        [held.details_json for held in placed],
    ]


def _resolved_columns(resolved: Sequence[Held]) -> list[Sequence[Any]]:
    return [
        [held.id for held in resolved],
        [held.state for held in resolved],
        [held.posted_minor for held in resolved],
    ]
