"""Switches a proven channel on and off."""

from uuid import UUID

from tenancy.sessions import TenantSession
from tenant_db.channels.errors import ChannelNotSuspended, ChannelNotVerified
from tenant_db.channels.locking import lock_channel, tell
from tenant_db.channels.machine import NEXT, ChannelStatus
from tenant_db.channels.models import Channel
from tenant_db.channels.rules import require_reason


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
    channel.suspended_why = None
    tell(session, channel)
    return channel


async def deactivate(session: TenantSession, channel_id: UUID) -> Channel:
    """Take no new payments on the channel; one that takes none already stays as it is.

    Payments that were sent are still settled.

    Raises:
        NotFound: no such channel.
    """
    channel = await lock_channel(session, channel_id)
    if channel.status in (ChannelStatus.ACTIVE, ChannelStatus.SUSPENDED):
        channel.advance(ChannelStatus.INACTIVE)
        channel.suspended_why = None
        tell(session, channel)
    return channel


async def suspend(session: TenantSession, channel_id: UUID, why: str) -> Channel:
    """Take nothing on an active channel until it is resumed: payments by hand are turned away, too.

    Suspended again, only the reason is new.

    Raises:
        NotFound: no such channel.
        InvalidInput: no reason.
        ChannelNotSuspended: it is not active.
    """
    reason = require_reason(why)
    channel = await lock_channel(session, channel_id)
    if channel.status not in (ChannelStatus.ACTIVE, ChannelStatus.SUSPENDED):
        raise ChannelNotSuspended(channel.status)
    if channel.status == ChannelStatus.ACTIVE:
        channel.advance(ChannelStatus.SUSPENDED)
    channel.suspended_why = reason
    tell(session, channel)
    return channel


async def resume(session: TenantSession, channel_id: UUID) -> Channel:
    """Let a suspended channel collect again; one that does so already stays as it is.

    Raises:
        NotFound: no such channel.
        ChannelNotSuspended: it is neither suspended nor active.
    """
    channel = await lock_channel(session, channel_id)
    if channel.status == ChannelStatus.ACTIVE:
        return channel
    if channel.status != ChannelStatus.SUSPENDED:
        raise ChannelNotSuspended(channel.status)
    channel.advance(ChannelStatus.ACTIVE)
    channel.suspended_why = None
    tell(session, channel)
    return channel
