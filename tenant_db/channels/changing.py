"""Changes what a channel is called, whose it is, and what it takes by hand."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import exists, select, update

from core.errors import NotFound
from tenancy.sessions import TenantSession
from tenant_db.channels.locking import lock_channel, tell
from tenant_db.channels.models import Channel
from tenant_db.channels.rules import require_limits
from tenant_db.stores.models import Store
from tenant_db.stores.rules import require_name


@dataclass(frozen=True, slots=True)
class ChannelChange:
    """What a channel is to be from now on.

    Raises:
        InvalidInput: a name or limit that can't be.
    """

    name: str
    store_id: UUID
    activates_itself: bool
    refuses_unknown_accounts: bool
    least_minor: int | None
    most_minor: int | None

    def __post_init__(self) -> None:
        require_name(self.name)
        require_limits(self.least_minor, self.most_minor)


async def change_channel(session: TenantSession, channel_id: UUID, change: ChannelChange) -> Channel:
    """Change a channel; money that came in before stays where it is.

    Raises:
        NotFound: no such channel or store.
    """
    channel = await lock_channel(session, channel_id)
    if not await session.scalar(select(exists().where(Store.id == change.store_id))):
        raise NotFound("store")
    if change.store_id != channel.store_id:
        # The other store may have a primary channel of its own.
        channel.is_primary = False
    channel.name = change.name
    channel.store_id = change.store_id
    channel.activates_itself = change.activates_itself
    channel.refuses_unknown_accounts = change.refuses_unknown_accounts
    channel.least_minor = change.least_minor
    channel.most_minor = change.most_minor
    tell(session, channel)
    return channel


async def make_primary(session: TenantSession, channel_id: UUID) -> Channel:
    """Make it the channel its store is shown first, in place of the one before.

    Raises:
        NotFound: no such channel.
    """
    channel = await lock_channel(session, channel_id)
    # The store's row keeps two that are made primary at once from each other.
    await session.execute(select(Store.id).where(Store.id == channel.store_id).with_for_update())
    await session.execute(
        update(Channel)
        .where(Channel.store_id == channel.store_id, Channel.is_primary, Channel.id != channel.id)
        .values(is_primary=False)
        .execution_options(synchronize_session="fetch")
    )
    channel.is_primary = True
    tell(session, channel)
    return channel
