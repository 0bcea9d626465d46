"""Postings of many callers in few transactions: while one batch commits, the next one gathers.

A caller alone is served at once. Who comes while BATCHES_AT_ONCE transactions of the tenant run waits
for the next one, and shares it with all who came meanwhile: the more there are, the less each costs.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from contextvars import Context
from dataclasses import dataclass, field
from itertools import islice
from typing import Final
from uuid import UUID

from core.clock import Clock
from core.errors import DomainError
from resolvers.idempotency import busy_is_a_refusal
from tenancy.context import Services
from tenancy.errors import Capacity, TenantNotServed, TransactionInterrupted
from tenancy.idempotency import IdempotencyInProgress
from tenancy.sessions import Tenant
from tenant_db.ledger.batching import Linked, Made, Repeated, Request, run_batch

BATCHES_AT_ONCE: Final = 2
"""Of one tenant and process: one waits for PostgreSQL while the other is prepared."""
CALLERS_MAX: Final = 256
POSTINGS_MAX: Final = 1_000
"""Of a batch, unless one caller alone has more; linked transfers count each."""
WAITING_MAX: Final = 20_000
"""Postings of one tenant that may wait; whoever comes then is told to try again."""
ATTEMPTS: Final = 2
"""Of one transaction that rivals interrupt."""
ALONE_AT_ONCE: Final = 4
ALONE_FOR_S: Final = 5.0
"""How long commands are begun alone after their batch has failed; later ones are told to try again."""

Outcome = Made | Repeated | Exception


@dataclass(frozen=True, slots=True)
class _Waiting:
    """One caller, and what it wants."""

    requests: Sequence[Request]
    postings: int
    outcomes: asyncio.Future[Sequence[Outcome]]


@dataclass(slots=True)
class _Queue:
    """The callers of one tenant for whom nothing was begun yet."""

    tenant: Tenant
    waiting: deque[_Waiting] = field(default_factory=deque)
    postings: int = 0
    """Of those who wait."""
    running: int = 0

    def add(self, waiting: _Waiting) -> None:
        """Raises Capacity: too many wait."""
        if self.postings > WAITING_MAX:
            raise Capacity
        self.waiting.append(waiting)
        self.postings += waiting.postings

    def next_batch(self) -> list[_Waiting]:
        """Take from the front as many as fit into one transaction, without those who have gone."""
        batch: list[_Waiting] = []
        postings = 0
        while self.waiting and len(batch) < CALLERS_MAX:
            if batch and postings + self.waiting[0].postings > POSTINGS_MAX:
                break
            first = self.waiting.popleft()
            self.postings -= first.postings
            if not first.outcomes.done():
                batch.append(first)
                postings += first.postings
        return batch


class Batches:
    """What one process posts, gathered by tenant. A tenant without commands takes no memory."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._queues: dict[tuple[UUID, int], _Queue] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def carry_out(self, tenant: Tenant, requests: Sequence[Request]) -> Sequence[Outcome]:
        """Carry out commands in a transaction that they may share with those of others of this tenant.

        The caller has checked the permission. Who is cancelled before the transaction began takes
        everything back; afterwards each command is done, or refused, as a whole. An outcome that is an
        exception is that command's own: a refusal; IdempotencyInProgress, where somebody holds what it
        needs; TenantNotServed, where only the key tells whether it was done; or a fault.

        Raises:
            Capacity: too many wait already; nothing was done.
        """
        # A tenant that has moved is another database.
        key = tenant.ref.key
        queue = self._queues.setdefault(key, _Queue(tenant))
        outcomes: asyncio.Future[Sequence[Outcome]] = asyncio.get_running_loop().create_future()
        queue.add(_Waiting(requests, sum(map(_postings, requests)), outcomes))
        if queue.running < BATCHES_AT_ONCE:
            queue.running += 1
            # A batch belongs to nobody's request: neither to its trace nor to its log lines.
            task = asyncio.create_task(self._empty(key, queue), context=Context())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await outcomes

    @property
    def is_idle(self) -> bool:
        """Nothing runs or waits, and no tenant is remembered."""
        return not self._queues and not self._tasks

    async def close(self) -> None:
        """Wait until everything that was begun, or waits, is done."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _empty(self, key: tuple[UUID, int], queue: _Queue) -> None:
        """Run batch after batch until nobody waits."""
        try:
            while batch := queue.next_batch():
                await _run(batch, queue.tenant, self._services.clock)
        finally:
            queue.running -= 1
            if not queue.running and not queue.waiting:
                self._queues.pop(key, None)


def _postings(request: Request) -> int:
    return len(request.command.transfers) if isinstance(request.command, Linked) else 1


async def _run(batch: Sequence[_Waiting], tenant: Tenant, clock: Clock) -> None:
    requests = [request for waiting in batch for request in waiting.requests]
    try:
        outcomes = iter(await _outcomes(tenant, requests, clock))
    except asyncio.CancelledError:
        # Only the end of the process does that.
        for waiting in batch:
            waiting.outcomes.cancel()
        raise
    for waiting in batch:
        own = list(islice(outcomes, len(waiting.requests)))
        if not waiting.outcomes.done():
            waiting.outcomes.set_result(own)


async def _outcomes(tenant: Tenant, requests: Sequence[Request], clock: Clock) -> list[Outcome]:
    """Carry out commands in one transaction, or each in its own where that fails; never raises.

    What is refused, or a fault of one command, is the outcome of that command alone.
    """
    try:
        return list(await _together(tenant, requests, clock))
    except TenantNotServed as away:
        return [away] * len(requests)
    except Exception as fault:  # noqa: BLE001 - whose fault it is shows when each runs alone
        if len(requests) == 1:
            return [fault]
    return await _apart(tenant, requests, clock)


async def _together(
    tenant: Tenant, requests: Sequence[Request], clock: Clock
) -> Sequence[Made | Repeated | DomainError]:
    """Raises whatever one of them raises; then nothing of them was done."""
    with busy_is_a_refusal():
        for _ in range(ATTEMPTS - 1):
            try:
                async with tenant.transaction() as session:
                    return await run_batch(session, requests, clock())
            except TransactionInterrupted:
                # A rival has committed meanwhile, and is seen this time.
                continue
        async with tenant.transaction() as session:
            return await run_batch(session, requests, clock())


async def _apart(tenant: Tenant, requests: Sequence[Request], clock: Clock) -> list[Outcome]:
    outcomes: list[Outcome] = [IdempotencyInProgress() for _ in requests]
    begun = time.monotonic()
    left = iter(enumerate(requests))

    async def lane() -> None:
        for place, request in left:
            if time.monotonic() - begun > ALONE_FOR_S:
                return
            (outcomes[place],) = await _outcomes(tenant, [request], clock)

    await asyncio.gather(*(lane() for _ in range(ALONE_AT_ONCE)))
    return outcomes
