"""What the rest of the platform reads of a tenant."""

import pytest

from core.clock import utc_now
from core.ids import Kind, new_id, outside
from core.tenant import TenantStatus
from owner_db.tenants.directory import find_named, load_tenant, load_tenant_by_slug, mark_dirty
from owner_db.tenants.errors import TenantNotFound
from owner_db.tenants.models import DirtyTenant
from tests.factories.registry import Registry


async def test_a_tenant_is_found_with_all_that_reaching_it_takes(registry: Registry) -> None:
    tenant = await registry.active()

    ref = await load_tenant(registry.owner, registry.servers, tenant.id)

    assert ref is not None
    assert ref == await load_tenant_by_slug(registry.owner, registry.servers, tenant.slug)
    assert (ref.id, ref.status, ref.database, ref.revision) == (
        tenant.id,
        TenantStatus.ACTIVE,
        tenant.database,
        tenant.revision,
    )
    assert ref.database_url == registry.postgres.tenant_url()
    assert ref.tier == "free"


async def test_one_whose_database_is_being_made_has_no_revision_yet(registry: Registry) -> None:
    tenant = await registry.register()

    ref = await load_tenant(registry.owner, registry.servers, tenant.id)

    assert ref is not None
    assert (ref.status, ref.revision) == (TenantStatus.REQUESTED, "")


async def test_nobody_is_nobody(registry: Registry) -> None:
    assert await load_tenant(registry.owner, registry.servers, new_id()) is None


async def test_people_name_a_tenant_by_code_slug_or_id(registry: Registry) -> None:
    tenant = await registry.register()

    for name in (tenant.code, tenant.code.lower(), tenant.slug, outside(Kind.TENANT, tenant.id)):
        assert (await find_named(registry.owner, name)).id == tenant.id
    with pytest.raises(TenantNotFound):
        await find_named(registry.owner, "nobody")


async def test_the_latest_mark_counts(registry: Registry) -> None:
    tenant = await registry.register()
    first, second = utc_now(), utc_now()

    await mark_dirty(registry.owner, tenant.id, second)
    await mark_dirty(registry.owner, tenant.id, first)

    async with registry.owner.reading() as session:
        assert (await session.get_one(DirtyTenant, tenant.id)).marked_at == second
