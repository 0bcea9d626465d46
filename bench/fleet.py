"""Many active tenants at once, copied by hand: the saga itself has a benchmark of its own."""

import asyncio
import secrets
from typing import Final

import asyncpg
from cluster import Cluster
from shops import add_shop
from sqlalchemy import select
from sqlalchemy.ext.asyncio import create_async_engine

from core.clock import utc_now
from core.ids import new_id
from core.tenant import TenantKind, TenantStatus
from owner_db.tenants.models import DatabaseServer, Tenant
from owner_db.tenants.rules import code_of
from owner_db.tenants.templates import Template
from owner_db.tiers.models import Tier
from server.embedded_roles import MIGRATOR_ROLE
from tenancy.sessions import TenantSession

AT_ONCE: Final = 3
"""Copies of one template."""
FIRST_NUMBER: Final = 1_000_000
"""Of the tenants' codes: far from those the sequence gives."""
STEP: Final = 100


async def clone_fleet(cluster: Cluster, count: int, *, payments_count: int = 0) -> list[Tenant]:
    """Make `count` active tenants of the newest revision, each with its own database."""
    template = await cluster.template()
    source = await _source(cluster, template, payments_count) if payments_count else template.name
    tenants = await _register(cluster, template, count)
    turns = asyncio.Semaphore(AT_ONCE)
    made = 0

    async def make(tenant: Tenant) -> None:
        nonlocal made
        async with turns:
            await _clone(cluster, source, tenant)
        made += 1
        if made % STEP == 0:
            print(f"  {made} of {count} tenant databases", flush=True)

    await asyncio.gather(*[make(tenant) for tenant in tenants])
    return tenants


async def _source(cluster: Cluster, template: Template, payments_count: int) -> str:
    """A copy of the template with a shop in it, for the fleet to be copied from."""
    name = f"source_{secrets.token_hex(4)}"
    async with cluster.servers.connect(cluster.migrator_url) as admin:
        await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template.name}" STRATEGY WAL_LOG')
    engine = create_async_engine(cluster.postgres.url(MIGRATOR_ROLE, name))
    async with TenantSession(engine) as session:
        await add_shop(session, payments_count)
        await session.commit()
    await engine.dispose()
    async with cluster.servers.connect(cluster.migrator_url, name) as connection:
        # As the template of new tenants is: its copies have their statistics and visibility map.
        await connection.execute("VACUUM ANALYZE")
    async with cluster.servers.connect(cluster.migrator_url) as admin:
        await admin.execute(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS false IS_TEMPLATE true')
    return name


async def _register(cluster: Cluster, template: Template, count: int) -> list[Tenant]:
    async with cluster.owner.transaction() as session:
        tier = (await session.scalars(select(Tier).where(Tier.code == "enterprise"))).one()
        server = (await session.scalars(select(DatabaseServer))).one()
        tenants = [
            Tenant(
                id=new_id(),
                code=code_of(FIRST_NUMBER + number),
                slug=f"shop-{secrets.token_hex(6)}",
                name="Mama Njeri's Shop",
                kind=TenantKind.SMALL_BUSINESS.value,
                country="KE",
                status=TenantStatus.ACTIVE.value,
                tier_id=tier.id,
                server_id=server.id,
                database=f"t_{secrets.token_hex(12)}",
                revision=template.revision,
                catalogue_hash=template.catalogue_hash,
                epoch=1,
                activated_at=utc_now(),
            )
            for number in range(count)
        ]
        session.add_all(tenants)
    return tenants


async def _clone(cluster: Cluster, source: str, tenant: Tenant) -> None:
    async with cluster.servers.connect(cluster.migrator_url) as admin:
        await create_database(admin, tenant.database, source)
        await admin.execute(
            f'REVOKE ALL ON DATABASE "{tenant.database}" FROM PUBLIC;'
            f'GRANT CONNECT ON DATABASE "{tenant.database}" TO hazina_tenant'
        )
    async with cluster.servers.connect(cluster.migrator_url, tenant.database) as connection:
        await connection.execute("INSERT INTO identity (is_only, tenant_id) VALUES (true, $1)", tenant.id)


async def create_database(admin: asyncpg.Connection, name: str, template: str) -> None:
    """The bare statement that every way of making a tenant starts from."""
    await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY WAL_LOG')
