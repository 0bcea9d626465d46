"""Upgrades a fleet in a process of its own, for tests that kill it: arguments are the three URLs."""

import asyncio
import sys
from uuid import UUID

from rich.console import Console
from sqlalchemy.ext.asyncio import create_async_engine

import owner_db.models  # noqa: F401 - completes the metadata
from owner_db.tenants.servers import Servers
from server.fleet import Fleet, migrate_tenants
from server.fleet_show import Lines
from tenancy.sessions import AfterCommit, OwnerDatabase


class Quiet:
    """Nobody listens."""

    async def before_commit(self, tenant_id: UUID | None, after: AfterCommit) -> None: ...

    async def after_commit(self, tenant_id: UUID | None, after: AfterCommit) -> None: ...


async def nobody(_: UUID) -> None: ...


async def main(owner_url: str, *urls: str) -> None:
    owner = OwnerDatabase(create_async_engine(owner_url), Quiet())
    fleet = Fleet(owner, owner_url, Servers.from_urls(*urls), nobody)
    await migrate_tenants(fleet, Lines(Console()), processes=1)


asyncio.run(main(*sys.argv[1:]))
