"""Engines whose connections the server is asked about."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from tenancy.engines import TenantEngines
from tenancy.tenant_ref import TenantRef


@dataclass
class Watched:
    """Engines, and what the server says of their connections."""

    engines: TenantEngines
    name: str
    watcher: asyncpg.Connection

    async def count(self) -> int:
        return int(
            await self.watcher.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1", self.name
            )
        )

    async def count_at_work(self) -> int:
        """Without those that were closed a moment ago: their backends take their time to end."""
        return int(
            await self.watcher.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND state = 'active'",
                self.name,
            )
        )

    async def until_busy(self) -> None:
        """Wait until a statement of ours is running."""
        sql = "SELECT 1 FROM pg_stat_activity WHERE application_name = $1 AND state = 'active'"
        async with asyncio.timeout(10):
            while not await self.watcher.fetchval(sql, self.name):
                pass

    async def until_left(self, count: int) -> None:
        """Wait until the server and the budget agree that so many connections are left."""
        async with asyncio.timeout(10):
            while (await self.count(), self.engines.connections) != (count, count):
                pass

    async def pids(self, ref: TenantRef) -> list[int]:
        return [row["pid"] for row in await self.engines.rows(ref, "SELECT pg_backend_pid() AS pid", ())]


@asynccontextmanager
async def watched(watcher: asyncpg.Connection, budget: int, per_tenant: int = 4) -> AsyncIterator[Watched]:
    name = f"test-{secrets.token_hex(4)}"
    engines = TenantEngines(budget, per_tenant=per_tenant, application_name=name)
    try:
        yield Watched(engines, name, watcher)
    finally:
        await engines.close()
