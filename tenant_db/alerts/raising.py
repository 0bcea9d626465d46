"""Raises an alert in the transaction of what it is about."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, SQLColumnExpression, case, func, literal
from sqlalchemy.dialects.postgresql import array, insert

from core.alerts import SEVERITIES, AlertKind, Severity
from core.clock import utc_now
from core.ids import new_id
from tenancy.outbox import announce
from tenancy.sessions import Notice, TenantSession
from tenant_db.alerts.models import IS_UNRESOLVED, Alert

QUEUE: Final = "platform"
COPY: Final = "copy_alert"
"""The job that shows the platform's staff what a business was shown."""

log = structlog.get_logger()


async def raise_alert(
    session: TenantSession,
    kind: AlertKind,
    subject: str,
    message: str,
    *,
    details: Mapping[str, str | int] | None = None,
    severity: Severity | None = None,
    dedupe_key: str | None = None,
) -> UUID:
    """Tell the people of the business, once this transaction has committed; gives the alert's id.

    While an alert with the same key (its kind and subject, unless given) is not resolved, that one is
    counted up instead. Its row stays locked until the transaction ends, so raise it last.
    `details` must hold no secret and no whole phone number.
    """
    row = _values(kind, subject, message, details, severity, dedupe_key)
    new = insert(Alert).values(row)
    raised = await session.execute(
        new.on_conflict_do_update(
            index_elements=["dedupe_key"],
            index_where=IS_UNRESOLVED,
            set_={
                "count": Alert.count + 1,
                "version": Alert.version + 1,
                "message": new.excluded.message,
                "details": new.excluded.details,
                "last_at": new.excluded.last_at,
                # What was grave once stays so until somebody has looked.
                "severity": case(
                    (_rank(Alert.severity) > _rank(new.excluded.severity), Alert.severity),
                    else_=row["severity"],
                ),
            },
        ).returning(Alert.id, Alert.version, Alert.count)
    )
    id_, version, count = raised.one()
    log.warning("alert_raised", alert=kind.value, subject=subject, count=count)
    tell(session, id_, version, is_worth_copying=count & (count - 1) == 0)
    return id_


def raise_alert_at_end(session: TenantSession, kind: AlertKind, subject: str, message: str) -> None:
    """As `raise_alert`, right before the commit: its row is held for a moment only."""

    async def act(ending: TenantSession) -> None:
        await raise_alert(ending, kind, subject, message)

    session.at_end.append(act)


def tell(session: TenantSession, id: UUID, version: int, *, is_worth_copying: bool = True) -> None:
    """Publish a version of an alert, and leave the job that copies it to the platform.

    A trouble that repeats a thousand times is copied ten times, whenever its count has doubled.
    """
    session.after.notices.append(Notice("alerts", {"id": str(id), "version": version}))
    if is_worth_copying:
        announce(session, COPY, queue=QUEUE, alert_id=str(id))


def _values(  # noqa: PLR0917 - those of `raise_alert`
    kind: AlertKind,
    subject: str,
    message: str,
    details: Mapping[str, str | int] | None,
    severity: Severity | None,
    dedupe_key: str | None,
) -> dict[str, object]:
    now = utc_now()
    return {
        "id": new_id(),
        "created_at": now,
        "dedupe_key": dedupe_key or f"{kind.value}:{subject}",
        "kind": kind.value,
        "severity": (severity or SEVERITIES[kind]).value,
        "subject": subject,
        "message": message,
        "details": dict(details or {}),
        "state": "open",
        "count": 1,
        "last_at": now,
        "version": 1,
    }


def _rank(severity: SQLColumnExpression[str]) -> ColumnElement[int]:
    order = array([literal(each.value) for each in Severity])
    return func.array_position(order, severity)
