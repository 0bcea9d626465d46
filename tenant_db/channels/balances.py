"""What a channel's short code holds, as M-Pesa told it last."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from core.money import Money
from tenancy.sessions import TenantSession
from tenant_db.channels.locking import lock_channel, tell


async def note_balance(
    session: TenantSession, channel_id: UUID, available: Sequence[Money], now: datetime
) -> None:
    """Keep the sum of a short code's accounts; none that could be read changes nothing."""
    if not available:
        return
    channel = await lock_channel(session, channel_id)
    channel.balance_minor = sum(amount.minor for amount in available)
    channel.balance_at = now
    tell(session, channel)
