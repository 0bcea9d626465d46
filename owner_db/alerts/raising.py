"""Raises an alert of the platform's own, in the transaction of what it is about."""

from collections.abc import Mapping
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
    details: Mapping[str, str | int] | None = None,
) -> UUID:
    """Tell the platform's staff what no business's own word is taken for; gives the alert's id.

    While an alert of the same kind and subject is not resolved, that one is counted up instead.
    """
    now = utc_now()
    new = insert(PlatformAlert).values(
        id=new_id(),
        created_at=now,
        tenant_id=tenant_id,
        dedupe_key=f"{kind.value}:{tenant_id or ''}:{subject}",
        kind=kind.value,
        severity=SEVERITIES[kind].value,
        subject=subject,
        message=message,
        details=dict(details or {}),
        state="open",
        count=1,
        last_at=now,
        version=1,
    )
    raised = await session.execute(
        new.on_conflict_do_update(
            index_elements=["dedupe_key"],
            index_where=IS_OWN,
            set_={
                "count": PlatformAlert.count + 1,
                "version": PlatformAlert.version + 1,
                "message": new.excluded.message,
                "details": new.excluded.details,
                "last_at": now,
            },
        ).returning(PlatformAlert.id)
    )
    log.error("platform_alert_raised", alert=kind.value, subject=subject, tenant=str(tenant_id or ""))
    return raised.scalar_one()
