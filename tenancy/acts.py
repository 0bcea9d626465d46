"""An act and the job it leaves, in one statement: what mutations do hundreds of times a second."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import CTE, FromClause, Insert, Table, bindparam, inspect, select
from sqlalchemy.dialects.postgresql import insert

from core.clock import utc_now
from core.ids import new_id
from tenancy.audit import Actor
from tenancy.columns import AuditColumns, OutboxColumns
from tenancy.outbox import wake
from tenancy.sessions import OwnerSession, TenantSession
from tenancy.shapes import model_of

_ACT: Final = "act_"
_JOB: Final = "job_"
_STATEMENTS: Final[dict[type, Insert]] = {}


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody did, for the audit log."""

    actor: Actor
    action: str
    subject: str
    """The TypeID of what it was done to."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be done about it once the transaction has committed."""

    kind: str
    queue: str
    ids: Mapping[str, str]
    """What the job reads again when it runs, never a document."""


async def record_act(session: OwnerSession | TenantSession, act: Act, job: Job) -> None:
    """Do what `record_audit` and `announce` do, for one act and the job it leaves, at half their cost."""
    now = utc_now()
    await session.execute(_statement(session), act_values(act, job, now))
    wake(session, job.queue, now)


def act_values(act: Act, job: Job, now: datetime) -> dict[str, object]:
    """What `act_rows` writes."""
    return {
        **_act_values(act),
        **_job_values(job),
        f"{_ACT}created_at": now,
        f"{_JOB}created_at": now,
        f"{_JOB}next_attempt_at": now,
    }


def _act_values(act: Act) -> dict[str, Any]:
    return {
        f"{_ACT}id": new_id(),
        f"{_ACT}actor_kind": act.actor.kind,
        f"{_ACT}actor_id": act.actor.id,
        f"{_ACT}action": act.action,
        f"{_ACT}subject": act.subject,
        f"{_ACT}reason": None,
        f"{_ACT}ip": act.actor.ip,
        f"{_ACT}user_agent": act.actor.user_agent,
        f"{_ACT}request_id": act.actor.request_id,
        f"{_ACT}details": {},
    }


def _job_values(job: Job) -> dict[str, Any]:
    return {
        f"{_JOB}id": new_id(),
        f"{_JOB}queue": job.queue,
        f"{_JOB}kind": job.kind,
        f"{_JOB}payload": dict(job.ids),
        f"{_JOB}state": "pending",
        f"{_JOB}attempts": 0,
        f"{_JOB}leased_until": None,
        f"{_JOB}last_error": None,
        f"{_JOB}finished_at": None,
    }


def _statement(session: OwnerSession | TenantSession) -> Insert:
    """Built once for each of the two databases."""
    kind = type(session)
    if kind not in _STATEMENTS:
        act = _inserted(inspect(model_of(session, AuditColumns)).local_table, _ACT).cte("act")
        job = _inserted(inspect(model_of(session, OutboxColumns)).local_table, _JOB)
        _STATEMENTS[kind] = job.add_cte(act)
    return _STATEMENTS[kind]


def act_rows(audit: Table, outbox: Table, source: FromClause) -> tuple[CTE, CTE]:
    """The act and its job as parts of a larger statement, written if `source` has its one row."""
    return _inserted_for(audit, _ACT, source).cte("act"), _inserted_for(outbox, _JOB, source).cte("job")


def _inserted_for(table: Table, prefix: str, source: FromClause) -> Insert:
    row = [bindparam(f"{prefix}{column.name}", type_=column.type) for column in table.columns]
    names = [column.name for column in table.columns]
    return insert(table).from_select(names, select(*row).select_from(source), include_defaults=False)


def _inserted(table: Table, prefix: str) -> Insert:
    values = {column.name: bindparam(f"{prefix}{column.name}", type_=column.type) for column in table.columns}
    return insert(table).values(values)
