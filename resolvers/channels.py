"""M-Pesa short codes of a business."""

import secrets
from hashlib import sha256
from typing import Final
from uuid import UUID

from sqlalchemy import select

from core.ids import Kind, outside
from core.pages import Page, PageRequest
from core.phone import Phone
from owner_db.tenants.hooks import register_endpoint
from resolvers.pages import page_of
from tenancy.audit import acting, record_audit
from tenancy.context import TenantContext
from tenancy.outbox import announce
from tenancy.roles import Scope
from tenancy.sessions import TenantSession
from tenant_db.channels import activating, adding, changing, registering, verifying
from tenant_db.channels.adding import PROVIDER, HookTokens, NewChannel
from tenant_db.channels.changing import ChannelChange
from tenant_db.channels.errors import ChannelHasNoOperator
from tenant_db.channels.locking import lock_channel
from tenant_db.channels.models import Channel
from tenant_db.channels.rules import MpesaKeys, OperatorKeys

TOKEN_BYTES: Final = 16
PLATFORM_QUEUE: Final = "platform"
BEST_PROOF: Final = "best"


async def channels(context: TenantContext, request: PageRequest) -> Page[Channel]:
    """Needs channels:read."""
    context.require(Scope.CHANNELS_READ)
    async with context.tenant.reading() as session:
        return await page_of(session, select(Channel), Channel, request)


async def channel(context: TenantContext, id: UUID) -> Channel | None:
    """Needs channels:read. None: this business has no such channel."""
    context.require(Scope.CHANNELS_READ)
    async with context.tenant.reading() as session:
        return await session.get(Channel, id)


async def add_channel(context: TenantContext, new: NewChannel) -> Channel:
    """Add a short code with its sealed keys; without keys it is a draft. Needs channels:write.

    Raises:
        NotFound: no such store.
        ShortCodeTaken: this business has a channel for it in this environment.
    """
    context.require(Scope.CHANNELS_WRITE)
    async with context.tenant.transaction() as session:
        return await add_in(context, session, new)


async def add_in(context: TenantContext, session: TenantSession, new: NewChannel) -> Channel:
    """As `add_channel`, in a transaction of the caller's, who has checked the permission."""
    hooks = HookTokens(*(secrets.token_hex(TOKEN_BYTES) for _ in range(3)))
    added = await adding.add_channel(session, context.services.keyring, new, hooks)
    _audit(context, session, "add_channel", added)
    # Last, so that refusals leave nothing behind. A crash in between leaves endpoints that name
    # no channel: callbacks to them are dropped.
    await _register(context, added.id, hooks)
    return added


async def replace_channel_credentials(
    context: TenantContext, id: UUID, keys: MpesaKeys, operator: OperatorKeys | None = None
) -> Channel:
    """Replace the keys; the channel does not collect until they are proven. Needs channels:write.

    Raises:
        NotFound: no such channel.
    """
    context.require(Scope.CHANNELS_WRITE)
    async with context.tenant.transaction() as session:
        changed = await adding.replace_credentials(session, context.services.keyring, id, keys, operator)
        _audit(context, session, "replace_channel_credentials", changed)
    return changed


async def set_channel_operator(context: TenantContext, id: UUID, operator: OperatorKeys) -> Channel:
    """Give a channel another API operator; it goes on collecting. Needs channels:write.

    Raises:
        NotFound: no such channel.
    """
    context.require(Scope.CHANNELS_WRITE)
    async with context.tenant.transaction() as session:
        changed = await adding.set_operator(session, context.services.keyring, id, operator)
        _audit(context, session, "set_channel_operator", changed)
    return changed


async def update_channel(context: TenantContext, id: UUID, change: ChannelChange) -> Channel:
    """Change name, store and what is taken by hand. Needs channels:write.

    Raises:
        NotFound: no such channel or store.
    """
    context.require(Scope.CHANNELS_WRITE)
    async with context.tenant.transaction() as session:
        changed = await changing.change_channel(session, id, change)
        _audit(context, session, "update_channel", changed)
    return changed


async def make_channel_primary(context: TenantContext, id: UUID) -> Channel:
    """Make it the channel its store is shown first. Needs channels:write.

    Raises:
        NotFound: no such channel.
    """
    context.require(Scope.CHANNELS_WRITE)
    async with context.tenant.transaction() as session:
        changed = await changing.make_primary(session, id)
        _audit(context, session, "make_channel_primary", changed)
    return changed


