"""A registry with the shipped catalog and one real database server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from core.tenant import TenantKind, TenantStatus
from owner_db.catalog.seeding import ensure_catalog
from owner_db.tenants.models import Tenant
from owner_db.tenants.provisioning import provision
from owner_db.tenants.registering import NewTenant, register_tenant
from owner_db.tenants.servers import NewServer, Servers, ensure_server
from server.embedded_roles import MAINTENANCE_DATABASE, MIGRATOR_ROLE
from tenancy.keyring import WrappedKey
from tenancy.sessions import OwnerDatabase
from tests.databases import PostgresServer

KEY = WrappedKey(version=1, wrapped=b"sealed", wrapper="test")


@dataclass
class Registry:
    """What the verbs on tenants work with."""

    owner: OwnerDatabase
    servers: Servers
    postgres: PostgresServer
    made: list[str] = field(default_factory=list)
    invalidated: list[UUID] = field(default_factory=list)

    async def invalidate(self, tenant_id: UUID) -> None:
        self.invalidated.append(tenant_id)

    async def register(self, **given: object) -> Tenant:
        values = {"name": "Mama Njeri's Shop", "kind": TenantKind.SMALL_BUSINESS, "country": "KE", **given}
        async with self.owner.transaction() as session:
            tenant = await register_tenant(session, NewTenant(**values), KEY)  # type: ignore[arg-type] # mixed
        self.made.append(tenant.database)
        return tenant

    async def provision(self, tenant_id: UUID, revision: str | None = None) -> TenantStatus:
        return await provision(
            self.owner, self.servers, tenant_id, invalidate=self.invalidate, revision=revision
        )

    async def active(self, revision: str | None = None, **given: object) -> Tenant:
        tenant = await self.register(**given)
        await self.provision(tenant.id, revision)
        return await self.read(tenant.id)

    async def read(self, tenant_id: UUID) -> Tenant:
        async with self.owner.reading() as session:
            return await session.get_one(Tenant, tenant_id)

    async def databases(self) -> set[str]:
        async with self.servers.connect(self.migrator_url) as admin:
            return {row["datname"] for row in await admin.fetch("SELECT datname FROM pg_database")}

    @property
    def migrator_url(self) -> str:
        return self.postgres.url(MIGRATOR_ROLE, MAINTENANCE_DATABASE)


@asynccontextmanager
async def real_registry(owner: OwnerDatabase, postgres: PostgresServer) -> AsyncIterator[Registry]:
    migrator_url = postgres.url(MIGRATOR_ROLE, MAINTENANCE_DATABASE)
    servers = Servers.from_urls(migrator_url, postgres.tenant_url())
    async with owner.transaction() as session:
        await ensure_catalog(session)
        await ensure_server(session, NewServer("primary", postgres.tenant_url(), migrator_url, capacity=50))
    registry = Registry(owner, servers, postgres)
    yield registry
    for database in registry.made:
        await postgres.drop(database)
