"""Brings the platform's own database up to date, and writes down what the settings say of servers."""

from dataclasses import dataclass

import asyncpg
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from integrations.sandbox.daraja_keys import CERTIFICATE
from owner_db.catalog.certificates import trust_certificate
from owner_db.catalog.providers import point_provider_at
from owner_db.catalog.seeding import ensure_catalog
from owner_db.tenants.servers import NewServer, Servers, ensure_server
from owner_db.tenants.templates import ensure_template
from server.settings import Settings, required
from tenancy.migrations import upgrade
from tenancy.revisions import Which, head
from tenancy.sessions import NobodyListens, OwnerDatabase

OWNER_ROLE = "hazina_owner"
SANDBOX_PROVIDERS = ("mpesa", "stripe", "paystack", "flutterwave")
"""Those that the sandbox simulates, each at a path of its code."""
_TURN = 0x48A21A04
"""Advisory lock on the first server: one process at a time prepares the platform."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What was done."""

    owner_revision: str
    tenant_revision: str


async def prepare_platform(settings: Settings) -> Prepared:
    """Create and migrate the owner database, and enter the first database server; safe to repeat.

    Raises:
        SettingMissing: no database was named.
    """
    migrator_url = required(settings.migrator_url, "HAZINA_MIGRATOR_URL")
    owner_url = required(settings.database_url, "HAZINA_DATABASE_URL")
    tenant_url = required(settings.tenant_url, "HAZINA_TENANT_URL")
    servers = Servers.from_urls(migrator_url, tenant_url)
    owner_database = make_url(owner_url).database or OWNER_ROLE
    async with servers.connect(migrator_url) as admin:
        # Two that start at once take turns; the lock ends with the connection.
        await admin.execute("SET lock_timeout = 0")
        await admin.execute(f"SELECT pg_advisory_lock({_TURN})")
        await _ensure_owner_database(admin, owner_database)
        await upgrade(servers.url(migrator_url, owner_database), Which.OWNER)
        template = await ensure_template(admin, servers, migrator_url)
    engine = create_async_engine(owner_url, pool_size=1)
    try:
        await _write_down(OwnerDatabase(engine, NobodyListens()), settings, migrator_url, tenant_url)
    finally:
        await engine.dispose()
    return Prepared(head(Which.OWNER), template.revision)


async def _ensure_owner_database(admin: asyncpg.Connection, name: str) -> None:
    if not await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
        await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    await admin.execute(f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC')
    await admin.execute(f'GRANT CONNECT ON DATABASE "{name}" TO {OWNER_ROLE}')


async def _write_down(owner: OwnerDatabase, settings: Settings, migrator_url: str, tenant_url: str) -> None:
    async with owner.transaction() as session:
        await ensure_server(
            session,
            NewServer(
                settings.database_server_name, tenant_url, migrator_url, settings.database_server_capacity
            ),
        )
        await ensure_catalog(session)
        if settings.sandbox_url is not None:
            for provider in SANDBOX_PROVIDERS:
                await point_provider_at(session, provider, f"{settings.sandbox_url}/{provider}")
            await trust_certificate(session, "mpesa", "sandbox", CERTIFICATE)
