"""Sixty-four rivals of every kind at the same accounts: nothing is lost or counted twice, none deadlocks."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final
from uuid import UUID

import pytest
from sqlalchemy import select

from core.currency import Currency
from core.money import Money
from core.phone import Phone
from tenancy.engines import TenantEngines
from tenancy.sessions import Tenant
from tenant_db.ledger.accounts import Holding, available, open_account
from tenant_db.ledger.batching import Answer, Linked, Made
from tenant_db.ledger.bulk import post_many
from tenant_db.ledger.commands import PostHold, VoidHold
from tenant_db.ledger.holding import place_hold
from tenant_db.ledger.models import LedgerAccount
from tenant_db.ledger.results import Posted
from tenant_db.payments.rules import Paid
from tenant_db.payments.settling import Verdict
from tests.conftest import RecordedSignals
from tests.factories.batches import batch_in, hold, posting, request, transfer
from tests.factories.ledger import NOW, balance_of, make_account, pending_of, require_sound_books, sale
from tests.factories.payments import AMOUNT, Shop, books, checkout_id, make_shop, pend
from tests.factories.telling import call_back
from tests.racing import race

OF_EACH: Final = 16
RIVALS: Final = 4 * OF_EACH

Rival = Callable[[], Awaitable[object]]


@pytest.fixture
async def crowded(tenant: Tenant, signals: RecordedSignals) -> AsyncIterator[Tenant]:
    """The tenant with a connection for each rival, and two for the race itself."""
    engines = TenantEngines(RIVALS + 2, per_tenant=RIVALS + 2)
    yield Tenant(tenant.ref, engines, signals)
    await engines.close()


async def settlement(tenant: Tenant, shop: Shop, number: int) -> Rival:
    payment, item = await pend(tenant, shop, phone=Phone(f"+2547120001{number:02}"))

    async def run() -> object:
        told = Paid(AMOUNT, f"TKX{number:07}")
        settled = await call_back(tenant, shop, item, checkout_id(payment), told)
        assert settled.verdict is Verdict.SETTLED
        return settled

    return run


def bulk(tenant: Tenant, store: UUID, till: UUID, number: int) -> Rival:
    async def run() -> object:
        news = [sale(till, store, 7, f"bulk:{number}:{item}") for item in range(20)]
        news += [sale(store, till, 5, f"back:{number}:{item}") for item in range(20)]
        async with tenant.transaction() as session:
            answers = await post_many(session, news)
        assert all(isinstance(answer, Posted) for answer in answers)
        return answers

    return run


async def resolution(tenant: Tenant, store: UUID, till: UUID, number: int) -> Rival:
    new = hold(store, till, 30, f"hold{number}")
    async with tenant.transaction() as session:
        held = await place_hold(session, new, NOW)
    resolving = PostHold(held.id, Money(11, Currency.KES)) if number % 2 else VoidHold(held.id)

    return made_by(batch_in(tenant, [request(resolving, f"resolve{number}")]))


def batch(tenant: Tenant, store: UUID, till: UUID, number: int) -> Rival:
    there_and_back = Linked(
        [transfer(store, till, 3, f"there{number}"), transfer(till, store, 2, f"back{number}")]
    )
    requests = [
        posting(till, store, 13, f"single{number}"),
        request(there_and_back, f"linked{number}"),
        request(hold(store, till, 17, f"kept{number}"), f"kept{number}"),
    ]

    return made_by(batch_in(tenant, requests))


def made_by(running: Callable[[], Awaitable[list[Answer]]]) -> Rival:
    async def run() -> object:
        answers = await running()
        assert all(isinstance(answer, Made) for answer in answers), answers
        return answers

    return run


async def test_sixty_four_rivals_of_every_kind_leave_exact_books(crowded: Tenant) -> None:
    shop = await make_shop(crowded)
    place = Holding.of_channel(shop.channel_id)
    async with crowded.transaction() as session:
        store = await open_account(session, available(shop.store_id, place, Currency.KES))
    till = await make_account(crowded, "custom:till")
    async with crowded.transaction() as session:
        await post_many(session, [sale(till, store, 100_000, "opening")])
    rivals: list[Rival] = []
    for number in range(OF_EACH):
        rivals += [
            await settlement(crowded, shop, number),
            bulk(crowded, store, till, number),
            await resolution(crowded, store, till, number),
            batch(crowded, store, till, number),
        ]

    barrier = select(LedgerAccount).where(LedgerAccount.id == store).with_for_update()
    results = await race(crowded, barrier, rivals)

    failures = [result for result in results if isinstance(result, BaseException)]
    assert failures == []
    moved = OF_EACH * (20 * 7 - 20 * 5 + 13 - 3 + 2) - OF_EACH // 2 * 11
    assert await balance_of(crowded, store) == 100_000 + OF_EACH * AMOUNT.minor + moved
    assert await balance_of(crowded, till) == -100_000 - moved
    assert await pending_of(crowded, store) == (OF_EACH * 17, 0)
    found = await books(crowded, shop)
    assert (found.holding, found.suspense) == (OF_EACH * AMOUNT.minor, 0)
    await require_sound_books(crowded)
