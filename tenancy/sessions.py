"""Typed sessions: what belongs to the owner can't be handed a tenant's database, nor the reverse."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from tenancy.directory import TenantRef


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that changed, told to subscribers after the commit: a topic and ids, never a document."""

    topic: str
    """Such as `payment:{id}`; the tenant is added by the feed."""
    payload: dict[str, Any]


@dataclass(slots=True)
class AfterCommit:
    """What a transaction leaves to do once it is committed."""

    notices: list[Notice] = field(default_factory=list)
    due: dict[str, float] = field(default_factory=dict)
    """Queue → the earliest due time (unix seconds) of the outbox rows written."""


class OwnerSession(AsyncSession):
    """A session on the owner database."""

    after: AfterCommit


class TenantSession(AsyncSession):
    """A session on one tenant's database."""

    after: AfterCommit
    tenant_id: UUID


class Signals(Protocol):
    """Tells other processes what a transaction did. `tenant_id` None is the owner database."""

    async def before_commit(self, tenant_id: UUID | None, after: AfterCommit) -> None:
        """Make sure a sweep finds the work, should the wake-up be lost: marks the tenant dirty."""

    async def after_commit(self, tenant_id: UUID | None, after: AfterCommit) -> None:
        """Wake the relay and publish the notices. Never raises: the sweep finds what is lost."""


Lease = Callable[[TenantRef], AbstractAsyncContextManager[AsyncEngine]]


class Tenant:
    """One tenant's database, reached through leased connections."""

    def __init__(self, ref: TenantRef, lease: Lease, signals: Signals) -> None:
        self.ref = ref
        self.id = ref.id
        self._lease = lease
        self._signals = signals

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[TenantSession]:
        """A short session for reads; nothing is committed.

        Raises:
            TenantNotServed: the tenant has no connection to give now.
        """
        async with self._lease(self.ref) as engine, TenantSession(engine, expire_on_commit=False) as session:
            session.tenant_id = self.id
            session.after = AfterCommit()
            yield session

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[TenantSession]:
        """One transaction: commits at the end, rolls back on any exception, then wakes and publishes.

        Raises:
            TenantNotServed: the tenant has no connection to give now.
        """
        async with self._lease(self.ref) as engine, TenantSession(engine, expire_on_commit=False) as session:
            session.tenant_id = self.id
            session.after = AfterCommit()
            yield session
            if session.after.due:
                await self._signals.before_commit(self.id, session.after)
            await session.commit()
        await self._signals.after_commit(self.id, session.after)


class OwnerDatabase:
    """The platform's own database."""

    def __init__(self, engine: AsyncEngine, signals: Signals) -> None:
        self.engine = engine
        self._signals = signals

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[OwnerSession]:
        """A short session for reads; nothing is committed."""
        async with OwnerSession(self.engine, expire_on_commit=False) as session:
            session.after = AfterCommit()
            yield session

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[OwnerSession]:
        """One transaction: commits at the end, rolls back on any exception, then wakes and publishes."""
        async with OwnerSession(self.engine, expire_on_commit=False) as session:
            session.after = AfterCommit()
            yield session
            await session.commit()
        await self._signals.after_commit(None, session.after)
