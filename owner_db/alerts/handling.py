"""What staff do about alerts of the platform's own; copies follow what they copy."""

from datetime import datetime
from uuid import UUID

from core.alerts import AlertState
from core.errors import NotFound
from owner_db.alerts.errors import PlatformAlertResolved
from owner_db.alerts.models import PlatformAlert
from tenancy.sessions import OwnerSession


async def lock_alert(session: OwnerSession, alert_id: UUID) -> PlatformAlert:
    """Raises NotFound."""
    alert = await session.get(PlatformAlert, alert_id, with_for_update=True, populate_existing=True)
    if alert is None:
        raise NotFound("alert")
    return alert


def acknowledge(alert: PlatformAlert, by: str, now: datetime) -> None:
    """Take a locked alert on; again changes nothing. Raises PlatformAlertResolved."""
    if alert.state == AlertState.RESOLVED:
        raise PlatformAlertResolved
    if alert.state == AlertState.OPEN:
        alert.state = AlertState.ACKNOWLEDGED.value
        alert.acknowledged_at = now
        alert.acknowledged_by = by
        alert.version += 1


def resolve(alert: PlatformAlert, by: str, note: str, now: datetime) -> None:
    """Call a locked alert dealt with. Raises PlatformAlertResolved."""
    if alert.state == AlertState.RESOLVED:
        raise PlatformAlertResolved
    alert.state = AlertState.RESOLVED.value
    alert.resolved_at = now
    alert.resolved_by = by
    alert.note = note
    alert.version += 1
