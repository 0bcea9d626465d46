"""Staged races: rivals that all stand at the same lock when it opens."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from sqlalchemy import Executable, text

from tenancy.sessions import Tenant

Result = TypeVar("Result")
STAGE_TIMEOUT_S: Final = 20.0

_WAITING: Final = text("""
SELECT count(DISTINCT pid) FROM pg_locks
WHERE NOT granted AND pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database())
""")


async def race(
    tenant: Tenant,
    barrier: Executable,
    rivals: Sequence[Callable[[], Awaitable[Result]]],
    *,
    waiting: int | None = None,
) -> list[Result | BaseException]:
    """Hold the locks that `barrier` takes until `waiting` rivals (all of them) wait in the database.

    Gives what each rival returned or raised, in their order. The tenant's engine must have a
    connection for each of them and two more.
    """
    wanted = len(rivals) if waiting is None else waiting
    async with tenant.transaction() as holder:
        await holder.execute(barrier)
        running = [asyncio.ensure_future(rival()) for rival in rivals]
        async with asyncio.timeout(STAGE_TIMEOUT_S):
            while await _waiting(tenant) < wanted:  # noqa: ASYNC110 - PostgreSQL can't set our event
                await asyncio.sleep(0)
    return await asyncio.gather(*running, return_exceptions=True)


async def stand_still(tenant: Tenant, rival: asyncio.Future[Result]) -> None:
    """Return once the rival has ended, or waits for a lock in the database."""
    async with asyncio.timeout(STAGE_TIMEOUT_S):
        while not rival.done() and await _waiting(tenant) == 0:  # noqa: ASYNC110 - PostgreSQL can't set our event
            await asyncio.sleep(0)


async def _waiting(tenant: Tenant) -> int:
    async with tenant.reading() as session:
        return int(await session.scalar(_WAITING) or 0)
