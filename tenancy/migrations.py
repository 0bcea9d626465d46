"""Upgrading one database along its chain of migrations."""

import asyncio
from functools import cache
from typing import Final

from alembic import context
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, NullPool
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from tenancy.revisions import Which, folder

# Alembic keeps its state in module globals, so the lock is the module's too: two upgrades at once
# have left a database stamped without its tables.
_ALEMBIC: Final = asyncio.Lock()


async def upgrade(url: str, which: Which, revision: str = "head") -> None:
    """Bring one database to `revision`, each migration in a transaction of its own.

    `url` is the migrator's, with the database. One process upgrades one database at a time and others
    wait their turn: for more at once, start more processes.
    """
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        # Not `begin()`: a migration may leave its transaction to build an index concurrently.
        async with engine.connect() as connection:
            await upgrade_on(connection, which, revision)
    finally:
        await engine.dispose()


async def upgrade_on(connection: AsyncConnection, which: Which, revision: str = "head") -> None:
    """`upgrade` on a connection of the caller's, who holds no transaction on it."""
    async with _ALEMBIC:
        await connection.run_sync(_upgrade, which, revision)
        await connection.commit()


def run_chain(metadata: MetaData) -> None:
    """What `env.py` does: run the migrations on the connection that the caller handed over."""
    connection: Connection = context.config.attributes["connection"]
    context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()


def _upgrade(connection: Connection, which: Which, revision: str) -> None:
    config, script = _chain(which)
    config.attributes["connection"] = connection

    def steps(found: str, _: object) -> object:
        return script._upgrade_revs(revision, found)  # noqa: SLF001 - as alembic.command.upgrade does

    # Not that command: it reads the whole chain anew for each database.
    with EnvironmentContext(config, script, fn=steps, destination_rev=revision):
        script.run_env()


@cache
def _chain(which: Which) -> tuple[Config, ScriptDirectory]:
    config = Config()
    config.set_main_option("script_location", str(folder(which)).replace("%", "%%"))
    return config, ScriptDirectory.from_config(config)
