"""A business is registered at once; its database follows."""

import asyncio

import pytest
from sqlalchemy import select, update

from core.errors import InvalidInput
from core.ids import new_id
from core.tenant import TenantKind, TenantStatus
from owner_db.outbox.models import OwnerOutbox
from owner_db.tenants.errors import NoServerHasRoom, SlugTaken
from owner_db.tenants.models import DatabaseServer, Tenant, TenantKey
from owner_db.tenants.registering import NewTenant, register_tenant
from owner_db.tenants.rules import parse_code
from owner_db.tenants.servers import NewServer, ensure_server
from owner_db.users.errors import TooManyTenants
from owner_db.users.models import User
from tests.factories.registry import KEY, Registry


async def user_of(registry: Registry) -> User:
    async with registry.owner.transaction() as session:
        user = User(id=new_id(), email=f"{new_id().hex}@example.com", name="Jane", password_hash="-")
        session.add(user)
    return user


async def test_it_has_a_code_a_key_and_a_job(registry: Registry) -> None:
    tenant = await registry.register()

    assert tenant.status == TenantStatus.REQUESTED
    assert parse_code(tenant.code) == tenant.code
    assert tenant.slug == "mama-njeris-shop"
    async with registry.owner.reading() as session:
        key = (await session.scalars(select(TenantKey).where(TenantKey.tenant_id == tenant.id))).one()
        job = (await session.scalars(select(OwnerOutbox))).one()
    assert (key.version, key.wrapped) == (KEY.version, KEY.wrapped)
    assert (job.queue, job.kind, job.payload) == (
        "platform",
        "provision_tenant",
        {"tenant_id": str(tenant.id)},
    )


async def test_database_names_tell_nothing(registry: Registry) -> None:
    tenant = await registry.register()

    assert tenant.database.startswith("t_")
    assert tenant.id.hex[:8] not in tenant.database
    assert "mama" not in tenant.database


async def test_a_name_that_is_taken_gets_another_slug(registry: Registry) -> None:
    first, second = await registry.register(), await registry.register()

    assert second.slug != first.slug
    assert second.slug.startswith("mama-njeris-shop-")


async def test_two_who_want_the_same_slug_at_once(registry: Registry) -> None:
    wanted = [registry.register(slug="duka") for _ in range(5)]

    answers = await asyncio.gather(*wanted, return_exceptions=True)

    assert sum(isinstance(answer, Tenant) for answer in answers) == 1
    assert sum(isinstance(answer, SlugTaken) for answer in answers) == 4


async def test_a_user_has_five_businesses_at_most_however_fast(registry: Registry) -> None:
    user = await user_of(registry)

    answers = await asyncio.gather(
        *(registry.register(created_by=user.id) for _ in range(8)), return_exceptions=True
    )

    assert sum(isinstance(answer, Tenant) for answer in answers) == 5
    assert sum(isinstance(answer, TooManyTenants) for answer in answers) == 3


async def test_a_deleted_business_no_longer_counts(registry: Registry) -> None:
    user = await user_of(registry)
    for _ in range(5):
        await registry.register(created_by=user.id)
    async with registry.owner.transaction() as session:
        await session.execute(update(Tenant).values(status=TenantStatus.DELETED))

    assert (await registry.register(created_by=user.id)).status == TenantStatus.REQUESTED


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": " "},
        {"name": "x" * 101},
        {"name": "a\x00b"},
        {"country": "Kenya"},
        {"slug": "www"},
        {"tier": "gold"},
    ],
)
async def test_what_can_not_be_used_is_refused(registry: Registry, wrong: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        await registry.register(**wrong)


async def test_the_emptiest_open_server_is_chosen(registry: Registry) -> None:
    await registry.register()
    async with registry.owner.transaction() as session:
        await ensure_server(
            session, NewServer("second", "postgresql+asyncpg://b/", "postgresql+asyncpg://b/", 10)
        )

    tenant = await registry.register()

    async with registry.owner.reading() as session:
        assert (await session.get_one(DatabaseServer, tenant.server_id)).name == "second"


async def test_a_full_server_takes_nobody_even_in_a_rush(registry: Registry) -> None:
    async with registry.owner.transaction() as session:
        await session.execute(update(DatabaseServer).values(capacity=2))

    answers = await asyncio.gather(*(registry.register() for _ in range(4)), return_exceptions=True)

    assert sum(isinstance(answer, NoServerHasRoom) for answer in answers) == 2


async def test_the_registry_keeps_no_password(registry: Registry) -> None:
    async with registry.owner.reading() as session:
        server = (await session.scalars(select(DatabaseServer))).one()

    assert "for-tests-only" not in server.tenant_url + server.migrator_url
    assert "for-tests-only" in registry.servers.url(server.migrator_url)


async def test_one_that_waits_for_approval_has_no_job_yet(registry: Registry) -> None:
    new = NewTenant("Shop", TenantKind.INDIVIDUAL, "KE", is_approved=False)
    async with registry.owner.transaction() as session:
        await register_tenant(session, new, KEY)

    async with registry.owner.reading() as session:
        assert (await session.scalars(select(OwnerOutbox))).all() == []
