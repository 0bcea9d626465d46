"""Channels, added as a tenant adds them."""

from dataclasses import replace
from typing import Final
from uuid import UUID

from core.clock import utc_now
from core.ids import new_id
from integrations.sandbox import demo
from tenancy.keyring import Keyring
from tenancy.sessions import Tenant
from tenant_db.channels.activating import activate
from tenant_db.channels.adding import HookTokens, NewChannel, add_channel
from tenant_db.channels.machine import ChannelKind, Environment
from tenant_db.channels.models import Channel
from tenant_db.channels.rules import MpesaKeys, OperatorKeys
from tenant_db.channels.verifying import record_verified, start_verification

KEYS: Final = MpesaKeys("consumer-key", "consumer-secret", "the-passkey")
OPERATOR: Final = OperatorKeys(demo.DEMO_INITIATOR, demo.DEMO_INITIATOR_PASSWORD)
"""Whom the sandbox's demo short codes know."""
HOOKS: Final = HookTokens("a" * 32, "b" * 32, "c" * 32)


def new_channel(store_id: UUID, **changes: object) -> NewChannel:
    """An ordinary PayBill, but for what the test is about."""
    new = NewChannel(
        store_id=store_id,
        name="Counter",
        kind=ChannelKind.PAYBILL,
        environment=Environment.SANDBOX,
        short_code="174379",
        head_office_code=None,
        keys=KEYS,
    )
    return replace(new, **changes)  # type: ignore[arg-type]  # the names are checked when it is made


async def make_channel(tenant: Tenant, keyring: Keyring, store_id: UUID, **changes: object) -> Channel:
    """A draft."""
    hooks = HookTokens(*(new_id().hex for _ in range(3)))
    async with tenant.transaction() as session:
        return await add_channel(session, keyring, new_channel(store_id, **changes), hooks)


async def verify(tenant: Tenant, channel_id: UUID, *, secrets_version: int = 1) -> bool:
    """Prove it, as the tenant and the job do."""
    async with tenant.transaction() as session:
        await start_verification(session, channel_id)
    async with tenant.transaction() as session:
        return await record_verified(session, channel_id, secrets_version, utc_now())


async def make_active_channel(tenant: Tenant, keyring: Keyring, store_id: UUID, **changes: object) -> Channel:
    channel = await make_channel(tenant, keyring, store_id, **changes)
    await verify(tenant, channel.id)
    async with tenant.transaction() as session:
        return await activate(session, channel.id)
