"""Places under the connection budget: each holds one connection of one tenant, or is about to."""

import asyncio
from dataclasses import dataclass, field
from time import monotonic

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from tenancy.connections import Connector, close, reading
from tenancy.tenant_ref import TenantRef


@dataclass(slots=True, eq=False)
class Live:
    """A tenant that has connections in this process, in one epoch."""

    ref: TenantRef
    idle: list["Slot"] = field(default_factory=list)
    """The last one used comes last and is taken first."""
    count: int = 0
    is_draining: bool = False


@dataclass(slots=True, eq=False)
class Waiter:
    """Somebody in the queue, and what they are given when their turn comes."""

    ref: TenantRef
    granted: asyncio.Future["Slot"] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    is_patient: bool = True


class Slot:
    """One counted connection; its engines are cheap shells, made when a session first wants them."""

    __slots__ = (
        "_connector",
        "_engine",
        "_reading",
        "connection",
        "idle_since",
        "live",
        "opened_at",
        "replaces",
    )

    def __init__(self, live: Live, connector: Connector, replaces: "Slot | None") -> None:
        self.live = live
        self.connection: asyncpg.Connection | None = None
        self.replaces = replaces
        """Whose place this is: it is closed before ours opens."""
        self.opened_at = self.idle_since = monotonic()
        self._connector = connector
        self._engine: AsyncEngine | None = None
        self._reading: AsyncEngine | None = None

    async def open(self) -> asyncpg.Connection:
        """Close the connection that this one replaces, then connect.

        Raises:
            TenantNotServed: the tenant can't be reached.
        """
        if self.replaces is not None:
            await self.replaces.close()
            self.replaces = None
        self.connection = await self._connector.open(self.live.ref)
        return self.connection

    async def close(self) -> None:
        if self.connection is not None:
            await close(self.connection)

    async def engine(self) -> AsyncEngine:
        if self._engine is None:
            self._engine = await self._connector.engine(self.ready)
        return self._engine

    async def reading_engine(self) -> AsyncEngine:
        if self._reading is None:
            self._reading = reading(await self.engine())
        return self._reading

    def drop_engines(self) -> None:
        """Forget the shells: what they remember of the connection's transaction is no longer so."""
        self._engine = self._reading = None

    @property
    def ready(self) -> asyncpg.Connection:
        if self.connection is None:
            raise ValueError("This place has no connection yet.")
        return self.connection

    @property
    def is_open(self) -> bool:
        return self.connection is not None and not self.connection.is_closed()

    @property
    def is_at_rest(self) -> bool:
        """Whether the next one may use it: no transaction is open."""
        return self.connection is not None and not self.connection.is_in_transaction()
