"""Locks accounts in the order of their ids, and reads under the locks what commands may repeat or resolve."""

from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final
from uuid import UUID

from core.currency import Currency
from tenancy.sessions import TenantSession
from tenant_db.ledger.errors import AccountUnknown
from tenant_db.ledger.results import Held, Posted
from tenant_db.ledger.rules import AccountState, Custody, NormalSide

STATE_COLUMNS: Final = """id, code, currency, normal_side, custody, holding, floor_minor, ceiling_minor,
    posted_debits_minor, posted_credits_minor, pending_debits_minor, pending_credits_minor,
    entry_count, closed_at"""
_LOCK: Final = f"""
SELECT {STATE_COLUMNS} FROM ledger_accounts WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE
"""  # noqa: S608 - ours
TRANSFER_COLUMNS: Final = """id, source_id, destination_id, source_sequence, destination_sequence,
    amount_minor, currency, kind, reference, idempotency_key, reverses_id, hold_id,
    details::text AS details_json, effective_at, created_at"""
HOLD_COLUMNS: Final = """id, source_id, destination_id, amount_minor, currency, kind, reference,
    idempotency_key, details::text AS details_json, state, posted_minor, expires_at, resolved_at,
    created_at"""


def each_by(column: str, table: str, array: str, locking: str = "") -> str:
    """A FROM item: the row for each value of an array, by a unique column, in the order of the array.

    A plan is made while a table is small and kept while it grows; looked up one by one, the index is
    the better way at any size.
    """
    return (
        f"unnest({array}) AS wanted (value)"  # noqa: S608 - ours
        f" CROSS JOIN LATERAL (SELECT * FROM {table} WHERE {column} = wanted.value LIMIT 1 {locking})"
        " AS found"
    )


_TRANSFERS_BY_KEY: Final = f"""
SELECT {TRANSFER_COLUMNS} FROM {each_by("idempotency_key", "ledger_transfers", "$1::text[]")}
"""  # noqa: S608 - ours
_TRANSFERS_BY_ID: Final = f"""
SELECT {TRANSFER_COLUMNS} FROM {each_by("id", "ledger_transfers", "$1::uuid[]")}
"""  # noqa: S608 - ours
_HOLDS_BY_KEY: Final = f"""
SELECT {HOLD_COLUMNS} FROM {each_by("idempotency_key", "ledger_holds", "$1::text[]")}
"""  # noqa: S608 - ours
_HOLDS_BY_ID: Final = f"""
SELECT {HOLD_COLUMNS} FROM {each_by("id", "ledger_holds", "$1::uuid[]")}
"""  # noqa: S608 - ours
# After the accounts' locks: everybody takes them first, so the rows' own locks meet no rival.
_LOCK_HOLDS: Final = f"""
SELECT {HOLD_COLUMNS} FROM {each_by("id", "ledger_holds", "$1::uuid[]", "FOR NO KEY UPDATE")}
"""  # noqa: S608 - ours


async def lock_accounts(session: TenantSession, ids: AbstractSet[UUID]) -> dict[UUID, AccountState]:
    """Lock accounts in the order of their ids until the transaction ends, and read their counters.

    Whoever posts more than once in a transaction locks everything here first: two calls in
    different orders can deadlock. An id that names no account is left out.
    """
    rows = await fetch(session, _LOCK, list(ids))
    return {row[0]: state_of(row) for row in rows}


async def lock_known_accounts(session: TenantSession, ids: AbstractSet[UUID]) -> dict[UUID, AccountState]:
    """`lock_accounts`, where each must be there.

    Raises:
        AccountUnknown: one of the ids names no account here.
    """
    accounts = await lock_accounts(session, ids)
    if len(accounts) != len(ids):
        raise AccountUnknown
    return accounts


async def lock_holds(session: TenantSession, ids: Collection[UUID]) -> dict[UUID, Held]:
    """Lock holds, whose accounts are locked by now, and read how they stand."""
    return {row[0]: _held(row) for row in await fetch(session, _LOCK_HOLDS, sorted(ids))}


async def holds_by_id(session: TenantSession, ids: Collection[UUID]) -> dict[UUID, Held]:
    """Whose accounts are to be locked; how the holds stand is known only under the locks."""
    return {row[0]: _held(row) for row in await fetch(session, _HOLDS_BY_ID, list(ids))}


async def transfers_by_key(session: TenantSession, keys: Sequence[str]) -> list[Posted]:
    """What the keys stand for. Under the locks: by then a rival with the same key has committed."""
    return [_posted(row) for row in await fetch(session, _TRANSFERS_BY_KEY, keys)]


async def transfers_by_id(session: TenantSession, ids: Sequence[UUID]) -> list[Posted]:
    """They never change, so no lock is needed."""
    return [_posted(row) for row in await fetch(session, _TRANSFERS_BY_ID, ids)]


async def holds_by_key(session: TenantSession, keys: Sequence[str]) -> list[Held]:
    """What the keys stand for, under the locks."""
    return [_held(row) for row in await fetch(session, _HOLDS_BY_KEY, keys)]


async def fetch(session: TenantSession, sql: str, *arguments: object) -> Sequence[Sequence[Any]]:
    """Run a statement without the ORM, whose objects cost more than the statement."""
    connection = await session.connection()
    result = await connection.exec_driver_sql(sql, arguments)
    return result.all()


def state_of(row: Sequence[Any]) -> AccountState:
    """An account of STATE_COLUMNS."""
    id_, code, currency, side, custody, holding, floor, ceiling, *counters, entry_count, closed_at = row
    posted_debits, posted_credits, pending_debits, pending_credits = counters
    return AccountState(
        id_,
        code,
        Currency(currency),
        NormalSide(side),
        None if custody is None else Custody(custody),
        holding,
        None if floor is None else int(floor),
        None if ceiling is None else int(ceiling),
        int(posted_debits),
        int(posted_credits),
        int(pending_debits),
        int(pending_credits),
        entry_count,
        closed_at,
    )


def _posted(row: Sequence[Any]) -> Posted:
    id_, source_id, destination_id, source_sequence, destination_sequence, amount_minor, currency = row[:7]
    kind, reference, key, reverses_id, hold_id, details, effective_at, created_at = row[7:]
    posted = Posted(
        id_,
        source_id,
        destination_id,
        source_sequence,
        destination_sequence,
        int(amount_minor),
        Currency(currency),
        kind,
        reference,
        key,
        reverses_id,
        hold_id,
        details,
        effective_at,
    )
    posted.effective_at = effective_at
    posted.created_at = created_at
    return posted


def _held(row: Sequence[Any]) -> Held:
    id_, source_id, destination_id, amount_minor, currency, kind, reference, key, details = row[:9]
    state, posted_minor, expires_at, resolved_at, created_at = row[9:]
    held = Held(
        id_,
        source_id,
        destination_id,
        int(amount_minor),
        Currency(currency),
        kind,
        reference,
        key,
        details,
        state,
        int(posted_minor),
        expires_at,
        resolved_at,
    )
    held.created_at = created_at
    return held
