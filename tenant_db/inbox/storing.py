"""Stores a message and the job that reads it in one statement: hooks are told hundreds a second."""

from datetime import datetime
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import Table, bindparam, literal, select
from sqlalchemy.dialects.postgresql import insert

from core.ids import new_id
from tenancy.inbox import NewMessage
from tenancy.prepared import Prepared
from tenancy.sessions import AfterCommit, Tenant
from tenant_db.inbox.models import TenantInbox
from tenant_db.outbox.models import TenantOutbox

_INBOX: Final = cast("Table", TenantInbox.__table__)
_OUTBOX: Final = cast("Table", TenantOutbox.__table__)
_JOB: Final = "job_"


async def store_at_once(tenant: Tenant, new: NewMessage, kind: str, queue: str, now: datetime) -> UUID | None:
    """Keep one message, with a job of this kind that names it as `inbox_id`.

    None, and nothing is written, where the same source sent this `external_id` before.

    Raises:
        TenantNotServed, TransactionInterrupted: as `Tenant.write`.
    """
    id_ = new_id()
    values: dict[str, Any] = {
        "id": id_,
        "created_at": now,
        "source": new.source,
        "kind": new.kind,
        "external_id": new.external_id,
        "item_hash": new.item_hash,
        "headers": dict(new.headers),
        "body": new.body,
        "state": "received",
        "note": None,
        "processed_at": None,
        f"{_JOB}id": new_id(),
        f"{_JOB}queue": queue,
        f"{_JOB}kind": kind,
        f"{_JOB}payload": {"inbox_id": str(id_)},
        f"{_JOB}next_attempt_at": now,
    }
    after = AfterCommit(due={queue: now.timestamp()})
    rows = await tenant.write(_STORE.sql, *_STORE.arguments(values), after=after)
    return id_ if rows else None


def _store() -> Prepared:
    message = [bindparam(column.name, type_=column.type) for column in _INBOX.columns]
    stored = (
        insert(_INBOX)
        .from_select([column.name for column in _INBOX.columns], select(*message), include_defaults=False)
        .on_conflict_do_nothing(index_elements=["source", "external_id"])
        .returning(_INBOX.c.id)
        .cte("stored")
    )
    columns = _OUTBOX.c
    job: dict[str, Any] = {
        name: bindparam(f"{_JOB}{name}", type_=columns[name].type)
        for name in ("id", "queue", "kind", "payload", "next_attempt_at")
    }
    job["created_at"] = bindparam("created_at", type_=columns.created_at.type)
    job |= {"state": literal("pending"), "attempts": literal(0)}
    row = select(*job.values()).select_from(stored)
    announced = insert(_OUTBOX).from_select(list(job), row, include_defaults=False)
    return Prepared(select(stored.c.id).add_cte(announced.cte("announced")))


_STORE: Final = _store()
