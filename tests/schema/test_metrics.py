"""Figures of payments and of calls, for a business and for the platform."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from core.clock import utc_now
from core.ids import Kind, outside
from jobs.figures import Figures
from tenancy.context import Services
from tenancy.roles import PlatformRole, Role
from tenancy.sessions import Tenant
from tenant_db.calls.recording import NewCall, record_call
from tenant_db.payments.models import Payment
from tests.factories.callers import ask, caller, refusal_of
from tests.factories.payments import Shop, initiate, make_shop
from tests.factories.staff import ask_as_staff, staff

START = datetime(2026, 11, 20, 20, 30, tzinfo=UTC)
"""Half past eleven in the evening in Nairobi."""
PAYMENTS = """
query ($since: DateTime!, $before: DateTime!, $by: [PaymentDimension!]!, $zone: String!, $store: ID) {
  paymentMetrics(since: $since, before: $before, groupBy: $by, timeZone: $zone, storeId: $store) {
    day provider channelId storeId failureCode currency started succeeded failed expired cancelled open
    volume { amountMinor } successRate medianSettleS
  }
}
"""
CALLS = """
query ($since: DateTime!, $before: DateTime!) { providerCallMetrics(since: $since, before: $before) {
  provider operation calls errors errorRate medianMs } }
"""
PLATFORM = """
query ($first: Date!, $last: Date!, $by: [PlatformDimension!]!) {
  platformPaymentMetrics(firstDay: $first, lastDay: $last, groupBy: $by) {
    day provider tenantId currency started succeeded volume { amountMinor } successRate }
  platformCallMetrics(firstDay: $first, lastDay: $last) { provider calls errors }
}
"""


async def paid_at(tenant: Tenant, shop: Shop, at: datetime, status: str, **changes: Any) -> None:  # noqa: ANN401 - columns
    payment = await initiate(tenant, shop)
    settled_at = at + timedelta(seconds=changes.pop("after_s", 10))
    async with tenant.transaction() as session:
        await session.execute(
            update(Payment)
            .where(Payment.id == payment.id)
            .values(created_at=at, status=status, settled_at=settled_at, **changes)
        )


@pytest.fixture
async def shop(tenant: Tenant) -> Shop:
    """Six payments around a midnight in Nairobi, and three calls."""
    shop = await make_shop(tenant)
    for after_s in (10, 30):
        await paid_at(tenant, shop, START, "succeeded", after_s=after_s)
    await paid_at(tenant, shop, START + timedelta(hours=1), "succeeded")
    await paid_at(tenant, shop, START, "failed", failure_code="wrong_pin")
    await paid_at(tenant, shop, START, "expired", failure_code="no_answer")
    await paid_at(tenant, shop, START, "pending")
    async with tenant.transaction() as session:
        for status, outcome in ((200, "answered"), (503, "answered"), (None, "unknown")):
            call = NewCall("mpesa", "stk_push", "POST", "/", {}, status, None, outcome, 20)
            record_call(session, shop.channel_id, call)
    return shop


async def test_payments_are_counted_by_the_days_of_the_zone(
    services: Services, tenant: Tenant, shop: Shop
) -> None:
    viewer = await caller(services, tenant, Role.VIEWER)
    asked = {"since": "2026-11-20T00:00:00Z", "before": "2026-11-22T00:00:00Z"}

    found = await ask(viewer, PAYMENTS, by=["DAY", "PROVIDER"], zone="Africa/Nairobi", **asked)
    reasons = await ask(viewer, PAYMENTS, by=["FAILURE_CODE", "STORE"], zone="UTC", **asked)

    first, second = found["paymentMetrics"]
    amount = int(second["volume"]["amountMinor"])
    assert (first["day"], second["day"]) == ("2026-11-20", "2026-11-21")
    assert first | {"day": None} == {
        "day": None,
        "provider": "mpesa",
        "channelId": None,
        "storeId": None,
        "failureCode": None,
        "currency": "KES",
        "started": 5,
        "succeeded": 2,
        "failed": 1,
        "expired": 1,
        "cancelled": 0,
        "open": 1,
        "volume": {"amountMinor": str(2 * amount)},
        "successRate": 0.5,
        "medianSettleS": 20.0,
    }
    assert {row["failureCode"]: row["started"] for row in reasons["paymentMetrics"]} == {
        "no_answer": 1,
        "wrong_pin": 1,
        None: 4,
    }
    assert {row["storeId"] for row in reasons["paymentMetrics"]} == {outside(Kind.STORE, shop.store_id)}


@pytest.mark.usefixtures("shop")
async def test_calls_are_counted_with_those_that_failed(services: Services, tenant: Tenant) -> None:
    viewer = await caller(services, tenant, Role.VIEWER)
    now = utc_now()

    found = await ask(
        viewer,
        CALLS,
        since=(now - timedelta(days=1)).isoformat(),
        before=(now + timedelta(days=1)).isoformat(),
    )

    (row,) = found["providerCallMetrics"]
    assert (row["operation"], row["calls"], row["errors"], row["medianMs"]) == ("stk_push", 3, 2, 20.0)


@pytest.mark.parametrize(
    "change",
    [
        {"by": []},
        {"zone": "Nowhere/Land"},
        {"before": "2027-11-20T00:00:00Z"},
        {"before": "2026-11-19T00:00:00Z"},
    ],
)
async def test_what_can_not_be_counted_is_refused(
    services: Services, tenant: Tenant, change: dict[str, Any]
) -> None:
    viewer = await caller(services, tenant, Role.VIEWER)
    asked = {"since": "2026-11-20T00:00:00Z", "before": "2026-11-22T00:00:00Z", "by": ["DAY"], "zone": "UTC"}

    assert await refusal_of(viewer, PAYMENTS, **(asked | change)) == "INVALID_INPUT"


@pytest.mark.usefixtures("shop")
async def test_staff_see_all_tenants_and_counting_again_changes_nothing(
    services: Services, tenant: Tenant
) -> None:
    figures = Figures(services.owner, services.tenants, services.clock)
    for _ in range(2):
        await figures.collect_of(tenant.id)
    support = staff(services, PlatformRole.SUPPORT)

    found = await ask_as_staff(
        support, PLATFORM, first="2026-11-20", last=utc_now().date().isoformat(), by=["TENANT", "PROVIDER"]
    )

    mine = [
        row for row in found["platformPaymentMetrics"] if row["tenantId"] == outside(Kind.TENANT, tenant.id)
    ]
    assert [(row["provider"], row["started"], row["succeeded"], row["successRate"]) for row in mine] == [
        ("mpesa", 6, 3, 0.6)
    ]
    assert [(row["calls"], row["errors"]) for row in found["platformCallMetrics"]] == [(3, 2)]
