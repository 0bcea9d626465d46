"""Ledger accounts open when they are first needed, once."""

from uuid import UUID

from sqlalchemy import func, select, text

from core.currency import Currency
from core.ids import Kind, new_id, outside
from tenancy.sessions import Tenant
from tenant_db.ledger.accounts import (
    Holding,
    available,
    holding,
    open_account,
    open_accounts,
    platform_fees,
    provider_fees,
    suspense,
)
from tenant_db.ledger.balances import store_balances
from tenant_db.ledger.models import LedgerAccount
from tenant_db.ledger.posting import post_linked
from tests.factories.ledger import sale
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

    assert (balance.total.minor, balance.available.minor, balance.reserved.minor) == (300, 300, 0)
    assert sorted(each.total.minor for each in balance.holdings) == [100, 200]
    assert nothing == []
