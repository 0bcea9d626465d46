"""Statements over the tenant schema."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from core.clock import utc_now
from core.errors import InvalidInput
from core.ids import Kind, new_id, outside
from core.periods import Period, day_begins
from tenancy.context import Services
from tenancy.roles import Role
from tenancy.sessions import Tenant
from tests.factories.callers import ask, caller, refusal_of
from tests.factories.exports import sell
from tests.factories.ledger import entries_of
from tests.factories.stores import make_store

OF_STORE = """
query ($id: ID!, $period: PeriodInput!, $first: Int, $after: String) {
  storeStatements(storeId: $id, period: $period) {
    currency since before entryCount
    opening { amount } closing { amount }
    turnover { incoming { amount } outgoing { amount } }
    entries(first: $first, after: $after) {
      nodes { accountId sequence kind reference change { amount } balance { amount } createdAt }
      pageInfo { hasNextPage endCursor }
    }
  }
}
"""
OF_ACCOUNT = """
query ($id: ID!, $period: PeriodInput!) {
  ledgerAccountStatement(accountId: $id, period: $period) {
    closing { amount currency } entries { nodes { sequence } }
  }
}
"""
NAIROBI = ZoneInfo("Africa/Nairobi")


def around() -> dict[str, str]:
    return {
        "since": (utc_now() - timedelta(days=1)).isoformat(),
        "before": (utc_now() + timedelta(days=1)).isoformat(),
    }


async def test_a_store_sees_what_it_had_and_what_came(services: Services, tenant: Tenant) -> None:
    store = await make_store(tenant)
    account_id = await sell(tenant, store.id, 3)
    viewer = await caller(services, tenant, Role.VIEWER)

    data = await ask(viewer, OF_STORE, id=outside(Kind.STORE, store.id), period=around(), first=2)
    (found,) = data["storeStatements"]
    cursor = found["entries"]["pageInfo"]["endCursor"]
    data = await ask(
        viewer, OF_STORE, id=outside(Kind.STORE, store.id), period=around(), first=2, after=cursor
    )
    (rest,) = data["storeStatements"]

    assert (found["opening"], found["closing"]) == ({"amount": "0.00"}, {"amount": "37.50"})
    assert found["turnover"] == {"incoming": {"amount": "37.50"}, "outgoing": {"amount": "0.00"}}
    assert (found["currency"], found["entryCount"]) == ("KES", "3")
    assert found["entries"]["pageInfo"]["hasNextPage"]
    assert [node["balance"]["amount"] for node in found["entries"]["nodes"]] == ["12.50", "25.00"]
    (last,) = rest["entries"]["nodes"]
    assert (last["accountId"], last["sequence"]) == (outside(Kind.LEDGER_ACCOUNT, account_id), "3")
    assert (last["kind"], last["reference"], last["change"]) == ("SALE", "pay_1", {"amount": "12.50"})
    assert not rest["entries"]["pageInfo"]["hasNextPage"]


async def test_days_are_those_of_the_store(services: Services, tenant: Tenant) -> None:
    store = await make_store(tenant)
    account_id = await sell(tenant, store.id)
    (entry,) = await entries_of(tenant, account_id)
    day = entry.created_at.astimezone(NAIROBI).date()
    viewer = await caller(services, tenant, Role.VIEWER)

    counted = {}
    for shift in (-1, 0, 1):
        there = (day + timedelta(days=shift)).isoformat()
        period = {"firstDay": there, "lastDay": there}
        data = await ask(viewer, OF_STORE, id=outside(Kind.STORE, store.id), period=period)
        (found,) = data["storeStatements"]
        counted[shift] = (found["entryCount"], found["opening"]["amount"], found["closing"]["amount"])
        assert datetime.fromisoformat(found["since"]).astimezone(NAIROBI).hour == 0

    assert counted == {-1: ("0", "0.00", "0.00"), 0: ("1", "0.00", "12.50"), 1: ("0", "12.50", "12.50")}


async def test_one_account_has_its_own_statement(services: Services, tenant: Tenant) -> None:
    store = await make_store(tenant)
    account_id = await sell(tenant, store.id, 2)
    viewer = await caller(services, tenant, Role.VIEWER)

    data = await ask(viewer, OF_ACCOUNT, id=outside(Kind.LEDGER_ACCOUNT, account_id), period=around())

    assert data["ledgerAccountStatement"] == {
        "closing": {"amount": "25.00", "currency": "KES"},
        "entries": {"nodes": [{"sequence": "1"}, {"sequence": "2"}]},
    }


async def test_what_is_not_there_has_no_statement(
    services: Services, tenant: Tenant, second_tenant: Tenant
) -> None:
    store = await make_store(second_tenant)
    account_id = await sell(second_tenant, store.id)
    viewer = await caller(services, tenant, Role.VIEWER)

    of_store = await ask(viewer, OF_STORE, id=outside(Kind.STORE, store.id), period=around())
    of_account = await ask(viewer, OF_ACCOUNT, id=outside(Kind.LEDGER_ACCOUNT, account_id), period=around())

    assert of_store == {"storeStatements": None}
    assert of_account == {"ledgerAccountStatement": None}


async def test_a_cursor_of_another_business_is_no_place_in_a_statement(
    services: Services, tenant: Tenant, second_tenant: Tenant
) -> None:
    cursors = []
    for one in (tenant, second_tenant):
        store = await make_store(one)
        await sell(one, store.id, 2)
        context = await caller(services, one, Role.VIEWER)
        data = await ask(context, OF_STORE, id=outside(Kind.STORE, store.id), period=around(), first=1)
        cursors.append(data["storeStatements"][0]["entries"]["pageInfo"]["endCursor"])

    code = await refusal_of(
        context, OF_STORE, id=outside(Kind.STORE, store.id), period=around(), after=cursors[0]
    )

    assert code == "INVALID_INPUT"


@pytest.mark.parametrize(
    "period",
    [
        {},
        {"since": "2026-11-01T00:00:00Z"},
        {"since": "2026-11-01T00:00:00Z", "before": "2026-11-01T00:00:00Z"},
        {"since": "2026-11-01T00:00:00Z", "lastDay": "2026-11-02"},
        {"firstDay": "2026-11-02", "lastDay": "2026-11-01"},
        {"firstDay": "0001-01-01", "lastDay": "2026-11-01"},
        {"firstDay": "2026-11-01", "lastDay": "9999-12-31"},
        {"since": "0001-01-01T00:00:00Z", "before": "2026-11-01T00:00:00Z"},
        {
            "since": "2026-11-01T00:00:00Z",
            "before": "2026-12-01T00:00:00Z",
            "firstDay": "2026-11-01",
            "lastDay": "2026-11-02",
        },
    ],
)
async def test_what_is_no_period_is_refused(
    services: Services, tenant: Tenant, period: dict[str, str]
) -> None:
    store = await make_store(tenant)
    viewer = await caller(services, tenant, Role.VIEWER)

    assert (
        await refusal_of(viewer, OF_STORE, id=outside(Kind.STORE, store.id), period=period) == "INVALID_INPUT"
    )


async def test_a_cashier_sees_no_statement(services: Services, tenant: Tenant) -> None:
    cashier = await caller(services, tenant, Role.CASHIER)

    for text, kind in ((OF_STORE, Kind.STORE), (OF_ACCOUNT, Kind.LEDGER_ACCOUNT)):
        assert await refusal_of(cashier, text, id=outside(kind, new_id()), period=around()) == "FORBIDDEN"


def test_a_day_begins_when_its_zone_says() -> None:
    assert day_begins(date(2026, 11, 21), NAIROBI).isoformat() == "2026-11-20T21:00:00+00:00"
    # Clocks went from 00:00 to 01:00: the day began with what came next.
    assert day_begins(date(2023, 4, 28), ZoneInfo("Africa/Cairo")).isoformat() == "2023-04-27T22:00:00+00:00"


def test_a_day_of_25_hours_is_one_day() -> None:
    zone = ZoneInfo("Europe/Berlin")

    period = Period.of_days(date(2026, 10, 25), date(2026, 10, 25), zone)

    assert period.before - period.since == timedelta(hours=25)


def test_what_is_still_to_come_is_left_out_of_a_period() -> None:
    now = utc_now()
    period = Period(now - timedelta(days=1), now + timedelta(days=1))

    assert period.until(now) == Period(period.since, now)
    assert period.until(period.before) == period
    assert period.until(period.since) == period
    with pytest.raises(InvalidInput):
        Period(now, now)
