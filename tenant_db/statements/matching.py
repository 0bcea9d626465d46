"""Matches stored lines with the transfers that moved what lies at their place."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, DateTime, Row, Text, bindparam, exists, func, or_, select, text
from sqlalchemy.orm import aliased

from core.currency import Currency
from core.ids import new_id
from tenancy.sessions import TenantSession
from tenant_db.ledger.models import LedgerAccount, Transfer
from tenant_db.statements.models import MatchedTransfer, StatementLine
from tenant_db.statements.pairing import Booked, Pair, Stated, Tolerance, pair
from tenant_db.statements.rules import ROWS_MAX, LineKind

BOOKED_LATE: Final = timedelta(days=14)
"""How long after it happened a movement may still come into the books."""
BOOKED_MAX: Final = 200_000
"""Transfers looked at in one run, the oldest first."""
BATCH: Final = 5_000
PAIRING_MAX_S: Final = 50
SYSTEM: Final = "system"

# The sale's key is made of its payment's id, which knows what the provider calls it. Money that was
# put into suspense and taken out again because it was there twice never moved at the provider.
_BOOKED: Final = text("""
WITH places AS MATERIALIZED (
    SELECT id FROM ledger_accounts WHERE code = 'holding:' || :holding
), moved AS (
    SELECT id, reference, idempotency_key, amount_minor, currency, effective_at, kind
    FROM ledger_transfers
    WHERE source_id IN (SELECT id FROM places) AND created_at BETWEEN :since AND :until
        AND destination_id NOT IN (SELECT id FROM places)
    UNION ALL
    SELECT id, reference, idempotency_key, -amount_minor, currency, effective_at, kind
    FROM ledger_transfers
    WHERE destination_id IN (SELECT id FROM places) AND created_at BETWEEN :since AND :until
        AND source_id NOT IN (SELECT id FROM places)
)
SELECT moved.id, moved.amount_minor, moved.currency, moved.effective_at,
    array_remove(ARRAY[moved.reference, payment.receipt, payment.provider_reference], NULL) AS names,
    payment.receipt IS NOT NULL OR moved.idempotency_key LIKE 'suspense:%' AS is_named
FROM moved
LEFT JOIN payments AS payment ON payment.id =
    CASE WHEN moved.idempotency_key ~ '^sale(-aside)?:[0-9a-f-]{36}$'
        THEN right(moved.idempotency_key, 36)::uuid END
WHERE NOT EXISTS (SELECT FROM statement_matched_transfers AS matched WHERE matched.transfer_id = moved.id)
    AND moved.idempotency_key NOT LIKE 'suspense-cleared:%'
    AND NOT EXISTS (SELECT FROM ledger_transfers AS cleared WHERE moved.idempotency_key LIKE 'suspense:%'
        AND cleared.idempotency_key = 'suspense-cleared:' || substr(moved.idempotency_key, 10))
ORDER BY moved.effective_at, moved.id
LIMIT :most
""")

# Arrays: a statement of its own for each row, or thousands of parameters, would take minutes.
_WRITE_MATCHES: Final = text("""
INSERT INTO statement_matches
    (id, created_at, rule, difference_minor, currency, matched_by, note, items)
SELECT id, :now, rule, difference_minor, currency, :matched_by, :note, items
FROM unnest(CAST(:ids AS uuid[]), CAST(:rules AS text[]), CAST(:differences AS numeric[]),
    CAST(:currencies AS text[]), CAST(:items AS jsonb[]))
    AS new (id, rule, difference_minor, currency, items)
