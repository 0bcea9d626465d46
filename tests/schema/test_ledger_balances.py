"""Balances over the tenant schema: past ones, and as they change."""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

import resolvers.ledger_feed
from core.clock import utc_now
from core.currency import Currency
from core.ids import Kind, new_id, outside
from core.money import Money
from tenancy.context import Services, TenantContext
from tenancy.roles import Role
from tenancy.sessions import Notice, Tenant
from tenant_db.ledger.balances import StoreState
from tenant_db.ledger.commands import NewHold
from tenant_db.ledger.holding import place_hold
from tenant_db.ledger.rules import TransferKind
from tests.factories.callers import ask, caller, next_data, refusal_of, watching
from tests.factories.stores import make_store
from tests.factories.trading import Stall, make_stall, trade

STORE = """
query ($id: ID!, $at: DateTime) { storeBalance(storeId: $id, at: $at) {
  total { amount } reserved { amount } pending { amount } available { amount }
  holdings { holding total { amount } }
} }
"""
ACCOUNTS = """
query ($store: ID, $holding: ID, $at: DateTime) { ledgerAccounts(storeId: $store, holdingId: $holding) {
  nodes { code store { id } pending { amount } balance(at: $at) { total { amount } available { amount } } }
} }
"""
BY_CODE = """
query ($code: String!, $at: DateTime) {
  ledgerBalance(code: $code, currency: KES, at: $at) { total { amount } }
}
"""
WATCH = """
subscription ($id: ID!) { storeBalanceUpdated(storeId: $id) {
  storeId sequence asOf balances { total { amount } reserved { amount } available { amount } }
} }
"""


@pytest.fixture
async def staff(services: Services, tenant: Tenant) -> TenantContext:
    """What it commits is published, unlike what the fixture of the business commits."""
    return await caller(services, tenant)


@pytest.fixture
async def stall(tenant: Tenant) -> Stall:
    return await make_stall(tenant, (await make_store(tenant)).id, new_id())


def shown(stall: Stall) -> str:
    return outside(Kind.STORE, stall.store_id)


async def hold(tenant: Tenant, stall: Stall, amount_minor: int) -> None:
    amount = Money(amount_minor, Currency.KES)
    new = NewHold(stall.available_id, stall.holding_id, amount, TransferKind.PAYOUT, "po", str(new_id()))
    async with tenant.transaction() as session:
        await place_hold(session, new, utc_now())


async def test_a_balance_can_be_asked_for_any_past_instant(
    staff: TenantContext, tenant: Tenant, stall: Stall
) -> None:
    (first,) = await trade(tenant, stall.sale(1_000))
    (second,) = await trade(tenant, stall.sale(500))
    await hold(tenant, stall, 200)
    at = second.created_at - timedelta(microseconds=1)

    ((past,), (present,)) = [
        (await ask(staff, STORE, id=shown(stall), at=instant))["storeBalance"]
        for instant in (at.isoformat(), None)
    ]
    (account,) = (await ask(staff, ACCOUNTS, store=shown(stall), at=at.isoformat()))["ledgerAccounts"][
        "nodes"
    ]

    assert (past["total"], past["available"]) == ({"amount": "10.00"}, {"amount": "10.00"})
    assert past["holdings"] == [{"holding": stall.place.name, "total": {"amount": "10.00"}}]
    assert present["total"] == {"amount": "15.00"}
    assert (present["reserved"], present["available"]) == ({"amount": "2.00"}, {"amount": "13.00"})
    assert present["pending"] == {"amount": "0.00"}
    assert account["balance"] == {"total": {"amount": "10.00"}, "available": {"amount": "10.00"}}
    assert account["store"] == {"id": shown(stall)}
    code = f"holding:{stall.place.name}"
    earlier = (first.created_at - timedelta(days=1)).isoformat()
    assert (await ask(staff, BY_CODE, code=code, at=earlier))["ledgerBalance"] == {
        "total": {"amount": "0.00"}
    }
    assert (await ask(staff, BY_CODE, code=code))["ledgerBalance"] == {"total": {"amount": "15.00"}}
    assert (await ask(staff, BY_CODE, code="holding:none"))["ledgerBalance"] is None


async def test_the_shards_of_an_account_are_one_balance(
    staff: TenantContext, tenant: Tenant, stall: Stall
) -> None:
    await trade(tenant, stall.sale(1_000))
    other = await make_stall(tenant, stall.store_id, stall.place.id, spread="elsewhere")
    assert other.holding_id != stall.holding_id, "another shard"
    await trade(tenant, other.sale(500))

    code = f"holding:{stall.place.name}"
    found = (await ask(staff, BY_CODE, code=code))["ledgerBalance"]
    accounts = (await ask(staff, ACCOUNTS, holding=stall.place.name))["ledgerAccounts"]["nodes"]

    assert found == {"total": {"amount": "15.00"}}
    parts = [node["balance"]["total"]["amount"] for node in accounts if node["code"] == code]
    assert sorted(parts) == ["10.00", "5.00"]


async def test_the_future_is_not_told(staff: TenantContext, stall: Stall) -> None:
    later = (utc_now() + timedelta(minutes=1)).isoformat()

    assert await refusal_of(staff, STORE, id=shown(stall), at=later) == "INVALID_INPUT"
    assert await refusal_of(staff, BY_CODE, code="fees:provider", at=later) == "INVALID_INPUT"
    assert await refusal_of(staff, ACCOUNTS, at=later) == "INVALID_INPUT"


