"""M-Pesa short codes of a business."""

import secrets
from hashlib import sha256
from typing import Final
from uuid import UUID

from sqlalchemy import select

from core.ids import Kind, outside
from core.pages import Page, PageRequest
from owner_db.tenants.hooks import register_endpoint
from resolvers.pages import page_of
from tenancy.audit import acting, record_audit
from tenancy.context import TenantContext
from tenancy.outbox import announce
from tenancy.roles import Scope
from tenancy.sessions import TenantSession
from tenant_db.channels import activating, adding, verifying
from tenant_db.channels.adding import PROVIDER, HookTokens, NewChannel
from tenant_db.channels.models import Channel
from tenant_db.channels.rules import MpesaKeys

TOKEN_BYTES: Final = 16
PLATFORM_QUEUE: Final = "platform"


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
    """Add a short code with its sealed keys, as a draft. Needs channels:write.

    Raises:
        NotFound: no such store.
        ShortCodeTaken: this business has a channel for it in this environment.
    """
    context.require(Scope.CHANNELS_WRITE)
    hooks = HookTokens(*(secrets.token_hex(TOKEN_BYTES) for _ in range(3)))
    async with context.tenant.transaction() as session:
        added = await adding.add_channel(session, context.services.keyring, new, hooks)
        _audit(context, session, "add_channel", added)
        # Last, so that refusals leave nothing behind. A crash in between leaves endpoints that name
        # no channel: callbacks to them are dropped.
        await _register(context, added.id, hooks)
    return added


async def replace_channel_credentials(context: TenantContext, id: UUID, keys: MpesaKeys) -> Channel:
    """Replace the keys; the channel is a draft until they are proven. Needs channels:write.

    Raises:
        NotFound: no such channel.
    """
    context.require(Scope.CHANNELS_WRITE)
    async with context.tenant.transaction() as session:
        changed = await adding.replace_credentials(session, context.services.keyring, id, keys)
        _audit(context, session, "replace_channel_credentials", changed)
    return changed


async def verify_channel(context: TenantContext, id: UUID) -> Channel:
    """Have a job ask the provider whether the keys are right. Needs channels:write.

    Raises:
        NotFound: no such channel.
        ChannelStillActive: it collects now.
    """
    context.require(Scope.CHANNELS_WRITE)
    async with context.tenant.transaction() as session:
        changed = await verifying.start_verification(session, id)
        announce(session, "verify_channel", queue=PLATFORM_QUEUE, channel_id=str(id))
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


def _audit(context: TenantContext, session: TenantSession, action: str, channel: Channel) -> None:
    subject = outside(Kind.CHANNEL, channel.id)
    record_audit(session, acting(context), action, subject=subject, details={"status": channel.status})
