"""What runs again and again: each under a lock in PostgreSQL, each safe to run a second time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy import func, select

from jobs.supervision import OUTAGES
from tenancy.sessions import OwnerDatabase

RUN_MAX_S: Final = 900.0
RARE_FROM_S: Final = 60.0
"""What comes less often may take long, and must not hold up what comes every few seconds."""
OFTEN_AT_ONCE: Final = 2
RARE_AT_ONCE: Final = 1
"""Each turn holds a connection to the owner database besides those that its work needs: all at once,
as at the start of a process, they would leave none to themselves, the relays and the jobs."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Periodic:
    """Something to do every `every_s` seconds in each worker process, but in one of them at a time."""

    name: str
    every_s: float
    run: Callable[[], Awaitable[object]]


async def run_schedule(owner: OwnerDatabase, schedule: Sequence[Periodic]) -> None:
    """Run all until cancelled. A run that fails is logged, and the next one comes in its time."""
    often, rare = asyncio.Semaphore(OFTEN_AT_ONCE), asyncio.Semaphore(RARE_AT_ONCE)
    async with asyncio.TaskGroup() as group:
        for periodic in schedule:
            places = rare if periodic.every_s >= RARE_FROM_S else often
            group.create_task(_run_periodically(owner, periodic, places))


async def run_if_free(owner: OwnerDatabase, periodic: Periodic) -> None:
    """Run it once, unless it runs elsewhere at this moment."""
    with structlog.contextvars.bound_contextvars(periodic=periodic.name):
        try:
            async with asyncio.timeout(RUN_MAX_S), _turn(owner, periodic.name) as is_ours:
                if is_ours:
                    await periodic.run()
        except OUTAGES as outage:
            log.warning("periodic_waits", error=type(outage).__name__)
        except Exception:
            # The outermost edge: a bug in one schedule must not stop payments in the same process.
            log.exception("periodic_failed")


async def _run_periodically(owner: OwnerDatabase, periodic: Periodic, places: asyncio.Semaphore) -> None:
    while True:
        async with places:
            await run_if_free(owner, periodic)
        await asyncio.sleep(periodic.every_s)


@asynccontextmanager
async def _turn(owner: OwnerDatabase, name: str) -> AsyncIterator[bool]:
    """Hold the schedule's lock for the block; false where another process holds it."""
    key = func.hashtextextended(f"cron:{name}", 0)
    # The lock lives as long as this transaction, which idles while the run works elsewhere.
    patience = func.set_config("idle_in_transaction_session_timeout", "0", True)  # noqa: FBT003 - PostgreSQL's own
    async with owner.transaction() as session:
        found = await session.execute(select(func.pg_try_advisory_xact_lock(key), patience))
        yield bool(found.one()[0])