async def state(events: Any) -> dict[str, Any]:  # noqa: ANN401 - what `watching` gives
    async with asyncio.timeout(20):
        told: dict[str, Any] = (await next_data(events))["storeBalanceUpdated"]
        return told


def available(told: dict[str, Any]) -> str:
    return str(told["balances"][0]["available"]["amount"])


async def test_the_present_balance_comes_first_and_then_each_newer_one(
    staff: TenantContext, stall: Stall
) -> None:
    async with watching(staff, WATCH, id=shown(stall)) as events:
        first = await state(events)
        await trade(staff.tenant, stall.sale(1_000))
        second = await state(events)
        await hold(staff.tenant, stall, 300)
        third = await state(events)

    assert (first["storeId"], first["sequence"]) == (shown(stall), "0")
    assert (second["sequence"], available(second)) == ("1", "10.00")
    assert (third["sequence"], available(third), third["balances"][0]["reserved"]) == (
        "1",
        "7.00",
        {"amount": "3.00"},
    )
    times = [datetime.fromisoformat(told["asOf"]) for told in (first, second, third)]
    assert times == sorted(set(times))


async def test_an_account_that_the_store_gets_later_is_watched_too(
    staff: TenantContext, stall: Stall
) -> None:
    async with watching(staff, WATCH, id=shown(stall)) as events:
        await state(events)
        other = await make_stall(staff.tenant, stall.store_id, new_id())
        await trade(staff.tenant, other.sale(100))
        told = await state(events)

    assert (told["sequence"], available(told)) == ("1", "1.00")


class Reads:
    """How often subscribers have read a store's state."""

    def __init__(self) -> None:
        self.count = 0
        self.came_back = asyncio.Event()


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    seen = Reads()
    read = resolvers.ledger_feed._state  # noqa: SLF001 - counted, not replaced

    async def counted(context: TenantContext, store_id: UUID) -> StoreState:
        seen.count += 1
        if seen.count > 1:
            seen.came_back.set()
        return await read(context, store_id)

    monkeypatch.setattr(resolvers.ledger_feed, "_state", counted)
    return seen


async def test_of_a_thousand_postings_the_last_one_is_told(staff: TenantContext, stall: Stall) -> None:
    async with watching(staff, WATCH, id=shown(stall)) as events:
        last = await state(events)
        for _ in range(100):
            await trade(staff.tenant, *(stall.sale(1) for _ in range(10)))
        while last["sequence"] != "1000":
            last = await state(events)

    assert available(last) == "10.00"


async def test_a_busy_store_is_not_read_at_every_posting(
    staff: TenantContext, stall: Stall, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolvers.ledger_feed, "EVERY_S", 3_600.0)
    async with watching(staff, WATCH, id=shown(stall)) as events:
        await state(events)
        told = asyncio.ensure_future(anext(events))
        async with staff.services.feed.subscribe(staff.tenant.id, {"ledger"}) as notices:
            for _ in range(5):
                await trade(staff.tenant, stall.sale(1))
                # Told to all streams of this process at once.
                await anext(notices)
        told.cancel()
        await asyncio.wait([told])

    assert reads.count == 1


async def test_other_stores_postings_cost_a_quiet_subscriber_one_look(
    staff: TenantContext, stall: Stall, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolvers.ledger_feed, "EVERY_S", 0.0)
    other = await make_stall(staff.tenant, (await make_store(staff.tenant, "other")).id, new_id())
    async with watching(staff, WATCH, id=shown(stall)) as events:
        await state(events)
        told = asyncio.ensure_future(state(events))
        await trade(staff.tenant, other.sale(1))
        await reads.came_back.wait()
        async with staff.services.feed.subscribe(staff.tenant.id, {"ledger"}) as notices:
            for _ in range(5):
                await trade(staff.tenant, other.sale(1))
                await anext(notices)
        await trade(staff.tenant, stall.sale(1))
        assert (await told)["sequence"] == "1"

    # The first state, one look at accounts that were not known, and the store's own change.
    assert reads.count == 3


async def test_a_gap_in_the_feed_is_read_over(staff: TenantContext, tenant: Tenant, stall: Stall) -> None:
    async with watching(staff, WATCH, id=shown(stall)) as events:
        await state(events)
        # Committed without a notice: this business's own fixture tells nobody.
        await trade(tenant, stall.sale(100))
        staff.services.feed._resync()  # noqa: SLF001 - what the feed does after it lost its connection
        told = await state(events)

    assert available(told) == "1.00"


async def test_more_accounts_than_a_notice_names_may_be_the_store_s(
    staff: TenantContext, tenant: Tenant, stall: Stall
) -> None:
    async with watching(staff, WATCH, id=shown(stall)) as events:
        await state(events)
        for amount in (100, 200):
            await trade(tenant, stall.sale(amount))
            await staff.services.feed.publish(staff.tenant.id, Notice("ledger", {"accounts": ["*"]}))
            told = await state(events)

    assert available(told) == "3.00"


async def test_no_store_is_refused_and_a_cashier_watches_no_balance(
    services: Services, staff: TenantContext, tenant: Tenant, stall: Stall
) -> None:
    cashier = await caller(services, tenant, Role.CASHIER)

    for context, id_, code in (
        (staff, outside(Kind.STORE, new_id()), "NOT_FOUND"),
        (cashier, shown(stall), "FORBIDDEN"),
    ):
        async with watching(context, WATCH, id=id_) as events:
            outcome = await anext(events)
        assert outcome.body["errors"][0]["extensions"]["code"] == code