async def verify_channel(context: TenantContext, id: UUID, proof: str = BEST_PROOF) -> Channel:
    """Have a job ask the provider whether keys and operator are right. Needs channels:write.

    `proof` is `keys`, `balance`, or `best`: by balance where that can be.

    Raises:
        NotFound: no such channel.
        ChannelHasNoKeys: nothing was given to verify.
        ChannelStillActive: it collects now.
    """
    context.require(Scope.CHANNELS_WRITE)
    async with context.tenant.transaction() as session:
        changed = await verifying.start_verification(session, id)
        announce(session, "verify_channel", queue=PLATFORM_QUEUE, channel_id=str(id), proof=proof)
        _audit(context, session, "verify_channel", changed)
    return changed


async def activate_channel(context: TenantContext, id: UUID) -> Channel:
    """Let a proven channel collect. Needs channels:write.

    Raises:
        NotFound: no such channel.
        ChannelNotVerified: its credentials are not proven.
    """
    context.require(Scope.CHANNELS_WRITE)
    async with context.tenant.transaction() as session:
        changed = await activating.activate(session, id)
        _audit(context, session, "activate_channel", changed)
    return changed


async def deactivate_channel(context: TenantContext, id: UUID) -> Channel:
    """Take no new payments on a channel. Needs channels:write.

    Raises:
        NotFound: no such channel.
    """
    context.require(Scope.CHANNELS_WRITE)
    async with context.tenant.transaction() as session:
        changed = await activating.deactivate(session, id)
        _audit(context, session, "deactivate_channel", changed)
    return changed


async def suspend_channel(context: TenantContext, id: UUID, why: str) -> Channel:
    """Take nothing on a channel until it is resumed. Needs channels:write.

    Raises:
        NotFound: no such channel.
        ChannelNotSuspended: it is not active.
    """
    context.require(Scope.CHANNELS_WRITE)
    async with context.tenant.transaction() as session:
        changed = await activating.suspend(session, id, why)
        _audit(context, session, "suspend_channel", changed, why)
    return changed


async def resume_channel(context: TenantContext, id: UUID) -> Channel:
    """Let a suspended channel collect again. Needs channels:write.

    Raises:
        NotFound: no such channel.
        ChannelNotSuspended: it is not suspended.
    """
    context.require(Scope.CHANNELS_WRITE)
    async with context.tenant.transaction() as session:
        changed = await activating.resume(session, id)
        _audit(context, session, "resume_channel", changed)
    return changed


async def register_channel_urls(context: TenantContext, id: UUID, pull_phone: Phone | None = None) -> Channel:
    """Have a job register where payments by hand are told; production takes it once. Needs channels:write.

    Raises:
        NotFound: no such channel.
        ChannelHasNoKeys: it has no keys.
    """
    context.require(Scope.CHANNELS_WRITE)
    async with context.tenant.transaction() as session:
        changed = await registering.request_urls(session, id, pull_phone)
        announce(session, "register_channel_urls", queue=PLATFORM_QUEUE, channel_id=str(id))
        _audit(context, session, "register_channel_urls", changed)
    return changed


async def check_channel_balance(context: TenantContext, id: UUID) -> Channel:
    """Have a job ask M-Pesa for a channel's balance. Needs channels:write.

    Raises:
        NotFound: no such channel.
        ChannelHasNoOperator: nobody can ask.
    """
    context.require(Scope.CHANNELS_WRITE)
    async with context.tenant.transaction() as session:
        found = await lock_channel(session, id)
        if found.initiator_name is None:
            raise ChannelHasNoOperator
        announce(session, "check_balance", queue=PLATFORM_QUEUE, channel_id=str(id))
        _audit(context, session, "check_channel_balance", found)
    return found


async def _register(context: TenantContext, channel_id: UUID, hooks: HookTokens) -> None:
    purposes = {
        "stk": hooks.stk,
        "c2b_confirmation": hooks.confirmation,
        "c2b_validation": hooks.validation,
    }
    async with context.services.owner.transaction() as session:
        for purpose, token in purposes.items():
            await register_endpoint(
                session,
                context.tenant.id,
                sha256(token.encode()).digest(),
                provider=PROVIDER,
                purpose=purpose,
                channel_id=channel_id,
            )


def _audit(
    context: TenantContext, session: TenantSession, action: str, channel: Channel, reason: str | None = None
) -> None:
    subject, details = outside(Kind.CHANNEL, channel.id), {"status": channel.status}
    record_audit(session, acting(context), action, subject=subject, reason=reason, details=details)
