"""Raises an alert of the platform's own, in the transaction of what it is about."""

from uuid import UUID

import structlog
from sqlalchemy.dialects.postgresql import insert

from core.alerts import SEVERITIES, AlertKind
from core.clock import utc_now
from core.ids import new_id
from owner_db.alerts.models import IS_OWN, PlatformAlert
from tenancy.sessions import OwnerSession

log = structlog.get_logger()


async def raise_platform_alert(
    session: OwnerSession,
    kind: AlertKind,
    subject: str,
    message: str,
    *,
    tenant_id: UUID | None = None,
) -> UUID:
    """Tell the platform's staff what no business's own word is taken for; gives the alert's id.

    While an alert of the same kind and subject is not resolved, that one is counted up instead.
    """
    new = insert(PlatformAlert).values(
        **_fresh(kind, message),
        tenant_id=tenant_id,
        dedupe_key=f"{kind.value}:{tenant_id or ''}:{subject}",
        subject=subject,
    )
    raised = await session.execute(
        new.on_conflict_do_update(
            index_elements=["dedupe_key"],
            index_where=IS_OWN,
            set_={
                "count": PlatformAlert.count + 1,
                "version": PlatformAlert.version + 1,
                "message": new.excluded.message,
                "last_at": new.excluded.last_at,
            },
        ).returning(PlatformAlert.id)
    )
    log.error("platform_alert_raised", alert=kind.value, subject=subject, tenant=str(tenant_id or ""))
    return raised.scalar_one()


def _fresh(kind: AlertKind, message: str) -> dict[str, object]:
    now = utc_now()
    return {
        "id": new_id(),
        "created_at": now,
        "last_at": now,
        "kind": kind.value,
        "severity": SEVERITIES[kind].value,
        "message": message,
        "details": {},
        "state": "open",
        "count": 1,
        "version": 1,
    }
