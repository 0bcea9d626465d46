"""Upgrading one tenant's database, and proving what became of it."""

from dataclasses import dataclass
from typing import Final

import asyncpg
from sqlalchemy import NullPool
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from owner_db.tenants.servers import Servers
from owner_db.tenants.templates import Template, template_catalogue
from tenancy.catalogue import catalogue, catalogue_hash, differences
from tenancy.migrations import upgrade_on
from tenancy.revisions import Which

STATEMENT_TIMEOUT: Final = "600s"
LOCK_TIMEOUT: Final = "5s"
_TURN: Final = 0x48A21A02
"""Advisory lock in a tenant's own database: one process at a time upgrades it."""
DIFFERENCES_SHOWN_MAX: Final = 5


class CatalogueDiffers(Exception):
    """The database is stamped with a revision, but is not what that revision makes."""


@dataclass(frozen=True, slots=True)
class Upgrade:
    """One tenant's database and what it should become."""

    database: str
    server_url: str
    """The registry's URL of its server for the migrator."""
    template: Template


async def upgrade_tenant(servers: Servers, upgrade: Upgrade) -> bytes:
    """Bring one tenant to the template's revision and return its catalogue's hash.

    Running it again is harmless. Waits for another process that is at the same tenant.

    Raises:
        CatalogueDiffers: the live catalogue is not that of the revision.
        SQLAlchemyError, asyncpg.PostgresError: a migration failed; the ones before it stand.
    """
    engine = create_async_engine(
        servers.url(upgrade.server_url, upgrade.database),
        poolclass=NullPool,
        connect_args={
            "server_settings": {
                "application_name": "hazina-migrate",
                "lock_timeout": LOCK_TIMEOUT,
                "statement_timeout": STATEMENT_TIMEOUT,
            }
        },
    )
    try:
        async with engine.connect() as connection:
            driver = await _driver(connection)
            await driver.execute(f"SELECT pg_advisory_lock({_TURN})")
            await upgrade_on(connection, Which.TENANT, upgrade.template.revision)
            live_hash = await catalogue_hash(driver)
            if live_hash != upgrade.template.catalogue_hash:
                raise CatalogueDiffers(await _what_differs(servers, upgrade, driver))
            return live_hash
    finally:
        await engine.dispose()


async def _driver(connection: AsyncConnection) -> asyncpg.Connection:
    raw = await connection.get_raw_connection()
    driver = raw.driver_connection
    assert isinstance(driver, asyncpg.Connection)  # noqa: S101 - narrows a type that SQLAlchemy leaves open
    return driver


async def _what_differs(servers: Servers, upgrade: Upgrade, driver: asyncpg.Connection) -> str:
    async with servers.connect(upgrade.server_url) as admin:
        expected = await template_catalogue(admin, servers, upgrade.server_url, upgrade.template)
    lines = differences(await catalogue(driver), expected)
    more = len(lines) - DIFFERENCES_SHOWN_MAX
    shown = "; ".join(lines[:DIFFERENCES_SHOWN_MAX])
    return f"not the schema of {upgrade.template.revision}: {shown}" + (f"; {more} more" if more > 0 else "")
