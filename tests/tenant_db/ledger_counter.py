"""Hands requests in to a real ledger: in one transaction, as rivals, or with a crash on the way."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import event, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from core.errors import DomainError
from tenancy.errors import TenantUnavailable, TransactionInterrupted
from tenancy.sessions import Tenant, TenantSession
from tenant_db.ledger.batching import Answer, Request, run_batch
from tenant_db.ledger.bulk import post_many
from tenant_db.ledger.commands import NewTransfer
from tenant_db.ledger.holding import expire_due
from tenant_db.ledger.models import LedgerAccount
from tenant_db.ledger.results import Posted

TRIES_MAX: Final = 50
"""Rivals interrupt each other; each time, one of them gets through."""
STAGE_TIMEOUT_S: Final = 20.0
LOCK_TIMEOUT: Final = "55P03"
_WAITING: Final = """
SELECT count(DISTINCT pid) FROM pg_locks
WHERE NOT granted AND pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database())
"""

Work = Callable[[TenantSession], Awaitable[Any]]


class Crash(Exception):
    """Nothing more of this transaction is heard."""


class Death(StrEnum):
    """How a transaction ends early."""

    UNDONE = "undone"
    """Rolled back."""
    SEVERED = "severed"
    """Its connection is killed."""


def batch(requests: Sequence[Request], now: datetime) -> Work:
    """Requests of the API, in one transaction."""

    async def work(session: TenantSession) -> list[Answer]:
        return await run_batch(session, requests, now)

    return work


def bulk(news: Sequence[NewTransfer]) -> Work:
    """A bulk of the domain."""

    async def work(session: TenantSession) -> list[Posted | DomainError]:
        return await post_many(session, news)

    return work


def expiry(now: datetime) -> Work:
    """The job that lets go of holds whose time is over."""

    async def work(session: TenantSession) -> int:
        return await expire_due(session, now)

    return work


async def hand_in(tenant: Tenant, work: Work) -> Any:  # noqa: ANN401 - the answers of either sort
    """Do it in a transaction, again as long as rivals interrupt it."""
    for _ in range(TRIES_MAX):
        try:
            async with tenant.transaction() as session:
                return await work(session)
        except TransactionInterrupted:
            continue
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != LOCK_TIMEOUT:
                raise
    raise AssertionError(f"interrupted {TRIES_MAX} times")


async def race(tenant: Tenant, account_ids: Sequence[UUID], works: Sequence[Work]) -> list[Any]:
    """Hand all in at once: they start together, once each waits for an account or has been answered."""
    barrier = select(LedgerAccount.id).where(LedgerAccount.id.in_(account_ids)).order_by(LedgerAccount.id)
    async with tenant.transaction() as holder:
        await holder.execute(barrier.with_for_update())
        running = [asyncio.ensure_future(hand_in(tenant, work)) for work in works]
        async with asyncio.timeout(STAGE_TIMEOUT_S):
            while sum(map(asyncio.Future.done, running)) + await _waiting(tenant) < len(running):  # noqa: ASYNC110 - PostgreSQL can't set our event
                await asyncio.sleep(0)
    return list(await asyncio.gather(*running))


async def crash(tenant: Tenant, work: Work, *, before_statement: int, death: Death) -> None:
    """Die before a statement of the work, counted from 0, or before the commit."""
    # Nor can what is severed be rolled back by us.
    with suppress(Crash, TenantUnavailable, TransactionInterrupted, DBAPIError):
        async with tenant.transaction() as session:
            backend = await session.scalar(text("SELECT pg_backend_pid()"))
            _arm(await session.connection(), before_statement)
            with suppress(Crash):
                await work(session)
            if death is Death.SEVERED:
                await asyncio.create_task(_sever(tenant, backend))
            raise Crash


async def contents(
    tenant: Tenant, account_ids: Sequence[UUID]
) -> tuple[dict[str, UUID], dict[UUID, tuple[str, int]]]:
    """Of some accounts: the ids of transfers by their keys, and each hold's state and what it posted."""
    transfers = await tenant.rows(
        "SELECT idempotency_key, id FROM ledger_transfers WHERE source_id = ANY($1::uuid[])", account_ids
    )
    holds = await tenant.rows(
        "SELECT id, state, posted_minor FROM ledger_holds WHERE source_id = ANY($1::uuid[])", account_ids
    )
    return (
        {row["idempotency_key"]: row["id"] for row in transfers},
        {row["id"]: (row["state"], int(row["posted_minor"])) for row in holds},
    )


def _arm(connection: AsyncConnection, before_statement: int) -> None:
    left = before_statement

    def count(*_: object) -> None:
        nonlocal left
        if left == 0:
            raise Crash
        left -= 1

    event.listen(connection.sync_connection, "before_cursor_execute", count)


async def _sever(tenant: Tenant, backend: int) -> None:
    # Until it is gone: a connection that dies later would be handed to somebody else first.
    await tenant.rows("SELECT pg_terminate_backend($1, 10000)", backend)


async def _waiting(tenant: Tenant) -> int:
    ((count,),) = await tenant.rows(_WAITING)
    return int(count)
