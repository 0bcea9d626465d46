"""Reads what a batch needs, and locks its accounts, in one statement."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from core.currency import Currency
from tenancy.idempotency import LOCK_WAIT_MS
from tenancy.sessions import TenantSession
from tenant_db.ledger.locking import HOLD_COLUMNS, STATE_COLUMNS, TRANSFER_COLUMNS, each_by, fetch
from tenant_db.ledger.results import Held, Posted
from tenant_db.ledger.rules import AccountState, Custody, NormalSide

# The time that a twin waits is set before the first lock, without a round trip of its own. Whoever
# is read with what a rival has not committed yet meets the rival's unique key at the write.
_READ: Final = f"""
WITH patience AS MATERIALIZED (
    SELECT set_config('lock_timeout', '{LOCK_WAIT_MS}', true) AS value
), wanted AS MATERIALIZED (
    SELECT unnest($1::uuid[]) AS id
    UNION SELECT unnest(ARRAY[source_id, destination_id]) FROM {each_by("id", "ledger_holds", "$2::uuid[]")}
    UNION SELECT unnest(ARRAY[source_id, destination_id])
        FROM {each_by("id", "ledger_transfers", "$3::uuid[]")}
), accounts AS MATERIALIZED (
    SELECT {STATE_COLUMNS} FROM ledger_accounts
    WHERE id IN (SELECT id FROM wanted) AND (SELECT value FROM patience) IS NOT NULL
    ORDER BY id FOR NO KEY UPDATE
), records AS (
    SELECT found.* FROM unnest($4::text[], $5::text[]) AS taken (operation, key)
    CROSS JOIN LATERAL (
        SELECT operation, key, encode(input_hash, 'hex') AS input_hash, outcome, result
        FROM idempotency_records AS record
        WHERE record.operation = taken.operation AND record.key = taken.key LIMIT 1
    ) AS found
), transfers AS (
    SELECT {TRANSFER_COLUMNS} FROM {each_by("id", "ledger_transfers", "$3::uuid[]")}
    UNION ALL
    SELECT {TRANSFER_COLUMNS} FROM {each_by("idempotency_key", "ledger_transfers", "$6::text[]")}
), holds AS (
    SELECT {HOLD_COLUMNS} FROM {each_by("idempotency_key", "ledger_holds", "$7::text[]")}
)
SELECT (SELECT json_agg(accounts) FROM accounts), (SELECT json_agg(records) FROM records),
    (SELECT json_agg(transfers) FROM transfers), (SELECT json_agg(holds) FROM holds)
"""  # noqa: S608 - ours


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a batch needs."""

    account_ids: Sequence[UUID]
    hold_ids: Sequence[UUID]
    """To be resolved: their accounts are locked too."""
    original_ids: Sequence[UUID]
    """Of transfers to be reversed: their accounts are locked too."""
    record_keys: Sequence[tuple[str, str]]
    """Operation and key."""
    transfer_keys: Sequence[str]
    hold_keys: Sequence[str]


@dataclass(frozen=True, slots=True)
class Record:
    """What an idempotency key stands for."""

    input_hash: bytes
    outcome: str
    result: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """What there is of it."""

    accounts: Mapping[UUID, AccountState]
    """Locked."""
    records: Mapping[tuple[str, str], Record]
    transfers: Sequence[Posted]
    holds: Sequence[Held]
    """By their keys; those to be resolved are read under the locks."""


async def read_batch(session: TenantSession, wanted: Wanted) -> Found:
    """Lock the accounts in the order of their ids, and read the rest."""
    ((accounts, records, transfers, holds),) = await fetch(
        session,
        _READ,
        wanted.account_ids,
        wanted.hold_ids,
        wanted.original_ids,
        [operation for operation, _ in wanted.record_keys],
        [key for _, key in wanted.record_keys],
        wanted.transfer_keys,
        wanted.hold_keys,
    )
    return Found(
        {state.id: state for state in map(_state, _rows(accounts))},
        {(row["operation"], row["key"]): _record(row) for row in _rows(records)},
        [_posted(row) for row in _rows(transfers)],
        [_held(row) for row in _rows(holds)],
    )


def _rows(text: str | list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    if text is None:
        return []
    if isinstance(text, list):
        return text
    rows: list[dict[str, Any]] = json.loads(text)
    return rows


def _record(row: dict[str, Any]) -> Record:
    return Record(bytes.fromhex(row["input_hash"]), row["outcome"], row["result"])


def _state(row: dict[str, Any]) -> AccountState:
    row["id"] = UUID(row["id"])
    row["currency"] = Currency(row["currency"])
    row["normal_side"] = NormalSide(row["normal_side"])
    row["custody"] = None if row["custody"] is None else Custody(row["custody"])
    row["closed_at"] = _instant(row["closed_at"])
    return AccountState(**row)


def _posted(row: dict[str, Any]) -> Posted:
    effective_at, created_at = _instant(row.pop("effective_at")), _instant(row.pop("created_at"))
    posted = Posted(**_with_ids(row), wanted_at=effective_at)
    posted.effective_at = effective_at
    posted.created_at = created_at
    return posted


def _held(row: dict[str, Any]) -> Held:
    created_at = _instant(row.pop("created_at"))
    for name in ("expires_at", "resolved_at"):
        row[name] = _instant(row[name])
    held = Held(**_with_ids(row))
    held.created_at = created_at
    return held


def _with_ids(row: dict[str, Any]) -> dict[str, Any]:
    for name in ("id", "source_id", "destination_id", "reverses_id", "hold_id"):
        if row.get(name) is not None:
            row[name] = UUID(row[name])
    row["currency"] = Currency(row["currency"])
    return row


def _instant(text: str | None) -> Any:  # noqa: ANN401 - None only where the column may be
    return None if text is None else datetime.fromisoformat(text)
