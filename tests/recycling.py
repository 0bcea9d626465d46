"""Databases that tests leave, made like new: to empty one costs a tenth of copying its template."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Final

import asyncpg

TABLE_BYTES_MAX: Final = 262_144
"""A deleted row keeps its place until a vacuum: a database whose table grew longer is not used again."""

Connect = Callable[[str], Awaitable[asyncpg.Connection]]

# The replica role fires neither foreign keys nor the triggers of what is written once.
_ALONE: Final = """
SET session_replication_role = replica;
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
_WRITTEN: Final = """
SELECT relname::text AS name, pg_relation_size(oid) AS bytes FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND pg_relation_size(oid) > 0
"""
_DIGEST: Final = """(SELECT md5(string_agg(t::text, '\n' ORDER BY t::text)) FROM "{table}" t)"""
_EMPTY: Final = 'DELETE FROM "{}";'
_RESTART: Final = """
SELECT setval(seqrelid::regclass, seqstart, false) FROM pg_sequence
"""


@dataclass(slots=True)
class Recycling:
    """The databases of one template that wait to be used again, in which nothing but rows was written."""

    connect: Connect
    """As the superuser, to a database by its name."""
    shipped: Mapping[str, bytes]
    """The template's own rows by table, as PostgreSQL copies them."""
    digests: str
    """Asks for one value that tells the template's own rows from others."""
    digest: str
    waiting: list[str] = field(default_factory=list)

    async def like_new(self, name: str, first: str) -> bool:
        """Bring a database back to the template's rows and run `first`; says whether it could be done."""
        connection = await self.connect(name)
        try:
            await connection.execute(_ALONE)
            written = await connection.fetch(_WRITTEN)
            if any(row["bytes"] > TABLE_BYTES_MAX for row in written):
                return False
            filled = [row["name"] for row in written if row["name"] not in self.shipped]
            await connection.execute("".join(map(_EMPTY.format, filled)) + _RESTART)
            if await connection.fetchval(self.digests) != self.digest:
                await self._ship(connection)
            if first:
                await connection.execute(first)
        finally:
            await connection.close()
        return True

    async def _ship(self, connection: asyncpg.Connection) -> None:
        for table, rows in self.shipped.items():
            await connection.execute(_EMPTY.format(table))
            await connection.copy_to_table(table, source=BytesIO(rows), format="binary")


async def recycling(connect: Connect, template: str) -> Recycling:
    """Of the databases that are copies of a template, which has no rows to come."""
    connection = await connect(template)
    try:
        tables = [row["name"] for row in await connection.fetch(_WRITTEN)]
        digests = "SELECT " + " || ".join(_DIGEST.format(table=table) for table in tables)
        shipped = {table: await _rows(connection, table) for table in tables}
        return Recycling(connect, shipped, digests, await connection.fetchval(digests))
    finally:
        await connection.close()


async def _rows(connection: asyncpg.Connection, table: str) -> bytes:
    read = BytesIO()
    await connection.copy_from_table(table, output=read, format="binary")
    return read.getvalue()
