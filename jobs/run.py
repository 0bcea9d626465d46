"""The one arq function: take a row, run what it asks for, write down how it ended."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

import asyncpg
import structlog
from sqlalchemy.exc import SQLAlchemyError

from core.ids import Kind, new_id, outside
from jobs.gathering import Gathering
from jobs.rows import begin_rows, finish_rows
from jobs.work import Dead, Done, Handler, Later, Result, Work, backoff
from tenancy.context import Services
from tenancy.errors import TenantNotServed, TransactionInterrupted
from tenancy.metrics import JOBS
from tenancy.outbox import Begun, begin, bury, finish, let_go, postpone, renew
from tenancy.sessions import OwnerDatabase, Tenant
from tenancy.signals import OWNER_MEMBER

RUN_LEASE_S: Final = 12.0
"""After a crash the row waits this long for its next run."""
RENEW_EVERY_S: Final = 4.0
"""Two renewals may fail before the lease is lost."""
CATCH_UP_WAITS_S: Final = (0.5, 1.0, 2.0, 3.0, 3.0)
"""When it is tried again to write down what an outage prevented; after that the leases have ended."""
FINISH_GATHER_S: Final = 0.005
"""How long the end of a run waits for that of others: nobody waits for it."""
UNKNOWN_KIND_DELAY_S: Final = 60.0

UNREACHABLE: Final = (
    TenantNotServed,
    TransactionInterrupted,
    SQLAlchemyError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
)
"""One tenant's outage, which must not stop the others."""

_Database = OwnerDatabase | Tenant
_Find = Callable[[], Awaitable[_Database]]
_Write = Callable[[_Database], Awaitable[None]]

log = structlog.get_logger()


