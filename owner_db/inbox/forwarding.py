"""Messages that wait at the platform for a tenant that can't be reached."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update

from owner_db.inbox.models import OwnerInbox
from tenancy.sessions import OwnerSession


async def waiting(session: OwnerSession, inbox_id: UUID) -> OwnerInbox | None:
    """The message, unless it was forwarded before."""
    return await session.scalar(
        select(OwnerInbox).where(OwnerInbox.id == inbox_id, OwnerInbox.state == "received")
    )


async def drop_forwarded(session: OwnerSession, inbox_id: UUID, now: datetime) -> None:
    """Mark it forwarded and forget its content: a tenant's data stays in the tenant's database."""
    await session.execute(
        update(OwnerInbox)
        .where(OwnerInbox.id == inbox_id)
        .values(state="processed", processed_at=now, body=b"", headers={})
        .execution_options(synchronize_session=False)
    )
