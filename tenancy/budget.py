"""Who gets a connection next: admission without an await, and one queue."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic
from typing import Final
from uuid import UUID

from tenancy.connections import Connector
from tenancy.errors import Capacity, TenantUnavailable
from tenancy.metrics import CAPACITY_REFUSALS, CAPACITY_WAITS, CONNECTIONS_BUDGET, CONNECTIONS_IN_USE, ENGINES
from tenancy.slots import Live, Slot, Waiter
from tenancy.tenant_ref import TenantRef

QUEUE_S: Final = 0.5
PATIENCE_S: Final = 0.02
"""How long a tenant waits for its own connections before it takes the place of another's."""
SPARE_OF: Final = 32
"""One place of so many is kept free."""
AGE_S: Final = 1_800.0
"""Older connections are closed when they come back: a server's memory of each one only grows."""


class Budget:
    """At most `connections` in all and `per_tenant` for one tenant.

    Every method but `wait` is free of awaits: what it looks up is still true when it counts.
    """

    def __init__(
        self, connections: int, per_tenant: int, connector: Connector, retire: Callable[[Slot], None]
    ) -> None:
        self.connections = connections
        self.used = 0
        """Places taken: open, opening or closing."""
        self._per_tenant = per_tenant
        self._spare = connections // SPARE_OF
        self._connector = connector
        self._retire = retire
        self._live: dict[UUID, Live] = {}
        # The one that has been idle for longest comes first.
        self._idle: OrderedDict[Slot, None] = OrderedDict()
        self._queue: dict[Waiter, None] = {}
        CONNECTIONS_BUDGET.set(connections)

    def admit(self, ref: TenantRef) -> Slot | None:
        """Take an idle connection, or a place for a new one; None where the caller has to queue.

        A tenant that has connections does not take a stranger's place at once: its own come back
        sooner than a new one opens.

        Raises:
            TenantUnavailable: the registry has moved on to a later epoch than `ref`.
        """
        live = self._live_of(ref)
        slot = self._idle_of(live)
        if slot is not None:
            return slot
        if live.count and self.used >= self.connections - self._spare:
            return None
        return self._place_for(live)

    def _admit_impatient(self, ref: TenantRef) -> Slot | None:
        live = self._live_of(ref)
        return self._idle_of(live) or self._place_for(live)

    def _idle_of(self, live: Live) -> Slot | None:
        while live.idle:
            slot = live.idle.pop()
            del self._idle[slot]
            if slot.is_open:
                return slot
            self._uncount(slot)
            self.used -= 1
        return None

    def _place_for(self, live: Live) -> Slot | None:
        if live.count >= self._per_tenant:
            return None
        replaced = None
        if self.used >= self.connections:
            replaced = self._take_oldest()
            if replaced is None:
                return None
        else:
            self.used += 1
            self._keep_spare()
        live.count += 1
        self._live[live.ref.id] = live
        self._show()
        return Slot(live, self._connector, replaced)

    def _keep_spare(self) -> None:
        """Close ahead, so that the next stranger finds a place instead of waiting for one to close."""
        if self.used > self.connections - self._spare and self._idle:
            oldest = next(iter(self._idle))
            self._take(oldest)
            self._retire(oldest)

    async def wait(self, ref: TenantRef) -> Slot:
        """Queue, first in, first out.

        Raises:
            Capacity: nothing came free in QUEUE_S.
        """
        CAPACITY_WAITS.inc()
        waiter = Waiter(ref)
        self._queue[waiter] = None
        impatience = asyncio.get_running_loop().call_later(PATIENCE_S, self._lose_patience, waiter)
        try:
            async with asyncio.timeout(QUEUE_S):
                return await waiter.granted
        except TimeoutError as error:
            CAPACITY_REFUSALS.inc()
            self._withdraw(waiter)
            raise Capacity from error
        except BaseException:
            self._withdraw(waiter)
            raise
        finally:
            impatience.cancel()

    def give_back(self, slot: Slot) -> None:
        """Make a connection at rest available to the next one."""
        if not slot.is_open:
            self.forget(slot)
            return
        if slot.live.is_draining or monotonic() - slot.opened_at > AGE_S:
            self._retire(slot)
            return
        slot.idle_since = monotonic()
        slot.live.idle.append(slot)
        self._idle[slot] = None
        self._serve()

    def forget(self, slot: Slot) -> None:
        """Free the place of a connection that is closed, or that never opened."""
        if slot.replaces is not None:
            # Its place was promised before its connection was closed; that comes first.
            replaced, slot.replaces = slot.replaces, None
            self._uncount(slot)
            replaced.live.count += 1
            self._retire(replaced)
            return
        self._uncount(slot)
        self.used -= 1
        self._serve()
        self._show()

    def drain(self, tenant_id: UUID) -> list[Slot]:
        """Stop using a tenant's connections; gives the idle ones, which the caller closes and forgets."""
        live = self._live.pop(tenant_id, None)
        return [] if live is None else self._drain(live)

    def take_idle_since(self, before: float) -> list[Slot]:
        """Take what has been idle since `before` (monotonic); the caller closes and forgets it."""
        taken = [slot for slot in self._idle if slot.idle_since < before]
        for slot in taken:
            self._take(slot)
        return taken

    @property
    def tenant_ids(self) -> list[UUID]:
        """Who has connections."""
        return list(self._live)

    def _live_of(self, ref: TenantRef) -> Live:
        live = self._live.get(ref.id)
        if live is None:
            return Live(ref)
        if live.ref.epoch == ref.epoch:
            return live
        if live.ref.epoch > ref.epoch:
            raise TenantUnavailable
        del self._live[ref.id]
        for slot in self._drain(live):
            self._retire(slot)
        return Live(ref)

    def _drain(self, live: Live) -> list[Slot]:
        live.is_draining = True
        idle = list(live.idle)
        for slot in idle:
            self._take(slot)
        return idle

    def _take_oldest(self) -> Slot | None:
        if not self._idle:
            return None
        slot = next(iter(self._idle))
        self._take(slot)
        self._uncount(slot)
        return slot

    def _take(self, slot: Slot) -> None:
        del self._idle[slot]
        slot.live.idle.remove(slot)

    def _uncount(self, slot: Slot) -> None:
        live = slot.live
        live.count -= 1
        if live.count == 0 and self._live.get(live.ref.id) is live:
            del self._live[live.ref.id]

    def _serve(self) -> None:
        """Admit whom there is room for, in the order they came."""
        for waiter in list(self._queue):
            if self.used >= self.connections and not self._idle:
                return
            if waiter.granted.done():
                continue
            admit = self.admit if waiter.is_patient else self._admit_impatient
            try:
                slot = admit(waiter.ref)
            except TenantUnavailable as error:
                del self._queue[waiter]
                waiter.granted.set_exception(error)
                continue
            if slot is not None:
                del self._queue[waiter]
                waiter.granted.set_result(slot)

    def _lose_patience(self, waiter: Waiter) -> None:
        waiter.is_patient = False
        self._serve()

    def _withdraw(self, waiter: Waiter) -> None:
        """Leave the queue; what was granted at this very moment goes to the next one."""
        self._queue.pop(waiter, None)
        granted = waiter.granted
        if granted.done() and not granted.cancelled() and granted.exception() is None:
            self.give_back(granted.result())

    def _show(self) -> None:
        CONNECTIONS_IN_USE.set(self.used)
        ENGINES.set(len(self._live))
