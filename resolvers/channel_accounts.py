"""Which store the money belongs to that is paid to an account of a channel."""

from collections.abc import Sequence
from uuid import UUID

from core.ids import Kind, outside
from tenancy.audit import acting, record_audit
from tenancy.context import TenantContext
from tenancy.roles import Scope
from tenant_db.channels import mapping
from tenant_db.channels.mapping import NewAccount
from tenant_db.channels.models import Channel, ChannelAccount
from tenant_db.orders.matching import order_typed
from tenant_db.orders.models import Order


async def channel_accounts(context: TenantContext, channel_id: UUID) -> Sequence[ChannelAccount]:
    """A channel's mapping. Needs channels:read."""
    context.require(Scope.CHANNELS_READ)
    async with context.tenant.reading() as session:
        return await mapping.accounts_of(session, channel_id)


async def preview_account(
    context: TenantContext, channel_id: UUID, account: str
) -> tuple[ChannelAccount | None, Order | None] | None:
    """Where money typed to an account would go: the mapping's entry, and an open order of that reference.

    None: this business has no such channel. Needs channels:read.
    """
    context.require(Scope.CHANNELS_READ)
    async with context.tenant.reading() as session:
        if await session.get(Channel, channel_id) is None:
            return None
        entry = mapping.best_fit(await mapping.accounts_of(session, channel_id), account)
        order = await order_typed(session, account)
    return entry, order if order is not None and order.status == "open" else None


async def map_account(context: TenantContext, channel_id: UUID, new: NewAccount) -> ChannelAccount:
    """Add an entry to a channel's mapping. Needs channels:write.

    Raises:
        NotFound: no such channel or store.
        AccountTaken, MappingFull: the mapping does not take it.
    """
    context.require(Scope.CHANNELS_WRITE)
    async with context.tenant.transaction() as session:
        entry = await mapping.map_account(session, channel_id, new)
        subject, details = outside(Kind.CHANNEL, channel_id), {"pattern": str(new.pattern)}
        record_audit(session, acting(context), "map_account", subject=subject, details=details)
    return entry


async def unmap_account(context: TenantContext, entry_id: UUID) -> UUID:
    """Take an entry out of its channel's mapping; gives the channel's id. Needs channels:write.

    Raises:
        NotFound: no such entry.
    """
    context.require(Scope.CHANNELS_WRITE)
    async with context.tenant.transaction() as session:
        channel_id = await mapping.unmap_account(session, entry_id)
        subject = outside(Kind.CHANNEL, channel_id)
        details = {"entry": outside(Kind.MAPPING, entry_id)}
        record_audit(session, acting(context), "unmap_account", subject=subject, details=details)
    return channel_id
