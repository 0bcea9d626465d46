"""Keeps a loop of this process running through outages of Redis and PostgreSQL."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Final

import structlog
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from jobs.work import backoff
from tenancy.errors import TenantNotServed, TransactionInterrupted

PAUSE_FIRST_S: Final = 0.2
PAUSE_MAX_S: Final = 10.0
HEALTHY_S: Final = 5.0
"""A loop that ran this long has recovered: its next failure counts as the first."""
OUTAGES: Final = (RedisError, SQLAlchemyError, TenantNotServed, TransactionInterrupted, OSError)

log = structlog.get_logger()


async def keep_running(name: str, run: Callable[[], Awaitable[object]]) -> None:
    """Run it again, with growing pauses, whenever an outage ends it; a bug ends the process instead."""
    loop = asyncio.get_running_loop()
    failures = 0
    while True:
        started = loop.time()
        try:
            await run()
        except* OUTAGES as outage:
            failures = 1 if loop.time() - started > HEALTHY_S else failures + 1
            errors = sorted({type(error).__name__ for error in _leaves(outage)})
            log.warning("loop_restarts", loop=name, errors=errors, failures=failures)
        await asyncio.sleep(backoff(failures, first_s=PAUSE_FIRST_S, max_s=PAUSE_MAX_S))


async def uncut(step: Coroutine[None, None, None]) -> None:
    """Let a short step end although its caller is cancelled meanwhile.

    A claim then reaches the queue, and redis-py does not lose the connection that it was cleaning up.
    """
    task = asyncio.create_task(step)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.gather(task, return_exceptions=True)
        raise


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found.extend(_leaves(error) if isinstance(error, BaseExceptionGroup) else [error])
    return found
