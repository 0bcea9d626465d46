"""Databases built by the migration chain, at any revision."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from server.embedded_roles import MAINTENANCE_DATABASE, MIGRATOR_ROLE
from tenancy.migrations import upgrade
from tenancy.revisions import Which
from tests.databases import PostgresServer


@asynccontextmanager
async def empty_database(postgres: PostgresServer) -> AsyncIterator[str]:
    """A new database's name."""
    name = postgres.new_name()
    connection = await postgres.connect(MIGRATOR_ROLE, MAINTENANCE_DATABASE)
    try:
        await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        yield name
    finally:
        await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await connection.close()


@asynccontextmanager
async def migrated(
    postgres: PostgresServer, which: Which, revision: str = "head"
) -> AsyncIterator[asyncpg.Connection]:
    async with empty_database(postgres) as name:
        await upgrade(postgres.url(MIGRATOR_ROLE, name), which, revision)
        connection = await postgres.connect(MIGRATOR_ROLE, name)
        try:
            yield connection
        finally:
            await connection.close()


async def name_of(connection: asyncpg.Connection) -> str:
    return str(await connection.fetchval("SELECT current_database()"))
