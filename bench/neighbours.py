"""A second business on the same system, set up the way a person would do it."""

import secrets
from dataclasses import replace
from typing import Final
from uuid import UUID

from inside import inside
from system import System

from core.ids import Kind, outside
from core.tenant import TenantKind, TenantStatus
from integrations.sandbox.demo import (
    DEMO_CONSUMER_KEY,
    DEMO_CONSUMER_SECRET,
    DEMO_PASSKEY,
    DEMO_TILL,
    DEMO_TILL_HEAD_OFFICE,
)
from owner_db.users.models import User
from resolvers import api_keys, channels, channels_feed, registering, stores
from server.compose import Process
from tenancy.context import Principal, RequestInfo, TenantContext
from tenancy.roles import ROLE_SCOPES, Role
from tenant_db.channels.adding import NewChannel
from tenant_db.channels.machine import ChannelKind, ChannelStatus, Environment
from tenant_db.channels.rules import MpesaKeys
from tenant_db.stores.creating import NewStore

REQUEST: Final = RequestInfo("bench", "127.0.0.1", "make bench")


async def neighbour(running: System) -> System:
    """The same system as a new business sees it: with a channel and an API key of its own."""
    async with inside(running) as here:
        context = await _registered(here)
        store = await stores.create_store(context, NewStore("Duka Jirani", "main", "Africa/Nairobi"))
        channel_id = await _channel(context, store.id)
        _, api_key = await api_keys.create_api_key(context, "Bench", ROLE_SCOPES[Role.ADMIN], None)
    own = {
        "api_key": api_key,
        "channel_id": outside(Kind.CHANNEL, channel_id),
        "store_id": outside(Kind.STORE, store.id),
    }
    return replace(running, demo={**running.demo, **own})


async def _registered(here: Process) -> TenantContext:
    services = here.services
    anonymous = TenantContext(services, REQUEST)
    name = f"jirani-{secrets.token_hex(4)}"
    business = registering.NewBusiness("Duka Jirani", TenantKind.SMALL_BUSINESS, "KE", name)
    signed, tenant = await registering.register_business(
        anonymous,
        registering.Registration(f"{name}@example.com", secrets.token_urlsafe(15), "Jirani", business),
    )
    async with services.owner.transaction() as session:
        user = await session.get_one(User, signed.user_id)
        user.email_verified_at = services.clock()
    principal = Principal("user", signed.user_id, tenant.id, ROLE_SCOPES[Role.OWNER], Role.OWNER, None)
    updates = registering.watch_tenant(TenantContext(services, REQUEST, principal), tenant.id)
    async for now in updates:
        if now.status == TenantStatus.ACTIVE:
            break
        if now.status == TenantStatus.FAILED:
            raise AssertionError(f"the neighbour has no database: {now.status_reason}")
    return TenantContext(services, REQUEST, principal, await services.tenants.find(tenant.id))


async def _channel(context: TenantContext, store_id: UUID) -> UUID:
    keys = MpesaKeys(DEMO_CONSUMER_KEY, DEMO_CONSUMER_SECRET, DEMO_PASSKEY)
    # The demo's PayBill has registered where its payments are told: this is another short code.
    new = NewChannel(
        store_id, "Till", ChannelKind.TILL, Environment.SANDBOX, DEMO_TILL, DEMO_TILL_HEAD_OFFICE, keys
    )
    added = await channels.add_channel(context, new)
    await channels.verify_channel(context, added.id)
    async for now in channels_feed.channel_updates(context, added.id):
        if now.status == ChannelStatus.VERIFIED:
            break
        if now.status == ChannelStatus.REFUSED:
            raise AssertionError(f"the neighbour's channel was refused: {now.refusal}")
    await channels.activate_channel(context, added.id)
    return added.id
