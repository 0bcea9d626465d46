"""Connections to many tenants' databases under one budget, as leases; and the tenants they serve."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from time import monotonic
from typing import Any, Final
from uuid import UUID

import asyncpg

from core.tenant import TenantStatus
from tenancy.budget import Budget
from tenancy.connections import Connector, mend
from tenancy.directory import TenantDirectory
from tenancy.errors import TenantMigrating, TenantNotServed, TenantSuspended, TenantUnavailable, TenantUnknown
from tenancy.sessions import Signals, Tenant
from tenancy.slots import Slot
from tenancy.tenant_ref import TenantRef

CONNECTIONS_PER_TENANT: Final = 8
IDLE_S: Final = 300.0
SWEEP_EVERY_S: Final = 30.0

SETTLING: Final = frozenset({TenantStatus.ACTIVE, TenantStatus.SUSPENDED, TenantStatus.CLOSING})
"""Jobs still run for these: money that is under way must settle."""

# The task that holds a lease: tasks it starts inherit the value, but not the lease.
_holder: ContextVar["asyncio.Task[Any] | None"] = ContextVar("lease_holder", default=None)


class TenantEngines:
    """Leases connections, at most `budget` in all; a full budget closes the least recently used idle one.

    A connection in use is never closed. `sweep` closes what nobody uses any more.
    """

    def __init__(
        self,
        budget: int,
        *,
        per_tenant: int = CONNECTIONS_PER_TENANT,
        application_name: str = "hazina",
    ) -> None:
        self._budget = Budget(budget, per_tenant, Connector(application_name), self._close_soon)
        self._chores: set[asyncio.Task[None]] = set()

    @property
    def connections(self) -> int:
        """How many are open, opening or closing."""
        return self._budget.used

    async def rows(self, ref: TenantRef, sql: str, arguments: Sequence[object]) -> list[asyncpg.Record]:
        """Run one statement on a leased connection, as a transaction of its own.

        Raises:
            TenantUnavailable: it can't be reached, or the connection broke.
            Capacity: all connections stayed busy.
        """
        slot = self._budget.admit(ref)
        if slot is None or slot.connection is None:
            slot = await self._acquire(ref, slot)
        connection = slot.ready
        try:
            found: list[asyncpg.Record] = await connection.fetch(sql, *arguments)
        except asyncpg.InternalClientError:
            # The server has ended it, and asyncpg is still reading that: nothing was sent.
            connection.terminate()
            self._mend_soon(slot)
            return await self.rows(ref, sql, arguments)
        except BaseException as error:
            self._mend_soon(slot)
            if connection.is_closed() and isinstance(
                error, (asyncpg.InterfaceError, asyncpg.PostgresError, OSError)
            ):
                raise TenantUnavailable from error
            raise
        self._budget.give_back(slot)
        return found

    @asynccontextmanager
    async def lease(self, ref: TenantRef) -> AsyncIterator[Slot]:
        """A connection of the tenant's, until the end of the block.

        Raises:
            TenantUnavailable: it can't be reached, or `ref` is older than the registry.
            Capacity: all connections stayed busy.
        """
        slot = self._budget.admit(ref)
        if slot is None or slot.connection is None:
            slot = await self._acquire(ref, slot)
        outer = _holder.get()
        _holder.set(asyncio.current_task())
        try:
            yield slot
        except asyncio.CancelledError:
            self._mend_soon(slot)
            raise
        except BaseException:
            self._give_back(slot)
            raise
        else:
            self._give_back(slot)
        finally:
            _holder.set(outer)

    async def evict(self, tenant_id: UUID) -> None:
        """Close a tenant's idle connections now, and each busy one when it comes back."""
        await asyncio.gather(*[self._close(slot) for slot in self._budget.drain(tenant_id)])

    async def sweep(self) -> None:
        """Close what has been idle for IDLE_S, every SWEEP_EVERY_S, until cancelled."""
        while True:
            await self.close_idle_since(monotonic() - IDLE_S)
            await asyncio.sleep(SWEEP_EVERY_S)

    async def close_idle_since(self, before: float) -> None:
        """Close what nobody has used since `before`, in seconds of the monotonic clock."""
        await asyncio.gather(*[self._close(slot) for slot in self._budget.take_idle_since(before)])

    async def close(self) -> None:
        """Close every idle connection, and each busy one when it comes back."""
        for tenant_id in self._budget.tenant_ids:
            await self.evict(tenant_id)
        while self._chores:
            await asyncio.gather(*self._chores)

    async def _acquire(self, ref: TenantRef, slot: Slot | None) -> Slot:
        if slot is None:
            if _holder.get() is not None and _holder.get() is asyncio.current_task():
                raise RuntimeError("A task may not wait for a connection while it holds another one.")
            slot = await self._budget.wait(ref)
        if slot.connection is None:
            try:
                await slot.open()
            except BaseException:
                self._budget.forget(slot)
                raise
        return slot

    def _give_back(self, slot: Slot) -> None:
        if slot.is_at_rest:
            self._budget.give_back(slot)
        else:
            self._mend_soon(slot)

    def _mend_soon(self, slot: Slot) -> None:
        """Keep a connection that was interrupted out of use until it is at rest again."""
        self._start(self._mend(slot))

    def _close_soon(self, slot: Slot) -> None:
        self._start(self._close(slot))

    async def _mend(self, slot: Slot) -> None:
        if slot.connection is not None and not slot.connection.is_closed():
            slot.drop_engines()
            await mend(slot.connection)
        self._budget.give_back(slot)

    async def _close(self, slot: Slot) -> None:
        try:
            await slot.close()
        finally:
            self._budget.forget(slot)

    def _start(self, chore: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(chore)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)


