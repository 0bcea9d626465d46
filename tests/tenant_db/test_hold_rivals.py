"""Rivals for the same money, the same key or the same hold: one of them wins, and nothing waits for ever."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from sqlalchemy import select

from core.ids import new_id
from tenancy.idempotency import IdempotencyKeyReused
from tenancy.sessions import Tenant
from tenant_db.ledger.commands import PostHold
from tenant_db.ledger.errors import (
    HoldAlreadyResolved,
    InsufficientFunds,
)
from tenant_db.ledger.holding import post_hold
from tenant_db.ledger.models import LedgerAccount
from tenant_db.ledger.posting import post
from tenant_db.ledger.results import Held, Posted
from tests.factories.holds import a_hold, expiring, hold_ends, kes, placed, posting, row_of, voiding
from tests.factories.ledger import NOW, balance_of, make_account, pending_of, sale
from tests.racing import race, stand_still


async def test_rivals_for_the_last_shilling_hold_it_once(tenant: Tenant) -> None:
    ends = await hold_ends(tenant)
    barrier = select(LedgerAccount).where(LedgerAccount.id == ends[0]).with_for_update()

    async def holding(number: int) -> Held:
        return await placed(tenant, a_hold(ends, 400, f"payout:{number}"))

    results = await race(tenant, barrier, [lambda number=number: holding(number) for number in range(8)])  # type: ignore[misc]  # bound at once

    assert len([result for result in results if isinstance(result, Held)]) == 2
    assert len([result for result in results if isinstance(result, InsufficientFunds)]) == 6
    assert await pending_of(tenant, ends[0]) == (800, 0)


async def test_rivals_resolve_a_hold_once(tenant: Tenant) -> None:
    ends = await hold_ends(tenant)
    held = await placed(tenant, a_hold(ends))
    barrier = select(LedgerAccount).where(LedgerAccount.id == ends[0]).with_for_update()
    rivals = [
        *[posting(tenant, held)] * 4,
        *[voiding(tenant, held)] * 4,
        *[posting(tenant, held, kes(5))] * 4,
    ]

    results = await race(tenant, barrier, rivals)

    winners = [result for result in results if isinstance(result, Posted | Held)]
    losers = [result for result in results if isinstance(result, HoldAlreadyResolved)]
    assert (len(winners), len(losers)) == (1, 11)
    row = await row_of(tenant, held)
    assert {loser.resolution for loser in losers} == {row.state}
    assert [await balance_of(tenant, id_) for id_ in ends] == [1_000 - row.posted_minor, row.posted_minor]
    assert [await pending_of(tenant, id_) for id_ in ends] == [(0, 0), (0, 0)]


async def test_the_job_and_a_late_posting_resolve_a_hold_once(tenant: Tenant) -> None:
    ends = await hold_ends(tenant)
    held = await placed(tenant, a_hold(ends))
    barrier = select(LedgerAccount).where(LedgerAccount.id == ends[0]).with_for_update()

    results = await race(
        tenant, barrier, [expiring(tenant), posting(tenant, held), expiring(tenant), voiding(tenant, held)]
    )

    assert len([result for result in results if result == 1 or isinstance(result, Posted | Held)]) == 1
    assert [await pending_of(tenant, id_) for id_ in ends] == [(0, 0), (0, 0)]


async def test_rivals_that_cross_with_holds_and_postings_never_deadlock(tenant: Tenant) -> None:
    one = await make_account(tenant, "one", balance_minor=10_000)
    two = await make_account(tenant, "two", balance_minor=10_000)
    there = [await placed(tenant, a_hold((one, two), 100, f"there:{number}")) for number in range(4)]
    back = [await placed(tenant, a_hold((two, one), 30, f"back:{number}")) for number in range(4)]

    async def moving(number: int) -> Posted:
        async with tenant.transaction() as session:
            return await post(session, sale(two, one, 7, f"sale:{number}"))

    barrier = select(LedgerAccount).where(LedgerAccount.id.in_([one, two])).with_for_update()
    rivals: list[Callable[[], Awaitable[object]]] = [
        *(posting(tenant, held) for held in there),
        *(voiding(tenant, held) for held in back),
        *((lambda number=number: moving(number)) for number in range(4)),
    ]
    results = await race(tenant, barrier, rivals)

    assert not [result for result in results if isinstance(result, BaseException)]
    assert await balance_of(tenant, one) == 10_000 - 400 + 28
    assert await balance_of(tenant, two) == 10_000 + 400 - 28
    assert [await pending_of(tenant, id_) for id_ in (one, two)] == [(0, 0), (0, 0)]


async def test_ten_rivals_with_one_key_hold_once(tenant: Tenant) -> None:
    ends = await hold_ends(tenant)
    new = a_hold(ends)
    barrier = select(LedgerAccount).where(LedgerAccount.id == ends[0]).with_for_update()

    results = await race(tenant, barrier, [lambda: placed(tenant, replace(new, id=new_id()))] * 10)

    assert len({result.id for result in results if isinstance(result, Held)}) == 1
    assert await pending_of(tenant, ends[0]) == (600, 0)
    with pytest.raises(IdempotencyKeyReused):
        await placed(tenant, replace(new, amount=kes(601)))


async def test_the_job_that_waited_for_a_posting_leaves_its_hold_alone(tenant: Tenant) -> None:
    ends = await hold_ends(tenant)
    held = await placed(tenant, a_hold(ends))
    async with tenant.transaction() as session:
        await post_hold(session, PostHold(held.id), NOW)
        # It has found the hold to be due, and waits for the accounts.
        job = asyncio.ensure_future(expiring(tenant)())
        await stand_still(tenant, job)

    assert await job == 0
    assert [await balance_of(tenant, id_) for id_ in ends] == [400, 600]
    assert [await pending_of(tenant, id_) for id_ in ends] == [(0, 0), (0, 0)]
