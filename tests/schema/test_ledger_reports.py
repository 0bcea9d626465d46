"""Summaries and reports over the tenant schema."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from core.clock import utc_now
from core.ids import Kind, new_id, outside
from resolvers.ledger_reports import REPORT_DAYS_MAX
from tenancy.context import Services
from tenancy.roles import Role
from tenancy.sessions import Tenant
from tests.factories.callers import ask, caller, refusal_of
from tests.factories.payments import make_shop
from tests.factories.stores import make_store
from tests.factories.trading import make_stall, trade

SUMMARY = """
query ($id: ID!) { storeFinancialSummary(storeId: $id) {
  storeId timeZone dayBegan monthBegan currencies {
    balance { total { amount } reserved { amount } pending { amount } available { amount } }
    today { salesCount gross { amount } refunds { amount } net { amount } }
    thisMonth { salesCount gross { amount } fees { amount } }
    pendingPayouts { amount }
  }
} }
"""
REPORT = """
query ($since: DateTime!, $before: DateTime!, $store: ID) {
  financialReport(since: $since, before: $before, storeId: $store) {
    since totals { currency salesCount gross { amount } fees { amount } refunds { amount } net { amount } }
    byProvider { provider takings { net { amount } } }
    byHolding { holdingId provider takings { gross { amount } } }
  }
}
"""
NAIROBI = ZoneInfo("Africa/Nairobi")


def at(instant: str) -> datetime:
    return datetime.fromisoformat(instant).replace(tzinfo=NAIROBI).astimezone(UTC)


def around_now() -> dict[str, object]:
    return {
        "since": (utc_now() - timedelta(days=1)).isoformat(),
        "before": (utc_now() + timedelta(days=1)).isoformat(),
    }


async def test_a_summary_counts_what_was_taken_since_the_store_s_own_midnight(
    services: Services, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    stall = await make_stall(tenant, (await make_store(tenant)).id, new_id())
    (sale, _) = await trade(tenant, stall.sale(1_000), stall.refund(300))
    owner = await caller(services, tenant)
    local = sale.created_at.astimezone(NAIROBI)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)

    shown = {}
    for name, now in {
        "today": sale.created_at,
        "tomorrow": midnight + timedelta(days=1, seconds=1),
        "next month": midnight + timedelta(days=32),
    }.items():
        monkeypatch.setattr(services, "clock", lambda now=now: now.astimezone(UTC))
        told = (await ask(owner, SUMMARY, id=outside(Kind.STORE, stall.store_id)))["storeFinancialSummary"]
        shown[name] = told

    (today,) = shown["today"]["currencies"]
    assert datetime.fromisoformat(shown["today"]["dayBegan"]) == midnight
    assert datetime.fromisoformat(shown["today"]["monthBegan"]) == midnight.replace(day=1)
    assert shown["today"]["timeZone"] == "Africa/Nairobi"
    assert today["today"] == {
        "salesCount": 1,
        "gross": {"amount": "10.00"},
        "refunds": {"amount": "3.00"},
        "net": {"amount": "7.00"},
    }
    assert today["balance"]["available"] == {"amount": "7.00"}
    assert today["pendingPayouts"] == {"amount": "0.00"}
    (tomorrow,) = shown["tomorrow"]["currencies"]
    assert tomorrow["today"]["salesCount"] == 0
    (later,) = shown["next month"]["currencies"]
    assert (later["thisMonth"]["salesCount"], later["balance"]["total"]) == (0, {"amount": "7.00"})


@pytest.mark.parametrize(
    ("now", "day_began", "month_began"),
    [
        # The clocks go forward at midnight: the day begins at one.
        ("2026-04-24T12:00:00Z", "2026-04-23T22:00:00Z", "2026-03-31T22:00:00Z"),
        # Later that month, days and months begin in different offsets.
        ("2026-04-30T20:59:59Z", "2026-04-29T21:00:00Z", "2026-03-31T22:00:00Z"),
        ("2026-04-30T21:00:00Z", "2026-04-30T21:00:00Z", "2026-04-30T21:00:00Z"),
        # The clocks go back at midnight: its last hour comes twice, and belongs to the day before.
        ("2026-10-29T21:30:00Z", "2026-10-28T21:00:00Z", "2026-09-30T21:00:00Z"),
        ("2026-10-29T22:00:00Z", "2026-10-29T22:00:00Z", "2026-09-30T21:00:00Z"),
    ],
)
async def test_days_and_months_begin_as_clocks_on_the_wall_say(  # noqa: PLR0917 - a case, and fixtures
    services: Services,
    tenant: Tenant,
    monkeypatch: pytest.MonkeyPatch,
    now: str,
    day_began: str,
    month_began: str,
) -> None:
    store = await make_store(tenant, time_zone="Africa/Cairo")
    monkeypatch.setattr(services, "clock", lambda: datetime.fromisoformat(now))
    owner = await caller(services, tenant)

    told = (await ask(owner, SUMMARY, id=outside(Kind.STORE, store.id)))["storeFinancialSummary"]

    assert (told["dayBegan"], told["monthBegan"]) == (day_began, month_began)


async def test_no_store_has_no_summary_and_a_new_one_an_empty_one(services: Services, tenant: Tenant) -> None:
    store = await make_store(tenant)
    viewer = await caller(services, tenant, Role.VIEWER)

    found = await ask(viewer, SUMMARY, id=outside(Kind.STORE, store.id))
    missing = await ask(viewer, SUMMARY, id=outside(Kind.STORE, new_id()))

    assert found["storeFinancialSummary"]["currencies"] == []
    assert missing == {"storeFinancialSummary": None}


async def test_a_report_adds_up_by_provider_and_over_all(services: Services, tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    stalls = [await make_stall(tenant, shop.store_id, id_) for id_ in (shop.channel_id, new_id())]
    await trade(tenant, *(stall.sale(1_000) for stall in stalls), stalls[0].fee(50), stalls[1].refund(100))
    owner = await caller(services, tenant)

    told = (await ask(owner, REPORT, **around_now()))["financialReport"]
    of_store = await ask(owner, REPORT, store=outside(Kind.STORE, shop.store_id), **around_now())

    assert told["totals"] == [
        {
            "currency": "KES",
            "salesCount": 2,
            "gross": {"amount": "20.00"},
            "fees": {"amount": "0.50"},
            "refunds": {"amount": "1.00"},
            "net": {"amount": "18.50"},
        }
    ]
    assert told["byProvider"] == [
        {"provider": None, "takings": {"net": {"amount": "9.00"}}},
        {"provider": "mpesa", "takings": {"net": {"amount": "9.50"}}},
    ]
    assert {line["holdingId"] for line in told["byHolding"]} == {stall.place.name for stall in stalls}
    assert of_store["financialReport"]["totals"] == told["totals"]


async def test_a_report_of_too_long_or_no_period_is_refused(services: Services, tenant: Tenant) -> None:
    owner, cashier = await caller(services, tenant), await caller(services, tenant, Role.CASHIER)
    since = at("2026-01-01")

    for before, code in (
        (since, "INVALID_INPUT"),
        (since + timedelta(days=REPORT_DAYS_MAX, seconds=1), "INVALID_INPUT"),
    ):
        period = {"since": since.isoformat(), "before": before.isoformat()}
        assert await refusal_of(owner, REPORT, **period) == code
    store = outside(Kind.STORE, new_id())
    assert await refusal_of(owner, REPORT, store=store, **around_now()) == "NOT_FOUND"
    assert await refusal_of(cashier, REPORT, **around_now()) == "FORBIDDEN"
    assert await refusal_of(cashier, SUMMARY, id=store) == "FORBIDDEN"
