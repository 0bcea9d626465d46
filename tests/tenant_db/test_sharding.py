"""An account that everybody posts to is split, so that rivals do not wait for each other."""

import asyncio
from collections import Counter
from uuid import UUID

import pytest
from sqlalchemy import func, select

from core.currency import Currency
from core.ids import new_id
from core.phone import Phone
from tenancy.sessions import Tenant
from tenant_db.ledger.accounts import (
    SHARDS,
    AccountPlan,
    Holding,
    adjustments,
    available,
    holding,
    open_account,
    open_accounts,
    payouts_in_flight,
    platform_fees,
    provider_fees,
    refunds,
    suspense,
)
from tenant_db.ledger.models import LedgerAccount
from tenant_db.ledger.posting import post
from tenant_db.ledger.rules import NormalSide
from tenant_db.payments.rules import Paid
from tests.factories.ledger import balance_of, entries_of, make_account, sale
from tests.factories.payments import AMOUNT, books, checkout_id, make_shop, pend
from tests.factories.telling import call_back

PLACE = Holding.of_channel(UUID(int=1))
KES = Currency.KES
STABLE = [1, 7, 5, 3, 0, 6]
"""The shards of a holding for the ids 0 to 5, whatever the process."""


def of_shard(shard: int) -> UUID:
    """Something that the shard takes."""
    plan = holding(PLACE, KES)
    return next(id_ for id_ in iter(new_id, None) if plan.shard(id_) == shard)


@pytest.mark.parametrize(
    "plan", [holding(PLACE, KES), suspense(PLACE, KES), provider_fees(KES), platform_fees(KES)]
)
def test_what_everybody_touches_is_split_evenly(plan: AccountPlan) -> None:
    shards = Counter(plan.shard(new_id()) for _ in range(4_000))

    assert set(shards) == set(range(SHARDS))
    assert min(shards.values()) > 4_000 / SHARDS / 2
    assert plan.shard(None) == 0


@pytest.mark.parametrize(
    "plan",
    [
        available(UUID(int=2), PLACE, KES),
        refunds(PLACE, KES),
        payouts_in_flight(PLACE, KES),
        adjustments(KES),
    ],
)
def test_an_account_with_a_limit_or_few_postings_is_one_row(plan: AccountPlan) -> None:
    assert {plan.shard(new_id()) for _ in range(100)} == {0}


def test_a_shard_is_the_same_in_every_process() -> None:
    # Of a hash with a seed, a payment's refund would look for its money in another row.
    assert [holding(PLACE, KES).shard(UUID(int=number)) for number in range(6)] == STABLE


@pytest.mark.parametrize(
    "limits", [{"floor_minor": 0}, {"ceiling_minor": 0}, {"store_id": UUID(int=2)}], ids=str
)
def test_an_account_with_a_limit_can_not_be_split(limits: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="one row"):
        AccountPlan("code", KES, NormalSide.CREDIT, is_split=True, **limits)  # type: ignore[arg-type]  # one limit each


async def test_shards_open_when_they_are_first_needed(tenant: Tenant) -> None:
    plan = holding(PLACE, KES)
    async with tenant.transaction() as session:
        one, two = [await open_account(session, plan, spread=of_shard(number)) for number in (3, 5)]
        again, whole = await open_accounts(session, plan, adjustments(KES), spread=of_shard(3))
        first = await open_account(session, plan)

    assert one == again
    assert len({one, two, whole, first}) == 4
    async with tenant.reading() as session:
        shards = await session.scalars(select(LedgerAccount.shard).where(LedgerAccount.code == plan.code))
        assert sorted(shards) == [0, 3, 5]


async def test_rivals_on_different_shards_do_not_wait_for_each_other(tenant: Tenant) -> None:
    targets = [await make_account(tenant, f"store:{number}") for number in range(2)]
    async with tenant.transaction() as session:
        sources = [
            await open_account(session, holding(PLACE, KES), spread=of_shard(number)) for number in (1, 2)
        ]

    async with tenant.transaction() as first, tenant.transaction() as second, asyncio.timeout(20):
        await post(first, sale(sources[0], targets[0], 100, "first"))
        # The first is not committed: on one row this would wait for it for ever.
        await post(second, sale(sources[1], targets[1], 100, "second"))

    assert [await balance_of(tenant, id_) for id_ in sources] == [100, 100]
    assert [[entry.sequence for entry in await entries_of(tenant, id_)] for id_ in sources] == [[1], [1]]


async def test_settled_payments_spread_over_the_shards_of_their_holding(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    for number in range(6):
        payment, item = await pend(tenant, shop, phone=Phone(f"+25471200000{number}"))
        await call_back(tenant, shop, item, checkout_id(payment), Paid(AMOUNT, f"TKX000000{number}"))

    async with tenant.reading() as session:
        rows = await session.scalar(
            select(func.count()).where(LedgerAccount.code.like("holding:%"), LedgerAccount.entry_count > 0)
        )
    assert (rows or 0) > 1
    found = await books(tenant, shop)
    assert found.holding == found.store == 6 * AMOUNT.minor
