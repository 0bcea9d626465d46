"""Searching the books over the tenant schema: transfers, their sides, and accounts' entries."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, event

from core.clock import utc_now
from core.ids import Kind, new_id, outside
from core.money import Money
from tenancy.context import Services, TenantContext
from tenancy.roles import Role
from tenancy.sessions import Tenant
from tenant_db.ledger.commands import NewHold, PostHold
from tenant_db.ledger.holding import place_hold, post_hold
from tenant_db.ledger.reversing import reverse
from tenant_db.ledger.rules import Overdraft, TransferKind
from tests.factories.callers import ask, caller, refusal_of
from tests.factories.stores import make_store
from tests.factories.trading import Stall, make_stall, trade

SEARCH = """
query ($first: Int! = 20, $after: String, $filter: TransferFilterInput) {
  transfers(first: $first, after: $after, filter: $filter) {
    nodes { id kind amount { amountMinor } } pageInfo { hasNextPage endCursor }
  }
}
"""
SUMMED = """
query ($filter: TransferFilterInput) { transfers(filter: $filter) {
  nodes { id } summary { currency count incoming { amountMinor } outgoing { amountMinor } }
} }
"""
LINKED = """
{ transfers { nodes {
  id status reversedBy { id reversesId }
  entries { sequence accountId side amount { amountMinor } balanceBefore { amountMinor }
            balanceAfter { amountMinor } transfer { id } }
  source { id } destination { id }
} } }
"""
ENTRIES = """
query ($id: ID!, $first: Int! = 20, $after: String) { ledgerAccount(id: $id) {
  code entryCount
  entries(first: $first, after: $after) {
    nodes { sequence side balanceAfter { amountMinor } transferId } pageInfo { hasNextPage endCursor }
  }
} }
"""
HOLDS = """
{ holds { nodes {
  id transfer { id holdId } source { id reserved { amountMinor } } destination { id }
} } }
"""
ONE = "query ($id: ID!) { transfer(id: $id) { id } }"
ALL_ENTRIES = "{ ledgerAccounts { nodes { id entries(first: 2) { nodes { sequence transfer { id } } } } } }"


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements that run meanwhile."""
    texts: list[str] = []

    def note(_connection: object, _cursor: object, text: str, *_: object) -> None:
        texts.append(text)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield texts
    finally:
        event.remove(Engine, "before_cursor_execute", note)


async def made(tenant: Tenant) -> Stall:
    return await make_stall(tenant, (await make_store(tenant, new_id().hex)).id, new_id())


async def found(context: TenantContext, **only: object) -> list[str]:
    nodes = (await ask(context, SEARCH, filter=only))["transfers"]["nodes"]
    return [f"{node['kind']} {node['amount']['amountMinor']}" for node in nodes]


async def test_each_filter_narrows_the_transfers(services: Services, tenant: Tenant) -> None:
    stall, other = await made(tenant), await made(tenant)
    (sale,) = await trade(tenant, stall.sale(500, "pay_a"))
    (refund,) = await trade(tenant, stall.refund(100, "ref_a"))
    await trade(tenant, other.sale(900, "pay_b"))
    async with tenant.transaction() as session:
        await reverse(session, sale.id, "mistake", Overdraft.ALLOWED)
    viewer = await caller(services, tenant, Role.VIEWER)
    store, place = outside(Kind.STORE, stall.store_id), stall.place.name
    account = outside(Kind.LEDGER_ACCOUNT, other.available_id)

    everything = ["REVERSAL 500", "SALE 900", "REFUND 100", "SALE 500"]
    assert await found(viewer) == everything
    assert await found(viewer, kinds=[]) == everything
    assert await found(viewer, kinds=["REFUND", "SALE"]) == everything[1:]
    assert await found(viewer, status="REVERSED") == ["SALE 500"]
    assert await found(viewer, reference="pay_b") == ["SALE 900"]
    assert await found(viewer, amount={"currency": "KES", "atLeastMinor": "500", "atMostMinor": "899"}) == [
        "REVERSAL 500",
        "SALE 500",
    ]
    assert await found(viewer, amount={"currency": "USD"}) == []
    assert await found(viewer, since=refund.created_at.isoformat()) == everything[:3]
    assert await found(viewer, before=refund.created_at.isoformat()) == ["SALE 500"]
    assert await found(viewer, storeId=store, kinds=["SALE"]) == ["SALE 500"]
    assert await found(viewer, holdingId=place, kinds=["REFUND"]) == ["REFUND 100"]
    assert await found(viewer, accountId=account) == ["SALE 900"]
    assert await found(viewer, storeId=store, accountId=account) == []


