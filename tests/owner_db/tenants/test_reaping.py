"""Businesses that were registered and never used are found after a day."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import update

from core.clock import utc_now
from core.ids import new_id
from owner_db.tenants.models import HookEndpoint, Tenant
from owner_db.tenants.reaping import UNUSED_AFTER, unused_tenants
from owner_db.users.models import ApiKey, Membership, User
from tests.factories.registry import Registry


async def unused(registry: Registry) -> Sequence[UUID]:
    return await unused_tenants(registry.owner, utc_now() + UNUSED_AFTER, limit=10)


async def abandoned(registry: Registry) -> Tenant:
    async with registry.owner.transaction() as session:
        user = User(id=new_id(), email=f"{new_id().hex}@example.com", name="Jane", password_hash="-")
        session.add(user)
    tenant = await registry.active(created_by=user.id)
    async with registry.owner.transaction() as session:
        session.add(Membership(user_id=user.id, tenant_id=tenant.id, role="owner"))
    return tenant


async def test_a_day_old_and_unused_business_is_found(registry: Registry) -> None:
    tenant = await abandoned(registry)

    assert await unused(registry) == [tenant.id]


async def test_a_younger_one_is_not(registry: Registry) -> None:
    await abandoned(registry)

    almost = utc_now() + UNUSED_AFTER - timedelta(minutes=1)
    assert await unused_tenants(registry.owner, almost, limit=10) == []


@pytest.mark.parametrize("sign", ["verified e-mail address", "API key", "channel", "made by the operator"])
async def test_one_that_somebody_speaks_for_is_not(registry: Registry, sign: str) -> None:
    tenant = await abandoned(registry)
    async with registry.owner.transaction() as session:
        if sign == "verified e-mail address":
            await session.execute(update(User).values(email_verified_at=utc_now()))
        elif sign == "API key":
            session.add(
                ApiKey(
                    tenant_id=tenant.id,
                    name="till",
                    secret_hash=b"x",
                    hint="abcd",
                    scopes=[],
                    created_by=tenant.created_by,
                )
            )
        elif sign == "channel":
            session.add(
                HookEndpoint(token_hash=b"x" * 32, tenant_id=tenant.id, provider="mpesa", purpose="stk")
            )
        else:
            await session.execute(update(Tenant).values(created_by=None))

    assert await unused(registry) == []
