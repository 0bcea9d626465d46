"""What people do about an alert: take it on, or call it dealt with."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from core.alerts import AlertState
from core.errors import NotFound
from tenancy.sessions import TenantSession
from tenant_db.alerts.errors import AlertResolved
from tenant_db.alerts.models import Alert
from tenant_db.alerts.raising import tell


async def acknowledge_alert(session: TenantSession, alert_id: UUID, by: str, now: datetime) -> Alert:
    """Say that `by` deals with it; again changes nothing.

    Raises:
        NotFound: no such alert.
        AlertResolved: it was dealt with before.
    """
    alert = await _locked(session, alert_id)
    if alert.state == AlertState.RESOLVED:
        raise AlertResolved
    if alert.state == AlertState.OPEN:
        alert.state = AlertState.ACKNOWLEDGED.value
        alert.acknowledged_at = now
        alert.acknowledged_by = by
        _changed(session, alert)
    return alert


async def resolve_alert(session: TenantSession, alert_id: UUID, by: str, note: str, now: datetime) -> Alert:
    """Call it dealt with: the same trouble later is a new alert.

    Raises:
        NotFound: no such alert.
        AlertResolved: it was dealt with before.
    """
    alert = await _locked(session, alert_id)
    if alert.state == AlertState.RESOLVED:
        raise AlertResolved
    _resolve(session, alert, by, note, now)
    return alert


async def resolve_by_key(session: TenantSession, dedupe_key: str, by: str, note: str, now: datetime) -> None:
    """Resolve what was raised under a key, if it still stands: its trouble was dealt with elsewhere."""
    alert = await session.scalar(
        select(Alert)
        .where(Alert.dedupe_key == dedupe_key, Alert.state != AlertState.RESOLVED)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if alert is not None:
        _resolve(session, alert, by, note, now)


def _resolve(session: TenantSession, alert: Alert, by: str, note: str, now: datetime) -> None:
    alert.state = AlertState.RESOLVED.value
    alert.resolved_at = now
    alert.resolved_by = by
    alert.note = note
    _changed(session, alert)


def _changed(session: TenantSession, alert: Alert) -> None:
    alert.version += 1
    tell(session, alert.id, alert.version)


async def _locked(session: TenantSession, alert_id: UUID) -> Alert:
    alert = await session.get(Alert, alert_id, with_for_update=True, populate_existing=True)
    if alert is None:
        raise NotFound("alert")
    return alert
