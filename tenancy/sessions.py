"""Typed sessions: what belongs to the owner can't be handed a tenant's database, nor the reverse."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

import asyncpg
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.sql.dml import ReturningUpdate

from tenancy.errors import TransactionInterrupted
from tenancy.interruptions import typed_interruptions
from tenancy.reading import ReadOnlySession
from tenancy.tenant_ref import TenantRef

AUTOCOMMIT = "AUTOCOMMIT"
"""Each read is a transaction of its own, as READ COMMITTED sees it anyway: no BEGIN, no ROLLBACK."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that changed, told to subscribers after the commit: a topic and ids, never a document."""

    topic: str
    """Such as `payment:{id}`; the tenant is added by the feed."""
    payload: dict[str, Any]
    tenant_id: UUID | None = None
    """Whose feed it goes to; None is the tenant of the session. The owner's session has to say."""


@dataclass(slots=True)
class AfterCommit:
    """What a transaction leaves to do once it is committed."""

    notices: list[Notice] = field(default_factory=list)
    due: dict[str, float] = field(default_factory=dict)
    """Queue → the earliest due time (unix seconds) of the outbox rows written."""
    has_unsealed: bool = False
    """Transfers were posted, for the sealer to put into a block."""


class OwnerSession(AsyncSession):
    """A session on the owner database."""

    after: AfterCommit


class TenantSession(AsyncSession):
    """A session on one tenant's database."""

    after: AfterCommit
    tenant_id: UUID
    at_end: "list[Callable[[TenantSession], Awaitable[None]]]"
    """Run in this order before the commit, as a part of the transaction."""


class Signals(Protocol):
    """Tells other processes what a transaction did. `tenant_id` None is the owner database."""

    async def before_commit(self, tenant_id: UUID | None, after: AfterCommit) -> None:
        """Make sure a sweep finds the work, should the wake-up be lost: marks the tenant dirty."""

    async def after_commit(self, tenant_id: UUID | None, after: AfterCommit) -> None:
        """Wake the relay and publish the notices. Never raises: the sweep finds what is lost."""


class NobodyListens:
    """Signals of a process that runs before relays and subscribers exist."""

    async def before_commit(self, tenant_id: object, after: AfterCommit) -> None:
        """The first sweep finds the work."""

    async def after_commit(self, tenant_id: object, after: AfterCommit) -> None:
        """Nobody is there to be told."""


class Leased(Protocol):
    """One connection to one tenant's database, ours until it is given back."""

    async def engine(self) -> AsyncEngine:
        """For transactions."""

    async def reading_engine(self) -> AsyncEngine:
        """The same connection in AUTOCOMMIT."""


class TenantConnections(Protocol):
    """Gives connections to tenant databases, within one budget."""

    def lease(self, ref: TenantRef) -> AbstractAsyncContextManager[Leased]:
        """Raises TenantNotServed."""

    async def rows(self, ref: TenantRef, sql: str, arguments: Sequence[object]) -> list[asyncpg.Record]:
        """Run one query on a leased connection. Raises TenantNotServed."""


class Tenant:
    """One tenant's database, reached through leased connections."""

    def __init__(self, ref: TenantRef, connections: TenantConnections, signals: Signals) -> None:
        self.ref = ref
        self.id = ref.id
        self._connections = connections
        self._signals = signals

    async def rows(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        """Run one reading statement without the ORM: for hot paths.

        Parameters are $1, $2, …; NUMERIC comes as Decimal, and json and jsonb as text.

        Raises:
            TenantNotServed: the tenant has no connection to give now.
        """
        return await self._connections.rows(self.ref, sql, arguments)

    async def write(self, sql: str, *arguments: object, after: AfterCommit) -> list[asyncpg.Record]:
        """Run one statement as a transaction of its own, then wake and publish: for hot paths.

        A statement that gives no rows has written nothing, and nobody is told.

        Raises:
            TenantNotServed: the tenant has no connection to give now.
            TransactionInterrupted: the database undid it for a reason that passes; do it again.
        """
        if after.due:
            await self._signals.before_commit(self.id, after)
        try:
            rows = await self._connections.rows(self.ref, sql, arguments)
        except (asyncpg.SerializationError, asyncpg.DeadlockDetectedError) as error:
            raise TransactionInterrupted from error
        if rows:
            await self._signals.after_commit(self.id, after)
        return rows

    async def tell(self, after: AfterCommit) -> None:
        """Wake and publish for what `write` has found out only then."""
        await self._signals.after_commit(self.id, after)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[TenantSession]:
        """A short session for reads; it refuses to write, and holds no lock beyond a statement.

        Raises:
            TenantNotServed: the tenant has no connection to give now.
        """
        async with self._connections.lease(self.ref) as leased:
            engine = await leased.reading_engine()
            async with TenantSession(
                engine, expire_on_commit=False, sync_session_class=ReadOnlySession
            ) as session:
                session.tenant_id = self.id
                session.after = AfterCommit()
                session.at_end = []
                with typed_interruptions():
                    yield session

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[TenantSession]:
        """One transaction: commits at the end, rolls back on any exception, then wakes and publishes.

        Raises:
            TenantNotServed: the tenant has no connection to give now.
            TransactionInterrupted: the database undid it for a reason that passes; do it again.
        """
        async with self._connections.lease(self.ref) as leased:
            engine = await leased.engine()
            async with TenantSession(engine, expire_on_commit=False) as session:
                session.tenant_id = self.id
                session.after = AfterCommit()
                session.at_end = []
                with typed_interruptions():
                    yield session
                    for act in session.at_end:
                        await act(session)
                    if session.after.due:
                        await self._signals.before_commit(self.id, session.after)
                    await session.commit()
        await self._signals.after_commit(self.id, session.after)


class OwnerDatabase:
    """The platform's own database."""

    def __init__(self, engine: AsyncEngine, signals: Signals) -> None:
        self.engine = engine
        self._statement_engine = engine.execution_options(isolation_level=AUTOCOMMIT)
        self._signals = signals

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[OwnerSession]:
        """A short session for reads; it refuses to write, and holds no lock beyond a statement.

        Raises:
            TenantUnavailable: the owner database can't be reached now.
        """
        async with OwnerSession(
            self._statement_engine, expire_on_commit=False, sync_session_class=ReadOnlySession
        ) as session:
            session.after = AfterCommit()
            with typed_interruptions():
                yield session

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[OwnerSession]:
        """One transaction: commits at the end, rolls back on any exception, then wakes and publishes.

        Raises:
            TransactionInterrupted: the database undid it for a reason that passes; do it again.
        """
        async with OwnerSession(self.engine, expire_on_commit=False) as session:
            session.after = AfterCommit()
            with typed_interruptions():
                yield session
                await session.commit()
        await self._signals.after_commit(None, session.after)

    async def write(self, statement: ReturningUpdate[Any]) -> Sequence[Row[Any]]:
        """Run one statement as a transaction of its own, in one round trip; nobody is told.

        Raises:
            TransactionInterrupted: the database undid it for a reason that passes; do it again.
        """
        with typed_interruptions():
            async with self._statement_engine.connect() as connection:
                rows: Sequence[Row[Any]] = (await connection.execute(statement)).all()
        return rows
