"""The books over the tenant schema."""

from uuid import UUID

from core.currency import Currency
from core.ids import Kind, new_id, outside
from tenancy.context import Services
from tenancy.roles import Role
from tenancy.sessions import Tenant
from tenant_db.ledger.accounts import Holding, available, holding, open_accounts
from tenant_db.ledger.posting import post
from tenant_db.ledger.results import Posted
from tenant_db.ledger.reversing import reverse
from tests.factories.callers import ask, caller, refusal_of
from tests.factories.ledger import sale
from tests.factories.stores import make_store

ACCOUNTS = """
{ ledgerAccounts { nodes {
  id code currency normalSide custody closedAt
  total { amountMinor } reserved { amountMinor } available { amount }
} } }
"""
TRANSFERS = """
query ($first: Int!, $after: String) {
  transfers(first: $first, after: $after) {
    nodes { id kind sourceId destinationId reference reversesId amount { amount currency } }
    pageInfo { hasNextPage endCursor }
  }
}
"""
BALANCE = """
query ($id: ID!) { storeBalance(storeId: $id) {
  total { amount currency } available { amount } reserved { amount }
  holdings { holding custody available { amount } }
} }
"""
NODE = "query ($id: ID!) { node(id: $id) { __typename id } }"


async def sold(tenant: Tenant, store_id: UUID, channel_id: UUID) -> Posted:
    """KES 12.50 for a store, on one channel."""
    place = Holding.of_channel(channel_id)
    async with tenant.transaction() as session:
        source, target = await open_accounts(
            session, holding(place, Currency.KES), available(store_id, place, Currency.KES)
        )
        return await post(session, sale(source, target, key=f"sale:{new_id()}"))


async def test_the_books_show_both_sides(services: Services, tenant: Tenant) -> None:
    store = await make_store(tenant)
    channel_id = new_id()
    transfer = await sold(tenant, store.id, channel_id)
    owner = await caller(services, tenant)

    accounts = (await ask(owner, ACCOUNTS))["ledgerAccounts"]["nodes"]
    (shown,) = (await ask(owner, TRANSFERS, first=5))["transfers"]["nodes"]

    by_code = {account["code"]: account for account in accounts}
    place = outside(Kind.CHANNEL, channel_id)
    source = by_code[f"holding:{place}"]
    target = by_code[f"store:{outside(Kind.STORE, store.id)}:available:{place}"]
    assert (source["normalSide"], source["custody"]) == ("DEBIT", "TENANT")
    assert (target["normalSide"], target["total"]["amountMinor"]) == ("CREDIT", "1250")
    assert (target["reserved"]["amountMinor"], target["available"]["amount"]) == ("0", "12.50")
    assert shown == {
        "id": outside(Kind.TRANSFER, transfer.id),
        "kind": "SALE",
        "sourceId": source["id"],
        "destinationId": target["id"],
        "reference": "pay_1",
        "reversesId": None,
        "amount": {"amount": "12.50", "currency": "KES"},
    }
    for id_, kind in ((shown["id"], "Transfer"), (source["id"], "LedgerAccount")):
        assert (await ask(owner, NODE, id=id_))["node"] == {"__typename": kind, "id": id_}


async def test_a_reversal_names_what_it_undoes(services: Services, tenant: Tenant) -> None:
    store = await make_store(tenant)
    transfer = await sold(tenant, store.id, new_id())
    async with tenant.transaction() as session:
        await reverse(session, transfer.id, "mistake")
    owner = await caller(services, tenant)

    first = (await ask(owner, TRANSFERS, first=1))["transfers"]
    rest = (await ask(owner, TRANSFERS, first=1, after=first["pageInfo"]["endCursor"]))["transfers"]

    assert first["nodes"][0]["reversesId"] == rest["nodes"][0]["id"] == outside(Kind.TRANSFER, transfer.id)
    assert (first["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasNextPage"]) == (True, False)


async def test_a_store_sees_its_sum_and_each_place(services: Services, tenant: Tenant) -> None:
    store = await make_store(tenant)
    channels = [new_id(), new_id()]
    for channel_id in (channels[0], *channels):
        await sold(tenant, store.id, channel_id)
    owner = await caller(services, tenant)

    (balance,) = (await ask(owner, BALANCE, id=outside(Kind.STORE, store.id)))["storeBalance"]

    assert balance["total"] == {"amount": "37.50", "currency": "KES"}
    assert (balance["available"], balance["reserved"]) == ({"amount": "37.50"}, {"amount": "0.00"})
    places = {each["holding"]: each["available"]["amount"] for each in balance["holdings"]}
    assert places == {
        outside(Kind.CHANNEL, channels[0]): "25.00",
        outside(Kind.CHANNEL, channels[1]): "12.50",
    }


async def test_a_store_without_sales_has_nothing_and_no_store_is_null(
    services: Services, tenant: Tenant, second_tenant: Tenant
) -> None:
    store = await make_store(tenant)
    id_ = outside(Kind.STORE, store.id)

    assert await ask(await caller(services, tenant), BALANCE, id=id_) == {"storeBalance": []}
    assert await ask(await caller(services, second_tenant), BALANCE, id=id_) == {"storeBalance": None}


async def test_a_cashier_does_not_see_the_books(services: Services, tenant: Tenant) -> None:
    cashier = await caller(services, tenant, Role.CASHIER)

    assert await refusal_of(cashier, ACCOUNTS) == "FORBIDDEN"
    assert await refusal_of(cashier, TRANSFERS, first=1) == "FORBIDDEN"
    assert await refusal_of(cashier, BALANCE, id=outside(Kind.STORE, new_id())) == "FORBIDDEN"
    assert await refusal_of(cashier, NODE, id=outside(Kind.TRANSFER, new_id())) == "FORBIDDEN"
