"""Tells people of messages that are set aside."""

from uuid import UUID

import structlog

from core.alerts import AlertKind
from core.ids import Kind, outside
from tenancy.sessions import TenantSession
from tenant_db.alerts.raising import raise_alert_at_end
from tenant_db.inbox.models import TenantInbox

log = structlog.get_logger()


def alert_quarantined(session: TenantSession, message: TenantInbox, why: str) -> None:
    """Raise one alert for all messages of a channel that are set aside, counted up with each."""
    log.warning("message_quarantined", inbox_id=str(message.id), why=why)
    subject = outside(Kind.CHANNEL, UUID(message.source.partition(":")[2]))
    raise_alert_at_end(session, AlertKind.MESSAGE_QUARANTINED, subject, why)
