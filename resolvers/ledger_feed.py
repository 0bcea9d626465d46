"""Balances as they change: the present state first, then newer ones."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Final
from uuid import UUID

from core.errors import NotFound
from tenancy.context import TenantContext
from tenancy.feed import RESYNC
from tenancy.roles import Scope
from tenancy.sessions import Notice
from tenant_db.ledger import balances
from tenant_db.ledger.balances import StoreState
from tenant_db.ledger.feeding import ANY, TOPIC
from tenant_db.stores.models import Store

EVERY_S: Final = 0.1
"""A busy store's balance is read no more often, by each subscriber."""
OTHERS_MAX: Final = 10_000
"""Accounts that one subscriber remembers as not the store's."""


async def store_balance_updates(context: TenantContext, store_id: UUID) -> AsyncGenerator[StoreState, None]:
    """What a store has, now and after changes; changes in quick succession come as one.

    Needs ledger:read. Nothing is asked of the database while the store's balance is at rest.

    Raises:
        NotFound: this business has no such store.
    """
    context.require(Scope.LEDGER_READ)
    # Subscribed before it is read: what changes in between is told, not lost.
    async with context.services.feed.subscribe(context.tenant.id, {TOPIC}) as notices:
        shown = await _state(context, store_id)
        yield shown
        others: set[str] = set()
        last_read = asyncio.get_running_loop().time()
        async for notice in notices:
            if not _may_concern(notice, others):
                continue
            # What is told meanwhile adds up in the stream, and is one more notice afterwards.
            await asyncio.sleep(last_read + EVERY_S - asyncio.get_running_loop().time())
            newer = await _state(context, store_id)
            last_read = asyncio.get_running_loop().time()
            _remember(others, notice, newer)
            if (newer.sequence, newer.balances) != (shown.sequence, shown.balances):
                yield newer
            shown = newer


def _may_concern(notice: Notice, others: set[str]) -> bool:
    """Whether it may be about the store: an account that was not seen before may be new, and the store's."""
    return notice.topic == RESYNC.topic or any(
        account not in others for account in notice.payload["accounts"]
    )


def _remember(others: set[str], notice: Notice, state: StoreState) -> None:
    if len(others) > OTHERS_MAX:
        others.clear()
    own = {ANY, *(str(id_) for id_ in state.account_ids)}
    others.update(account for account in notice.payload.get("accounts", ()) if account not in own)


async def _state(context: TenantContext, store_id: UUID) -> StoreState:
    async with context.tenant.reading() as session:
        if await session.get(Store, store_id) is None:
            raise NotFound("store")
        return await balances.store_state(session, store_id)
