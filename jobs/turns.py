"""Has jobs of one process that want the same thing take turns; what guards it is in the database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID
from weakref import WeakValueDictionary


class Turns:
    """One at a time for each name of a tenant."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[tuple[UUID, str], asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, tenant_id: UUID, name: str | None) -> AsyncIterator[None]:
        """Wait for whoever has this name; nobody waits for None."""
        if name is None:
            yield
            return
        # Whoever holds or awaits it keeps it alive.
        async with self._locks.setdefault((tenant_id, name), asyncio.Lock()):
            yield
