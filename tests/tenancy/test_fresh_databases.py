"""What the shared fixtures promise."""

import asyncpg
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import create_async_engine

from owner_db.tenants.models import Tenant as TenantRow
from server.embedded_roles import MIGRATOR_ROLE, OWNER_ROLE, TENANT_ROLE
from tenancy.context import Services
from tenancy.sessions import OwnerDatabase, Tenant
from tenant_db.identity.models import Identity
from tests.conftest import RecordedSignals
from tests.databases import PostgresServer
from tests.factories.tenants import register

TIERS = "SELECT * FROM tiers ORDER BY code"


async def test_a_fresh_tenant_database_says_whose_it_is(tenant: Tenant, second_tenant: Tenant) -> None:
    async with tenant.reading() as session, second_tenant.reading() as other:
        assert await session.scalar(select(Identity.tenant_id)) == tenant.id
        assert await other.scalar(select(Identity.tenant_id)) == second_tenant.id


async def test_a_registered_tenant_is_in_the_owner_database(owner: OwnerDatabase, tenant: Tenant) -> None:
    await register(owner, tenant.ref)

    async with owner.reading() as session:
        row = await session.get_one(TenantRow, tenant.id)
    assert row.database == tenant.ref.database


async def test_what_is_written_once_can_not_be_changed_by_the_application(tenant: Tenant) -> None:
    async with tenant.transaction() as session:
        with pytest.raises(ProgrammingError, match="permission denied"):
            await session.execute(text("UPDATE ledger_transfers SET amount_minor = 1"))


async def test_a_process_serves_both_registered_tenants(services: Services, tenant: Tenant) -> None:
    found = await services.tenants.find(tenant.id)

    assert [row["tenant_id"] for row in await found.rows("SELECT tenant_id FROM identity")] == [tenant.id]


async def test_no_role_reaches_the_other_ones_databases(
    postgres: PostgresServer, owner: OwnerDatabase, tenant: Tenant
) -> None:
    owner_name = str(owner.engine.url.database)
    for role, database in ((TENANT_ROLE, owner_name), (OWNER_ROLE, tenant.ref.database)):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await postgres.connect(role, database)


async def test_a_database_is_lent_again_without_what_was_written_in_it(
    postgres: PostgresServer, tenant: Tenant
) -> None:
    name = await postgres.lend_owner()
    connection = await postgres.connect_to_tamper(name)
    shipped = await connection.fetch(TIERS)
    engine = create_async_engine(postgres.url(OWNER_ROLE, name))
    await register(OwnerDatabase(engine, RecordedSignals()), tenant.ref)
    await connection.execute("UPDATE tiers SET name = 'Changed'")
    await postgres.take_back(name)

    assert await postgres.lend_owner() == name

    again = await postgres.connect_to_tamper(name)
    assert await again.fetch(TIERS) == shipped
    assert await again.fetchval("SELECT count(*) FROM tenants") == 0
    await again.close()
    await engine.dispose()
    await postgres.take_back(name)


async def test_a_database_whose_tables_may_have_been_changed_is_not_lent_again(
    postgres: PostgresServer,
) -> None:
    name = await postgres.lend_owner()
    await (await postgres.connect(MIGRATOR_ROLE, name)).close()
    await postgres.take_back(name)

    other = await postgres.lend_owner()
    assert other != name
    await postgres.take_back(other)