class Tenants:
    """Finds a tenant and decides whether it is served."""

    def __init__(
        self,
        directory: TenantDirectory,
        engines: TenantEngines,
        signals: Signals,
        *,
        too_old: frozenset[str] = frozenset(),
    ) -> None:
        """`too_old` are revisions that this code no longer serves; one it does not know is newer."""
        self.directory = directory
        self.engines = engines
        self._signals = signals
        self._too_old = too_old

    async def find(self, tenant_id: UUID) -> Tenant:
        """The tenant of a request.

        Raises:
            TenantUnknown: there is none, or it was deleted.
            TenantSuspended: the platform has stopped it.
            TenantUnavailable: it is being made, moved or closed.
            TenantMigrating: its schema is of a revision that this code does not serve.
        """
        ref = await self.directory.find(tenant_id)
        if ref.status is not TenantStatus.ACTIVE:
            raise _refusal(ref.status)
        return self._tenant(ref)

    async def settling(self, tenant_id: UUID) -> Tenant:
        """The tenant as a relay or sweep needs it: at its present epoch, suspended and closing ones too.

        Raises:
            TenantNotServed: as `for_job`, but for the epoch.
        """
        ref = await self.directory.find(tenant_id)
        if ref.status not in SETTLING:
            raise _refusal(ref.status)
        return self._tenant(ref)

    async def for_job(self, tenant_id: UUID, epoch: int) -> Tenant:
        """The tenant of a job; suspended and closing ones too, for money under way must settle.

        Raises:
            TenantNotServed: as `find`; and TenantUnavailable where `epoch` is no longer the
                tenant's: the job belongs to a database that is not the tenant's any more.
        """
        ref = await self.directory.find(tenant_id)
        if ref.epoch != epoch:
            ref = await self.directory.find_now(tenant_id)
        if ref.status not in SETTLING:
            raise _refusal(ref.status)
        if ref.epoch != epoch:
            raise TenantUnavailable
        return self._tenant(ref)

    def _tenant(self, ref: TenantRef) -> Tenant:
        if ref.revision in self._too_old:
            raise TenantMigrating
        return Tenant(ref, self.engines, self._signals)


def _refusal(status: TenantStatus) -> TenantNotServed:
    if status is TenantStatus.SUSPENDED:
        return TenantSuspended()
    if status is TenantStatus.DELETED:
        return TenantUnknown()
    return TenantUnavailable()