async def test_pages_of_a_search_follow_each_other(services: Services, tenant: Tenant) -> None:
    stall = await made(tenant)
    posted = await trade(tenant, *(stall.sale(number) for number in range(1, 6)))
    await trade(tenant, stall.refund(1))
    owner = await caller(services, tenant)

    seen, after = [], None
    while True:
        page = (await ask(owner, SEARCH, first=2, after=after, filter={"kinds": ["SALE"]}))["transfers"]
        seen += [node["id"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break

    assert seen == [outside(Kind.TRANSFER, id_) for id_ in sorted((each.id for each in posted), reverse=True)]


async def test_a_summary_covers_the_whole_filter(services: Services, tenant: Tenant) -> None:
    stall = await made(tenant)
    await trade(tenant, *(stall.sale(100) for _ in range(25)), stall.refund(30), stall.fee(9))
    owner = await caller(services, tenant)

    told = (await ask(owner, SUMMED, filter={"storeId": outside(Kind.STORE, stall.store_id)}))["transfers"]

    assert len(told["nodes"]) == 20
    assert told["summary"] == [
        {
            "currency": "KES",
            "count": 27,
            "incoming": {"amountMinor": "2500"},
            "outgoing": {"amountMinor": "39"},
        }
    ]
    nothing = await ask(owner, SUMMED, filter={"storeId": outside(Kind.STORE, new_id())})
    assert nothing["transfers"] == {"nodes": [], "summary": []}


async def test_a_transfer_leads_to_its_sides_its_accounts_and_what_undid_it(
    services: Services, tenant: Tenant
) -> None:
    stall = await made(tenant)
    (sale,) = await trade(tenant, stall.sale(500))
    async with tenant.transaction() as session:
        undoing = await reverse(session, sale.id, "mistake")
    owner = await caller(services, tenant)

    reversal, shown = (await ask(owner, LINKED))["transfers"]["nodes"]

    ids = outside(Kind.TRANSFER, sale.id), outside(Kind.TRANSFER, undoing.id)
    holding = outside(Kind.LEDGER_ACCOUNT, stall.holding_id)
    available = outside(Kind.LEDGER_ACCOUNT, stall.available_id)
    assert (shown["id"], reversal["id"]) == ids
    assert (shown["status"], shown["reversedBy"]) == ("REVERSED", {"id": ids[1], "reversesId": ids[0]})
    assert (reversal["status"], reversal["reversedBy"]) == ("POSTED", None)
    assert (shown["source"], shown["destination"]) == ({"id": holding}, {"id": available})
    debit, credit = shown["entries"]
    assert (debit["accountId"], debit["side"], credit["side"]) == (holding, "DEBIT", "CREDIT")
    assert credit == {
        "sequence": "1",
        "accountId": available,
        "side": "CREDIT",
        "amount": {"amountMinor": "500"},
        "balanceBefore": {"amountMinor": "0"},
        "balanceAfter": {"amountMinor": "500"},
        "transfer": {"id": ids[0]},
    }
    assert [entry["sequence"] for entry in reversal["entries"]] == ["2", "2"]
    assert await ask(owner, ONE, id=ids[0]) == {"transfer": {"id": ids[0]}}
    assert await ask(owner, ONE, id=outside(Kind.TRANSFER, new_id())) == {"transfer": None}


async def test_a_hold_leads_to_its_accounts_and_to_the_transfer_that_moved_it(
    services: Services, tenant: Tenant
) -> None:
    stall = await made(tenant)
    await trade(tenant, stall.sale(500))
    amount = Money(100, stall.currency)
    now = utc_now()
    async with tenant.transaction() as session:
        posted, pending = [
            await place_hold(
                session,
                NewHold(stall.available_id, stall.holding_id, amount, TransferKind.PAYOUT, name, name),
                now,
            )
            for name in ("po_1", "po_2")
        ]
        moved = await post_hold(session, PostHold(posted.id), now)
    viewer = await caller(services, tenant, Role.VIEWER)

    shown = {hold["id"]: hold for hold in (await ask(viewer, HOLDS))["holds"]["nodes"]}

    account = outside(Kind.LEDGER_ACCOUNT, stall.available_id)
    over, waiting = [shown[outside(Kind.HOLD, each.id)] for each in (posted, pending)]
    assert over["transfer"] == {"id": outside(Kind.TRANSFER, moved.id), "holdId": over["id"]}
    assert waiting["transfer"] is None
    assert waiting["source"] == {"id": account, "reserved": {"amountMinor": "100"}}
    assert waiting["destination"] == {"id": outside(Kind.LEDGER_ACCOUNT, stall.holding_id)}


async def test_an_account_s_entries_come_page_by_page_from_the_last(
    services: Services, tenant: Tenant
) -> None:
    stall = await made(tenant)
    await trade(tenant, *(stall.sale(10) for _ in range(5)))
    owner = await caller(services, tenant)
    id_ = outside(Kind.LEDGER_ACCOUNT, stall.available_id)

    seen, after = [], None
    for _ in range(3):
        account = (await ask(owner, ENTRIES, id=id_, first=2, after=after))["ledgerAccount"]
        seen += [(n["sequence"], n["balanceAfter"]["amountMinor"]) for n in account["entries"]["nodes"]]
        info = account["entries"]["pageInfo"]
        after = info["endCursor"]

    assert account["entryCount"] == "5"
    assert seen == [("5", "50"), ("4", "40"), ("3", "30"), ("2", "20"), ("1", "10")]
    assert not info["hasNextPage"]
    foreign = (await ask(owner, SEARCH, first=1))["transfers"]["pageInfo"]["endCursor"]
    assert await refusal_of(owner, ENTRIES, id=id_, after=foreign) == "INVALID_INPUT"


async def test_what_many_accounts_and_transfers_lead_to_takes_one_query_a_level(
    services: Services, tenant: Tenant
) -> None:
    owner = await caller(services, tenant)
    # A first connection asks the server some things of its own.
    await ask(owner, ALL_ENTRIES)
    counts = []
    for _ in range(2):
        stall = await made(tenant)
        await trade(tenant, *(stall.sale(10) for _ in range(3)))
        with counted() as run:
            await ask(owner, ALL_ENTRIES)
            await ask(owner, LINKED)
        counts.append(len(run))

    assert counts[0] == counts[1] > 0


async def test_a_search_needs_the_scope_and_ids_of_the_right_kind(services: Services, tenant: Tenant) -> None:
    cashier = await caller(services, tenant, Role.CASHIER)
    owner = await caller(services, tenant)

    assert await refusal_of(cashier, SEARCH) == "FORBIDDEN"
    assert await refusal_of(cashier, ENTRIES, id=outside(Kind.LEDGER_ACCOUNT, new_id())) == "FORBIDDEN"
    store = outside(Kind.STORE, new_id())
    for only in ({"holdingId": store}, {"accountId": store}, {"storeId": outside(Kind.PAYMENT, new_id())}):
        assert await refusal_of(owner, SEARCH, filter=only) == "INVALID_INPUT"
