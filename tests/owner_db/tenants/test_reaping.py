"""Businesses that were registered and never used are found after a day."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any, cast
from uuid import UUID

import pytest
from sqlalchemy import update

from core.clock import utc_now
from core.ids import new_id
from core.tenant import TenantStatus
from jobs.retention import reap_unused
from owner_db.tenants.directory import load_tenant
from owner_db.tenants.models import HookEndpoint, Tenant
from owner_db.tenants.reaping import UNUSED_AFTER, unused_tenants
from owner_db.users.models import ApiKey, Membership, User
from tenancy.context import Services
from tenancy.directory import CachedDirectory
from tenancy.engines import Tenants
from tenancy.policy import Policy
from tests.factories.registry import Registry


async def unused(registry: Registry) -> Sequence[UUID]:
    return await unused_tenants(registry.owner, utc_now() + UNUSED_AFTER, limit=10)


async def abandoned(registry: Registry, *, is_approved: bool = True) -> Tenant:
    async with registry.owner.transaction() as session:
        user = User(id=new_id(), email=f"{new_id().hex}@example.com", name="Jane", password_hash="-")
        session.add(user)
    if is_approved:
        tenant = await registry.active(created_by=user.id)
    else:
        tenant = await registry.register(created_by=user.id, is_approved=False)
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


async def test_one_that_nobody_approved_gives_its_place_back(registry: Registry) -> None:
    waiting = await abandoned(registry, is_approved=False)
    active = await abandoned(registry)

    await reap_unused(reapers_services(registry), registry.servers)

    for tenant in (waiting, active):
        assert (await registry.read(tenant.id)).status == TenantStatus.DELETED
        assert tenant.database not in await registry.databases()


def reapers_services(registry: Registry) -> Services:
    """What the reaper uses of a worker's services, a day later; the rest is not there."""
    nothing = cast("Any", None)
    directory = CachedDirectory(partial(load_tenant, registry.owner, registry.servers))
    return Services(
        owner=registry.owner,
        tenants=Tenants(directory, nothing, nothing),
        feed=nothing,
        keyring=nothing,
        limits=nothing,
        tokens=nothing,
        policy=Policy(),
        clock=lambda: utc_now() + UNUSED_AFTER,
        circuits=nothing,
        tenant_changed=registry.invalidate,
    )
