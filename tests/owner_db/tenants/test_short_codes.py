"""A verified production short code is held by one tenant, and a callback's secret names one channel."""

from hashlib import sha256
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from core.ids import new_id
from owner_db.tenants.hooks import register_endpoint
from owner_db.tenants.models import HookEndpoint
from owner_db.tenants.short_codes import claim_short_code
from tenancy.sessions import OwnerDatabase, Tenant
from tests.factories.tenants import register


async def claim(owner: OwnerDatabase, tenant_id: UUID, short_code: str = "600000") -> bool:
    async with owner.transaction() as session:
        return await claim_short_code(session, "mpesa", short_code, tenant_id, new_id())


async def test_the_first_to_prove_a_short_code_holds_it(
    owner: OwnerDatabase, tenant: Tenant, second_tenant: Tenant
) -> None:
    for one in (tenant, second_tenant):
        await register(owner, one.ref)

    assert await claim(owner, tenant.id)
    assert not await claim(owner, second_tenant.id)
    assert await claim(owner, tenant.id)
    assert await claim(owner, second_tenant.id, "600001")


async def test_a_callback_secret_is_registered_once(owner: OwnerDatabase, tenant: Tenant) -> None:
    await register(owner, tenant.ref)
    channel_id = new_id()
    token_hash = sha256(b"token").digest()

    async def registering() -> None:
        async with owner.transaction() as session:
            await register_endpoint(
                session, tenant.id, token_hash, provider="mpesa", purpose="stk", channel_id=channel_id
            )

    await registering()
    with pytest.raises(IntegrityError):
        await registering()

    async with owner.reading() as session:
        found = (await session.scalars(select(HookEndpoint))).one()
    assert (found.tenant_id, found.channel_id, found.purpose) == (tenant.id, channel_id, "stk")
