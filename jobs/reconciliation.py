"""Checks the books of every tenant each night, spread over it: each store, and what all stores share."""

import asyncio
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Final
from uuid import UUID

import structlog

from core.clock import Clock
from jobs.cron import Periodic
from jobs.payment_sweep import SWEEP
from jobs.run import UNREACHABLE
from jobs.webhooks import FORGET
from jobs.work import Dead, Done, Handler, Result, Work
from owner_db.tenants.walking import settling_tenants
from tenancy.engines import Tenants
from tenancy.outbox import announce
from tenancy.sessions import OwnerDatabase
from tenant_db.reconciliation.asking import ask_for_night
from tenant_db.reconciliation.models import Reconciliation
from tenant_db.reconciliation.reconciling import reconcile

QUEUE: Final = "platform"
KIND: Final = "reconcile_scope"
NIGHT_BEGINS: Final = time(21, 0)
"""In UTC: midnight in Nairobi, where most shops are."""
NIGHT_S: Final = 5 * 3_600
"""Over which tenants are spread, each at its own moment of the night."""
CATCH_UP_S: Final = 3 * 3_600
"""Longer, for tenants that could not be reached at their moment."""
LOOK_EVERY_S: Final = 600.0
STORES_SPREAD_S: Final = 600
"""Over which the stores of one tenant are spread."""
AT_ONCE: Final = 4

log = structlog.get_logger()


def reconciliation_handlers() -> list[Handler]:
    """The jobs of checking the books."""
    return [Handler(KIND, reconcile_scope)]


async def reconcile_scope(work: Work) -> Result:
    """Check one planned scope. A check that is done is not made again."""
    id_ = UUID(work.payload["reconciliation_id"])
    async with work.tenant.transaction() as session:
        planned = await session.get(Reconciliation, id_, with_for_update=True)
        if planned is None:
            return Dead("the check was never planned here")
        if planned.finished_at is None:
            done = await reconcile(session, planned, work.services.clock())
            log.info("books_checked", scope=done.scope, entries=done.entry_count, findings=done.finding_count)
    return Done()


class Nights:
    """Asks each tenant, once a night, to have its books checked."""

    def __init__(self, owner: OwnerDatabase, tenants: Tenants, clock: Clock) -> None:
        """`tenants` lease connections of the sweeps' own."""
        self._owner = owner
        self._tenants = tenants
        self._clock = clock
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._night: date | None = None
        self._asked: set[UUID] = set()

    def schedule(self) -> Sequence[Periodic]:
        return (Periodic("reconcile_nightly", LOOK_EVERY_S, self.ask),)

    async def ask(self) -> None:
        """Leave jobs with the tenants whose moment has come and who were not asked tonight.

        What this process forgets, the tenant's database knows: asking twice leaves one job.
        """
        night, elapsed_s = night_of(self._clock())
        if night != self._night:
            self._night, self._asked = night, set()
        if elapsed_s > NIGHT_S + CATCH_UP_S:
            return
        async for batch in settling_tenants(self._owner):
            due = [id_ for id_ in batch if id_ not in self._asked and moment_s(id_) <= elapsed_s]
            await asyncio.gather(*(self._ask(id_, night) for id_ in due))

    async def _ask(self, tenant_id: UUID, night: date) -> None:
        async with self._slots:
            try:
                tenant = await self._tenants.settling(tenant_id)
                async with tenant.transaction() as session:
                    planned = await ask_for_night(session, night, self._clock())
                    if planned:
                        announce(session, SWEEP, queue=QUEUE)
                        announce(session, FORGET, queue=QUEUE)
                    for asked in planned:
                        after_s = asked.int % STORES_SPREAD_S
                        announce(session, KIND, queue=QUEUE, after_s=after_s, reconciliation_id=str(asked))
            except UNREACHABLE as error:
                # One tenant's outage must not keep the others; the next look comes in ten minutes.
                log.warning("night_passes_over", tenant=str(tenant_id), error=type(error).__name__)
                return
        self._asked.add(tenant_id)


def night_of(now: datetime) -> tuple[date, float]:
    """The night that has begun last, by the date of its beginning, and the seconds since."""
    begins = datetime.combine(now.date(), NIGHT_BEGINS, tzinfo=now.tzinfo)
    if begins > now:
        begins -= timedelta(days=1)
    return begins.date(), (now - begins).total_seconds()


def moment_s(tenant_id: UUID) -> int:
    """When in the night a tenant's moment is, in seconds: the same every night, and spread evenly."""
    # The last digits of a UUIDv7 are random; the first ones are its time.
    return tenant_id.int % NIGHT_S
