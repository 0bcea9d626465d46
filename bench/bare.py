"""What one would write with asyncpg alone: connections in an LRU, or one for each request."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import asyncpg


class Lru:
    """At most `connections` open ones; the one that has been idle for longest makes room.

    It knows no tenant from another but by the database's name, checks nothing and never refuses.
    """

    def __init__(self, connections: int, arguments: Mapping[str, Any]) -> None:
        self._connections = connections
        self._arguments = arguments
        self._idle: OrderedDict[asyncpg.Connection, str] = OrderedDict()
        self._idle_by_database: dict[str, list[asyncpg.Connection]] = {}
        self._open = 0

    async def fetch(self, database: str, sql: str) -> list[asyncpg.Record]:
        """Run one statement; fewer callers at once than `connections` are a must."""
        connection = self._take(database) or await self._connect(database)
        rows: list[asyncpg.Record] = await connection.fetch(sql)
        self._idle[connection] = database
        self._idle_by_database.setdefault(database, []).append(connection)
        return rows

    async def close(self) -> None:
        await asyncio.gather(*[connection.close() for connection in self._idle])

    def _take(self, database: str) -> asyncpg.Connection | None:
        idle = self._idle_by_database.get(database)
        if not idle:
            return None
        connection = idle.pop()
        del self._idle[connection]
        return connection

    async def _connect(self, database: str) -> asyncpg.Connection:
        if self._open < self._connections:
            self._open += 1
        else:
            oldest, whose = self._idle.popitem(last=False)
            self._idle_by_database[whose].remove(oldest)
            await oldest.close()
        return await asyncpg.connect(database=database, **self._arguments)


@dataclass(slots=True)
class OpenAndClose:
    """A connection for each request."""

    arguments: Mapping[str, Any] = field(default_factory=dict)

    async def fetch(self, database: str, sql: str) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(database=database, **self.arguments)
        try:
            rows: list[asyncpg.Record] = await connection.fetch(sql)
        finally:
            await connection.close()
        return rows