""").bindparams(bindparam("now", type_=DateTime(timezone=True)), bindparam("note", type_=Text))

_SET_MATCHES: Final = text("""
UPDATE statement_lines AS line SET match_id = new.match_id
FROM unnest(CAST(:line_ids AS uuid[]), CAST(:match_ids AS uuid[])) AS new (line_id, match_id)
WHERE line.id = new.line_id
""")
_TAKE_TRANSFERS: Final = text("""
INSERT INTO statement_matched_transfers (transfer_id, match_id)
SELECT transfer_id, match_id
FROM unnest(CAST(:transfer_ids AS uuid[]), CAST(:match_ids AS uuid[])) AS new (transfer_id, match_id)
""")


@dataclass(frozen=True, slots=True)
class Matched:
    """Who matched, and why, for the rows of matches."""

    by: str = SYSTEM
    note: str | None = None


async def match_period(
    session: TenantSession,
    holding: str,
    period: tuple[datetime, datetime],
    tolerance: Tolerance,
    now: datetime,
) -> int:
    """Match what is unmatched of one place around a period; gives how many lines were matched.

    Runs and people that match the same place wait for each other.
    """
    await take_turn(session, holding)
    slack = timedelta(days=tolerance.days)
    since, until = period[0] - slack, period[1] + slack
    lines = await _stated(session, holding, since, until)
    booked = await _booked(session, holding, since, until + BOOKED_LATE)
    # Seconds of work for a large file: other jobs of this process go on meanwhile.
    pairs = await asyncio.to_thread(pair, lines, booked, tolerance)
    for start in range(0, len(pairs), BATCH):
        await write_matches(session, pairs[start : start + BATCH], Matched(), now)
    return sum(len(each.lines) for each in pairs)


async def take_turn(session: TenantSession, holding: str) -> None:
    """Wait until nobody else matches lines of this place, and keep others waiting."""
    turn = func.pg_advisory_xact_lock(func.hashtextextended(f"match:{holding}", 0))
    # Pairing the largest file may take longer than a transaction may idle otherwise.
    patience = func.set_config("idle_in_transaction_session_timeout", f"{PAIRING_MAX_S}s", True)  # noqa: FBT003 - PostgreSQL's own
    await session.execute(select(turn, patience))


async def write_matches(
    session: TenantSession,
    pairs: Sequence[Pair],
    matched: Matched,
    now: datetime,
    *,
    ids: Sequence[UUID] | None = None,
) -> None:
    """Write matches, mark their lines, and take their transfers. The caller has the place's turn."""
    ids = ids or [new_id() for _ in pairs]
    await session.execute(_WRITE_MATCHES, _columns(ids, pairs, matched, now))
    by_line = [(line, id_) for id_, each in zip(ids, pairs, strict=True) for line in each.lines]
    by_transfer = [(taken, id_) for id_, each in zip(ids, pairs, strict=True) for taken in each.transfers]
    await session.execute(
        _SET_MATCHES, {"line_ids": [line for line, _ in by_line], "match_ids": [id_ for _, id_ in by_line]}
    )
    await session.execute(
        _TAKE_TRANSFERS,
        {"transfer_ids": [one for one, _ in by_transfer], "match_ids": [id_ for _, id_ in by_transfer]},
    )


def is_unmatched(holding: str) -> ColumnElement[bool]:
    """Of transfers: whether it moved what lies at the place, and no statement has confirmed it yet."""
    places = select(LedgerAccount.id).where(LedgerAccount.code == f"holding:{holding}")
    is_known = exists().where(MatchedTransfer.transfer_id == Transfer.id)
    key = Transfer.idempotency_key
    undone = aliased(Transfer)
    twin = exists().where(
        key.like("suspense:%"),
        undone.idempotency_key == func.concat("suspense-cleared:", func.substr(key, 10)),
    )
    return (
        or_(Transfer.source_id.in_(places), Transfer.destination_id.in_(places))
        & ~is_known
        & key.not_like("suspense-cleared:%")
        & ~twin
    )


async def _stated(session: TenantSession, holding: str, since: datetime, until: datetime) -> list[Stated]:
    # Columns, for fifty thousand rows of the ORM cost seconds.
    found = await session.execute(
        select(
            StatementLine.id,
            StatementLine.reference,
            StatementLine.kind,
            StatementLine.amount_minor,
            StatementLine.fee_minor,
            StatementLine.currency,
            StatementLine.occurred_at,
        )
        .where(
            StatementLine.holding == holding,
            StatementLine.match_id.is_(None),
            StatementLine.occurred_at.between(since, until),
        )
        .order_by(StatementLine.occurred_at, StatementLine.id)
        .limit(ROWS_MAX)
    )
    return [
        Stated(
            row.id,
            row.reference,
            LineKind(row.kind),
            row.amount_minor,
            row.fee_minor,
            row.currency,
            row.occurred_at,
        )
        for row in found
    ]


async def _booked(session: TenantSession, holding: str, since: datetime, until: datetime) -> list[Booked]:
    asked = {"holding": holding, "since": since, "until": until, "most": BOOKED_MAX}
    return [_as_booked(row) for row in await session.execute(_BOOKED, asked)]


def _as_booked(row: Row[*tuple[Any, ...]]) -> Booked:
    return Booked(
        row.id,
        frozenset(row.names),
        row.is_named,
        int(row.amount_minor),
        Currency(row.currency),
        row.effective_at,
    )


def _columns(ids: Sequence[UUID], pairs: Sequence[Pair], matched: Matched, now: datetime) -> dict[str, Any]:
    return {
        "ids": list(ids),
        "now": now,
        "matched_by": matched.by,
        "note": matched.note,
        "rules": [each.rule.value for each in pairs],
        "differences": [each.difference_minor for each in pairs],
        "currencies": [each.currency.value for each in pairs],
        "items": [_items(each) for each in pairs],
    }


def _items(each: Pair) -> str:
    return json.dumps(
        {"lines": [str(line) for line in each.lines], "transfers": [str(moved) for moved in each.transfers]}
    )
