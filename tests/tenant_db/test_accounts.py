"""Ledger accounts open when they are first needed, once."""

from typing import Any, cast
from uuid import UUID

import pytest
from sqlalchemy import func, select, text

from core.currency import Currency
from core.errors import InvalidInput, NotFound
from core.ids import Kind, new_id, outside
from tenancy.sessions import Tenant
from tenant_db.ledger.accounts import (
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
from tenant_db.ledger.balances import store_balances
from tenant_db.ledger.closing import close_account
from tenant_db.ledger.errors import (
    AccountClosed,
    AccountCodeTaken,
    AccountNotEmpty,
    AccountUnknown,
    SystemAccount,
)
from tenant_db.ledger.models import LedgerAccount
from tenant_db.ledger.opening import open_named
from tenant_db.ledger.posting import post, post_linked
from tenant_db.ledger.rules import NormalSide
from tests.factories.ledger import NOW, make_account, sale
from tests.factories.stores import make_store
from tests.racing import race


async def test_an_account_opens_once_for_all_rivals(tenant: Tenant) -> None:
    plan = holding(Holding.of_channel(new_id()), Currency.KES)

    async def opening() -> UUID:
        async with tenant.transaction() as session:
            return await open_account(session, plan)

    barrier = text("LOCK TABLE ledger_accounts IN SHARE MODE")
    results = await race(tenant, barrier, [opening] * 8)

    async with tenant.reading() as session:
        assert await session.scalar(select(func.count()).select_from(LedgerAccount)) == 1
        assert set(results) == {await session.scalar(select(LedgerAccount.id))}


def test_codes_name_the_place_and_the_store() -> None:
    channel, store = new_id(), new_id()
    place = Holding.of_channel(channel)
    name = outside(Kind.CHANNEL, channel)

    assert holding(place, Currency.KES).code == f"holding:{name}"
    assert (
        available(store, place, Currency.KES).code == f"store:{outside(Kind.STORE, store)}:available:{name}"
    )
    assert suspense(place, Currency.KES).code == f"suspense:{name}"
    assert refunds(place, Currency.KES).code == f"refunds:{name}"
    assert payouts_in_flight(place, Currency.KES).code == f"payouts:in_flight:{name}"
    assert adjustments(Currency.KES).code == "adjustments"
    assert provider_fees(Currency.KES).code == "fees:provider"
    assert platform_fees(Currency.KES).code == "fees:platform"


async def test_the_same_code_in_another_currency_is_another_account(tenant: Tenant) -> None:
    place = Holding.of_channel(new_id())

    async with tenant.transaction() as session:
        one, two, again = await open_accounts(
            session, holding(place, Currency.KES), holding(place, Currency.USD), holding(place, Currency.KES)
        )

    assert one == again != two


async def test_a_store_balance_sums_its_holdings(tenant: Tenant) -> None:
    store = await make_store(tenant)
    async with tenant.transaction() as session:
        for number in (1, 2):
            place = Holding.of_channel(new_id())
            source, target = await open_accounts(
                session, holding(place, Currency.KES), available(store.id, place, Currency.KES)
            )
            await post_linked(session, [sale(source, target, number * 100, f"sale:{number}")])

    async with tenant.reading() as session:
        (balance,) = await store_balances(session, store.id)
        nothing = await store_balances(session, new_id())

    assert (
        balance.counters.total.minor,
        balance.counters.available.minor,
        balance.counters.reserved.minor,
    ) == (300, 300, 0)
    assert sorted(each.counters.total.minor for each in balance.holdings) == [100, 200]
    assert nothing == []


async def opened(tenant: Tenant, name: str = "petty-cash", **properties: object) -> LedgerAccount:
    side = cast("NormalSide", properties.pop("normal_side", NormalSide.DEBIT))
    async with tenant.transaction() as session:
        return await open_named(session, name, Currency.KES, side, **properties)  # type: ignore[arg-type]  # as each test names them


async def test_people_open_an_account_of_their_own_once(tenant: Tenant) -> None:
    store = await make_store(tenant)

    account = await opened(tenant, store_id=store.id, floor_minor=-500, ceiling_minor=10**37)
    again = await opened(tenant, store_id=store.id, floor_minor=-500, ceiling_minor=10**37)

    assert (account.code, account.normal_side, account.shard) == ("custom:petty-cash", "debit", 0)
    assert (account.floor_minor, account.ceiling_minor) == (-500, 10**37)
    assert (account.custody, account.holding) == (None, None)
    assert again.id == account.id


@pytest.mark.parametrize(
    "properties", [{"normal_side": NormalSide.CREDIT}, {"floor_minor": 0}, {"ceiling_minor": 5}], ids=str
)
async def test_a_code_with_other_properties_is_taken(tenant: Tenant, properties: dict[str, Any]) -> None:
    await opened(tenant)

    with pytest.raises(AccountCodeTaken):
        await opened(tenant, **properties)


@pytest.mark.parametrize("name", ["", "Petty", "a b", "-a", "a:", "a" * 64, "nul\0", "käse", "a\n"])
async def test_a_bad_code_is_refused(tenant: Tenant, name: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        await opened(tenant, name)
    assert refusal.value.field == "code"


@pytest.mark.parametrize(
    ("limits", "field"),
    [
        ({"floor_minor": 1}, "floorMinor"),
        ({"floor_minor": -(10**38)}, "floorMinor"),
        ({"ceiling_minor": -1}, "ceilingMinor"),
        ({"ceiling_minor": 10**38}, "ceilingMinor"),
    ],
)
async def test_a_limit_that_nothing_satisfies_is_refused(
    tenant: Tenant, limits: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        await opened(tenant, **limits)
    assert refusal.value.field == field


async def test_an_account_of_an_unknown_store_is_refused(tenant: Tenant) -> None:
    with pytest.raises(NotFound):
        await opened(tenant, store_id=new_id())


async def closed(tenant: Tenant, id_: UUID) -> LedgerAccount:
    async with tenant.transaction() as session:
        return await close_account(session, id_, NOW)


async def test_an_empty_account_is_closed_for_good(tenant: Tenant) -> None:
    account = await opened(tenant)

    assert (await closed(tenant, account.id)).closed_at == NOW
    assert (await closed(tenant, account.id)).closed_at == NOW

    with pytest.raises(AccountCodeTaken):
        await opened(tenant)


async def test_an_account_with_money_or_holds_stays_open(tenant: Tenant) -> None:
    full = await make_account(tenant, "custom:full", balance_minor=5)
    promised = await make_account(tenant, "custom:promised", reserved_minor=7)

    with pytest.raises(AccountNotEmpty) as money:
        await closed(tenant, full)
    with pytest.raises(AccountNotEmpty) as holds:
        await closed(tenant, promised)

    assert (money.value.balance_minor, money.value.pending_minor) == (5, 0)
    assert (holds.value.balance_minor, holds.value.pending_minor) == (0, 7)


async def test_what_the_system_keeps_can_not_be_closed(tenant: Tenant) -> None:
    async with tenant.transaction() as session:
        kept = await open_account(session, suspense(Holding.of_channel(new_id()), Currency.KES))

    with pytest.raises(SystemAccount):
        await closed(tenant, kept)
    with pytest.raises(AccountUnknown):
        await closed(tenant, new_id())


async def test_money_that_comes_while_an_account_is_closed_wins_or_is_refused(tenant: Tenant) -> None:
    source = await make_account(tenant, "custom:source", balance_minor=5)
    target = await opened(tenant, normal_side=NormalSide.CREDIT)

    async def posting() -> object:
        async with tenant.transaction() as session:
            return await post(session, sale(source, target.id, 5))

    barrier = select(LedgerAccount).where(LedgerAccount.id == target.id).with_for_update()
    results = await race(tenant, barrier, [posting, lambda: closed(tenant, target.id)])

    refusals = [result for result in results if isinstance(result, BaseException)]
    assert len(refusals) == 1
    assert isinstance(refusals[0], AccountClosed | AccountNotEmpty)
