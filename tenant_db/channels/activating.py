"""Switches a proven channel on and off."""

from uuid import UUID

from tenancy.sessions import TenantSession
from tenant_db.channels.errors import ChannelNotVerified
from tenant_db.channels.locking import lock_channel, tell
from tenant_db.channels.machine import NEXT, ChannelStatus
from tenant_db.channels.models import Channel


async def activate(session: TenantSession, channel_id: UUID) -> Channel:
    """Let the channel collect; one that does so already stays as it is.

    Raises:
        NotFound: no such channel.
        ChannelNotVerified: its credentials are not proven.
    """
    channel = await lock_channel(session, channel_id)
    if channel.status == ChannelStatus.ACTIVE:
        return channel
    if channel.proof is None or ChannelStatus.ACTIVE not in NEXT[ChannelStatus(channel.status)]:
        raise ChannelNotVerified(channel.status)
    channel.advance(ChannelStatus.ACTIVE)
    tell(session, channel)
    return channel


async def deactivate(session: TenantSession, channel_id: UUID) -> Channel:
    """Take no new payments on the channel; one that takes none already stays as it is.

    Payments that were sent are still settled.

    Raises:
        NotFound: no such channel.
    """
    channel = await lock_channel(session, channel_id)
    if channel.status == ChannelStatus.ACTIVE:
        channel.advance(ChannelStatus.INACTIVE)
        tell(session, channel)
    return channel
