"""Takes a provider's message out of the inbox, and writes down what became of it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from tenancy.sessions import TenantSession
from tenant_db.inbox.models import TenantInbox

RECEIVED = "received"


async def take(session: TenantSession, inbox_id: UUID) -> TenantInbox | None:
    """Lock a message that nobody has dealt with yet; None where somebody has."""
    found = await session.scalar(
        select(TenantInbox)
        .where(TenantInbox.id == inbox_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return found if found is not None and found.state == RECEIVED else None


def close(message: TenantInbox, now: datetime) -> None:
    """It had its effect, or had it before."""
    message.state = "processed"
    message.processed_at = now


def quarantine(message: TenantInbox, why: str, now: datetime) -> None:
    """Nothing of it counts; it stays as it came, for a person to look at."""
    message.state = "quarantined"
    message.note = why
    message.processed_at = now
