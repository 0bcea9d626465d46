"""A channel's row is locked before it takes a step, and subscribers hear of each."""

from uuid import UUID

from sqlalchemy import select

from core.errors import NotFound
from tenancy.sessions import Notice, TenantSession
from tenant_db.channels.models import Channel


async def lock_channel(session: TenantSession, channel_id: UUID) -> Channel:
    """Lock the channel until the transaction ends, and read it anew.

    Raises:
        NotFound: there is none with this id.
    """
    found = await session.scalar(
        select(Channel)
        .where(Channel.id == channel_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound("channel")
    return found


def tell(session: TenantSession, channel: Channel) -> None:
    """Publish after the commit that the channel has changed."""
    payload = {"id": str(channel.id), "status": channel.status}
    session.after.notices.append(Notice(f"channel:{channel.id}", payload))
