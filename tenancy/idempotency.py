"""One key of one operation has one answer: success with its ids, or a refusal that repeats.

DomainError
├── IdempotencyKeyReused    the key already stands for another input
└── IdempotencyInProgress   a twin still runs, or holds what this needs: try again with the same key
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Column, Table, bindparam, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.dml import ReturningInsert

from core.clock import utc_now
from core.errors import DomainError, InvalidInput
from core.ids import new_id
from tenancy.columns import IdempotencyColumns
from tenancy.refusals import pack
from tenancy.sessions import OwnerSession, TenantSession
from tenancy.shapes import table_of

KEY_LENGTH_MAX: Final = 255
LOCK_WAIT_MS: Final = 2_000
"""How long a twin waits for the first, and every later statement of the transaction for a lock."""
SUCCESS: Final = "success"
_VISIBLE: Final = re.compile(rf"[!-~]{{1,{KEY_LENGTH_MAX}}}")


class IdempotencyKeyReused(DomainError):
    code = "IDEMPOTENCY_KEY_REUSED"

    def __init__(self) -> None:
        super().__init__("This idempotencyKey was used with other input. Use a new key for a new request.")


class IdempotencyInProgress(DomainError):
    code = "IDEMPOTENCY_IN_PROGRESS"
    retry_after_s = 1

    def __init__(self) -> None:
        super().__init__("The same request is still running. Try again in a second with the same key.")


@dataclass(frozen=True, slots=True)
class Once:
    """What must happen at most once, and how a repeat is known."""

    operation: str
    key: str
    actor: str
    """Who asked, as `{kind}:{id}`; kept, but no part of the key."""
    input: Mapping[str, object]
    """All that decides the effect, in plain values: a repeat must bring the same."""
    ids: Mapping[str, UUID]
    """What the effect makes or changes, by name. Ids are made by us, so they are known before it."""

    def __post_init__(self) -> None:
        if _VISIBLE.fullmatch(self.key) is None:
            raise InvalidInput(
                "idempotencyKey", f"Send 1 to {KEY_LENGTH_MAX} visible ASCII characters without spaces."
            )

    @property
    def input_hash(self) -> bytes:
        """SHA-256 of the canonical input; the version lets the canon change without false alarms."""
        canon = json.dumps(self.input, sort_keys=True, separators=(",", ":"), default=str)
        return sha256(b"v1|" + canon.encode()).digest()


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a key stands for."""

    outcome: str
    result: dict[str, Any]

    @property
    def ids(self) -> dict[str, UUID]:
        return {name: UUID(text) for name, text in self.result.items()}


async def claim(
    session: OwnerSession | TenantSession, once: Once, refusal: DomainError | None = None
) -> Recorded | None:
    """Take the key for this transaction, as a success or as `refusal`; or give what it already stands for.

    None means it is ours: the record stands or falls with the transaction. A rival that holds the key
    is waited for, at most `LOCK_WAIT_MS`; the unique index is the lock, so taking the key and looking
    it up are one statement.

    Raises:
        IdempotencyKeyReused: the key stands for other input.
        sqlalchemy.exc.DBAPIError: the rival took longer; its SQLSTATE is 55P03.
    """
    table = table_of(session, IdempotencyColumns)
    input_hash = once.input_hash
    values = record_values(once) | {"created_at": utc_now(), "input_hash": input_hash}
    if refusal is not None:
        values |= {"outcome": refusal.code, "result": pack(refusal)}
    if await session.scalar(taking(table), values) is not None:
        return None
    found = await session.execute(
        select(table.c.input_hash, table.c.outcome, table.c.result).where(
            table.c.operation == once.operation, table.c.key == once.key
        )
    )
    earlier_hash, outcome, earlier_result = found.one()
    if earlier_hash != input_hash:
        raise IdempotencyKeyReused
    return Recorded(outcome, earlier_result)


def record_values(once: Once, prefix: str = "") -> dict[str, Any]:
    """What `taking` writes of a success, but for `created_at`."""
    values = {
        "id": new_id(),
        "operation": once.operation,
        "key": once.key,
        "actor": once.actor,
        "input_hash": once.input_hash,
        "outcome": SUCCESS,
        "result": {name: str(made) for name, made in once.ids.items()},
    }
    return {f"{prefix}{name}": value for name, value in values.items()}


@cache
def taking(table: Table, prefix: str = "") -> ReturningInsert[tuple[UUID]]:
    """Insert a record unless its key is taken. Built once: every mutation runs it."""
    columns = list(table.columns)
    # A setting made in the statement itself costs no round trip of its own.
    limit = func.set_config("lock_timeout", str(LOCK_WAIT_MS), True)  # noqa: FBT003 - PostgreSQL's own
    row = select(*(bindparam(_bound(column, prefix), type_=column.type) for column in columns))
    return (
        insert(table)
        .from_select(columns, row.where(limit.is_not(None)), include_defaults=False)
        .on_conflict_do_nothing(index_elements=["operation", "key"])
        .returning(table.c.id)
    )


def _bound(column: Column[Any], prefix: str) -> str:
    """Moments are shared by all rows of one statement."""
    return column.name if column.name == "created_at" else f"{prefix}{column.name}"