class Runner:
    """Runs outbox rows with the given handlers."""

    def __init__(
        self, services: Services, handlers: Mapping[str, Handler], *, renew_every_s: float = RENEW_EVERY_S
    ) -> None:
        self._services = services
        self._handlers = handlers
        self._renew_every_s = renew_every_s
        self._beginning = Gathering(self._begin_together)
        self._finishing = Gathering(self._finish_together, wait_s=FINISH_GATHER_S)
        self._catching_up: set[asyncio.Task[None]] = set()

    async def run_outbox(self, ctx: Mapping[str, Any], tenant_id: str, outbox_id: str, epoch: int) -> None:
        """Run one row, at most once at a time. What arq thinks of the run is of no importance.

        A row that can't be run now is let go, and one whose result can't be written down gets it
        later, without holding up this queue meanwhile. Where that fails, too, as where the process
        dies or the run is cancelled, the row's lease ends and the relay brings it back, with the
        tenant's new epoch if that has changed.
        """
        with structlog.contextvars.bound_contextvars(tenant=tenant_id, job=outbox_id):
            write = partial(self._let_go, UUID(outbox_id))
            try:
                database = await self._database(tenant_id, epoch)
                begun = await self._begin(database, UUID(outbox_id))
                if begun is None:
                    return
                result = await self._result(database, begun)
                write = partial(self._record, begun, result)
                await write(database)
            except UNREACHABLE as error:
                log.warning("job_waits", error=type(error).__name__)
                self._catch_up_soon(partial(self._database, tenant_id, epoch), write)
            else:
                JOBS.labels(begun.kind, type(result).__name__.lower()).inc()

    async def close(self) -> None:
        """Give up what is still to be written down: leases end by themselves."""
        for task in self._catching_up:
            task.cancel()
        await asyncio.gather(*self._catching_up, return_exceptions=True)

    def _catch_up_soon(self, find: _Find, write: _Write) -> None:
        task = asyncio.create_task(_catch_up(find, write))
        self._catching_up.add(task)
        task.add_done_callback(self._catching_up.discard)

    async def _let_go(self, id: UUID, database: OwnerDatabase | Tenant) -> None:
        async with database.transaction() as session:
            await let_go(session, id, self._services.clock())

    async def _database(self, tenant_id: str, epoch: int) -> OwnerDatabase | Tenant:
        if tenant_id == OWNER_MEMBER:
            return self._services.owner
        return await self._services.tenants.for_job(UUID(tenant_id), epoch)

    async def _begin(self, database: OwnerDatabase | Tenant, id: UUID) -> Begun | None:
        if isinstance(database, Tenant):
            return await self._beginning.ask(database, id)
        async with database.transaction() as session:
            return await begin(session, id, self._services.clock(), lease_s=RUN_LEASE_S)

    async def _begin_together(self, tenant: Tenant, ids: Sequence[UUID]) -> Sequence[Begun | None]:
        return await begin_rows(tenant, ids, self._services.clock(), lease_s=RUN_LEASE_S)

    async def _finish_together(self, tenant: Tenant, ended: Sequence[Begun]) -> Sequence[None]:
        return await finish_rows(tenant, ended, self._services.clock())

    async def _result(self, database: OwnerDatabase | Tenant, begun: Begun) -> Result:
        handler = self._handlers.get(begun.kind)
        if handler is None:
            # While versions roll out, an old worker may meet a new kind: a newer one will know it.
            return Later(UNKNOWN_KIND_DELAY_S, f"this worker knows no job {begun.kind}")
        if begun.attempt > handler.attempts_max:
            return Dead("its last run never ended: the worker died")
        tenant = database if isinstance(database, Tenant) else None
        work = Work(self._services, tenant, begun.id, begun.kind, begun.payload, begun.attempt)
        renewing = asyncio.create_task(self._keep_lease(database, begun))
        try:
            result = await _attempt(handler, work)
        finally:
            renewing.cancel()
            await asyncio.wait([renewing])
        if isinstance(result, Later) and begun.attempt >= handler.attempts_max:
            return Dead(result.why)
        return result

    async def _keep_lease(self, database: OwnerDatabase | Tenant, begun: Begun) -> None:
        """Renew the lease until cancelled, or until another run has the row."""
        is_ours = True
        while is_ours:
            await asyncio.sleep(self._renew_every_s)
            try:
                async with database.transaction() as session:
                    is_ours = await renew(session, begun, self._services.clock(), lease_s=RUN_LEASE_S)
            except UNREACHABLE as error:
                log.warning("lease_not_renewed", error=type(error).__name__)
        log.warning("job_taken_over", kind=begun.kind, attempt=begun.attempt)

    async def _record(self, begun: Begun, result: Result, database: OwnerDatabase | Tenant) -> None:
        now = self._services.clock()
        if isinstance(database, Tenant) and isinstance(result, Done):
            await self._finishing.ask(database, begun)
            return
        async with database.transaction() as session:
            match result:
                case Done():
                    await finish(session, begun, now)
                case Later(delay_s, why):
                    due = now + timedelta(seconds=delay_s)
                    await postpone(session, begun, now, due=due, why=why)
                case Dead(why):
                    log.error("job_dead", kind=begun.kind, attempt=begun.attempt, why=why)
                    await bury(session, begun, now, why=why)


async def _catch_up(find: _Find, write: _Write) -> None:
    """Write down what an outage prevented; its end is rarely far, and the tenant's other rows wait for it."""
    for wait_s in CATCH_UP_WAITS_S:
        await asyncio.sleep(wait_s)
        try:
            await write(await find())
        except UNREACHABLE:
            continue
        return


async def _attempt(handler: Handler, work: Work) -> Result:
    """Run the handler; whatever it did not foresee is logged and tried again."""
    with structlog.contextvars.bound_contextvars(kind=work.kind, attempt=work.attempt):
        try:
            async with asyncio.timeout(handler.timeout_s):
                return await handler.run(work)
        except Exception as error:
            # The outermost edge of a job: nothing above it could do better than write it down.
            reference = outside(Kind.OUTBOX, new_id())
            log.exception("job_failed", reference=reference)
            return Later(
                backoff(work.attempt, max_s=handler.retry_max_s),
                f"{type(error).__name__}, logged as {reference}",
            )
