"""Everybody locks accounts in the order of their ids, whatever the order they are named or stored in."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest
from sqlalchemy import Select, select

from core.ids import new_id
from tenancy.sessions import Tenant, TenantSession
from tenant_db.ledger.batching import run_batch
from tenant_db.ledger.bulk import post_many
from tenant_db.ledger.commands import VoidHold
from tenant_db.ledger.holding import expire_due, place_hold, void_hold
from tenant_db.ledger.models import LedgerAccount
from tenant_db.ledger.posting import post
from tests.factories.batches import posting, request
from tests.factories.holds import END, a_hold
from tests.factories.ledger import NOW, make_account, sale
from tests.racing import stand_still

Verb = Callable[[TenantSession, UUID, UUID, UUID], Awaitable[object]]


async def posting_one(session: TenantSession, low: UUID, high: UUID, _: UUID) -> object:
    return await post(session, sale(high, low, 1, "post"))


async def posting_many(session: TenantSession, low: UUID, high: UUID, _: UUID) -> object:
    return await post_many(session, [sale(high, low, 1, "a"), sale(low, high, 1, "b")])


async def batching(session: TenantSession, low: UUID, high: UUID, _: UUID) -> object:
    return await run_batch(session, [posting(high, low, 1, "a")], NOW)


async def resolving(session: TenantSession, _low: UUID, _high: UUID, hold_id: UUID) -> object:
    return await run_batch(session, [request(VoidHold(hold_id), "a")], NOW)


async def voiding(session: TenantSession, _low: UUID, _high: UUID, hold_id: UUID) -> object:
    return await void_hold(session, VoidHold(hold_id), NOW)


async def expiring(session: TenantSession, _low: UUID, _high: UUID, _: UUID) -> object:
    return await expire_due(session, END)


def free(id_: UUID) -> Select[UUID]:
    """The account, unless somebody holds it."""
    return select(LedgerAccount.id).where(LedgerAccount.id == id_).with_for_update(skip_locked=True)


@pytest.mark.parametrize("verb", [posting_one, posting_many, batching, resolving, voiding, expiring])
async def test_who_waits_for_the_first_account_holds_none_behind_it(tenant: Tenant, verb: Verb) -> None:
    low, high = new_id(), new_id()
    # Stored the other way round, so that reading them as they lie would lock the last one first.
    await make_account(tenant, "custom:high", balance_minor=1_000, id=high)
    await make_account(tenant, "custom:low", balance_minor=1_000, id=low)
    async with tenant.transaction() as session:
        held = await place_hold(session, a_hold((high, low), key="people:hold"), NOW)

    async def run() -> None:
        async with tenant.transaction() as session:
            await verb(session, low, high, held.id)

    async with tenant.transaction() as holder:
        await holder.execute(select(LedgerAccount).where(LedgerAccount.id == low).with_for_update())
        rival = asyncio.ensure_future(run())
        await stand_still(tenant, rival)
        is_waiting = not rival.done()
        found = await holder.execute(free(high))
        is_free = found.one_or_none() is not None
    await rival

    assert (is_waiting, is_free) == (True, True)


async def test_what_may_be_posted_to_next_is_locked_with_the_rest(tenant: Tenant) -> None:
    source, target, aside = [await make_account(tenant, f"a:{number}") for number in range(3)]

    async with tenant.transaction() as session:
        await post(session, sale(source, target), also_locking={aside})
        async with tenant.transaction() as rival:
            assert (await rival.execute(free(aside))).all() == []
