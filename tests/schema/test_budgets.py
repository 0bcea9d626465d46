"""Who pays for an operation."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from core.ids import new_id
from schema.budgets import CALLERS_AT_ONCE, Allowance, Charging
from tenancy.context import Principal, RequestInfo, Services, TenantContext
from tenancy.errors import RateLimited
from tenancy.sessions import Tenant

ALLOWED = Allowance(100, 1, 5)


async def tiers() -> Mapping[str, Allowance]:
    return {"test": ALLOWED}


async def as_key(services: Services, tenant: Tenant) -> TenantContext:
    principal = Principal("api_key", new_id(), tenant.id, frozenset(), None, None)
    bound = await services.tenants.find(tenant.id)
    bound.ref = replace(bound.ref, tier="test")
    return TenantContext(services, RequestInfo("r1", "192.0.2.7", "tests"), principal, bound)


async def test_more_keys_are_no_way_around_the_limit_of_a_business(
    services: Services, tenant: Tenant, second_tenant: Tenant
) -> None:
    charging = Charging(tiers)
    for _ in range(CALLERS_AT_ONCE):
        await charging.charge(await as_key(services, tenant), ALLOWED.capacity)

    with pytest.raises(RateLimited):
        await charging.charge(await as_key(services, tenant), ALLOWED.capacity)

    await charging.charge(await as_key(services, second_tenant), ALLOWED.capacity)


async def test_a_key_alone_has_its_own_limit(services: Services, tenant: Tenant) -> None:
    charging, key = Charging(tiers), await as_key(services, tenant)
    (await charging.charge(key, ALLOWED.capacity)).settle(0)
    await charging.charge(key, ALLOWED.capacity)

    with pytest.raises(RateLimited):
        await charging.charge(key, ALLOWED.capacity)


async def test_addresses_of_one_ipv6_network_share_a_limit(services: Services) -> None:
    charging = Charging(tiers)

    def nobody(ip: str) -> TenantContext:
        return TenantContext(services, RequestInfo("r1", ip, "tests"))

    await charging.charge(nobody("2001:db8::1"), 2_000)
    with pytest.raises(RateLimited):
        await charging.charge(nobody("2001:db8::2"), 2_000)
    await charging.charge(nobody("2001:db8:0:1::1"), 2_000)
