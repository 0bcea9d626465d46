"""A channel's health is computed from what happened to it."""

from dataclasses import fields, replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from core.clock import utc_now
from core.errors import NotFound
from core.ids import new_id
from tenancy.inbox import NewMessage, store
from tenancy.sessions import Tenant
from tenant_db.calls.recording import NewCall, record_call
from tenant_db.channels.health import HealthStatus, HealthWindow, channel_health
from tests.factories.payments import initiate, make_shop

QUIET = HealthWindow(**{field.name: 0 for field in fields(HealthWindow)})


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, HealthStatus.IDLE),
        ({"callback_count": 1}, HealthStatus.HEALTHY),
        ({"succeeded_count": 1}, HealthStatus.HEALTHY),
        ({"declined_count": 50}, HealthStatus.HEALTHY),
        ({"failed_count": 2}, HealthStatus.HEALTHY),
        ({"failed_count": 3}, HealthStatus.FAILING),
        ({"failed_count": 3, "succeeded_count": 3}, HealthStatus.FAILING),
        ({"failed_count": 3, "succeeded_count": 27}, HealthStatus.DEGRADED),
        ({"failed_count": 3, "succeeded_count": 28}, HealthStatus.HEALTHY),
        ({"token_failure_count": 3}, HealthStatus.FAILING),
        ({"failed_call_count": 3, "declined_count": 20}, HealthStatus.DEGRADED),
    ],
)
def test_only_the_channels_own_troubles_make_it_ill(changes: dict[str, int], status: HealthStatus) -> None:
    assert replace(QUIET, **changes).status is status


def test_the_success_rate_is_of_what_ended() -> None:
    assert QUIET.success_bps is None
    assert replace(QUIET, succeeded_count=2, declined_count=1).success_bps == 6_666


async def test_payments_calls_and_messages_are_counted_within_their_times(tenant: Tenant) -> None:
    shop, other = await make_shop(tenant), await make_shop(tenant, short_code="600111")
    now = utc_now()
    ways = [
        ("succeeded", None, 0),
        ("failed", "configuration", 0),
        ("failed", "wrong_pin", 0),
        ("cancelled", "cancelled_by_payer", 0),
        ("pending", None, 0),
        ("succeeded", None, 3),
        ("succeeded", None, 8),
    ]
    for status, code, days in ways:
        payment = await initiate(tenant, shop)
        async with tenant.transaction() as session:
            await session.execute(
                text(
                    "UPDATE payments SET status = :status, failure_code = :code, settled_at = :at,"
                    " created_at = :at WHERE id = :id"
                ),
                {"status": status, "code": code, "at": now - timedelta(days=days), "id": payment.id},
            )
    await initiate(tenant, other)
    await called(tenant, shop.channel_id, "stk_push", 200, 120)
    await called(tenant, payment.id, "stk_push", None, 30_000)
    await called(tenant, shop.channel_id, "token", 400, 50)
    async with tenant.transaction() as session:
        await store(session, NewMessage(f"mpesa:{shop.channel_id}", "stk_result", "1", {}, b"{}"))

    async with tenant.reading() as session:
        health = await channel_health(session, shop.channel_id, now + timedelta(seconds=5))

    day, week = health.day, health.week
    assert (day.payment_count, day.succeeded_count, day.failed_count, day.declined_count) == (5, 1, 1, 2)
    assert (week.payment_count, week.succeeded_count) == (6, 2)
    assert (day.call_count, day.failed_call_count, day.token_failure_count) == (2, 0, 1)
    assert (day.latency_p50_ms, day.latency_p95_ms) == (120, 120)
    assert (day.callback_count, day.quarantined_count) == (1, 0)
    assert health.last_callback_at is not None
    assert health.last_success_at is not None


async def called(tenant: Tenant, subject: UUID, operation: str, status: int | None, duration_ms: int) -> None:
    outcome = "unknown" if status is None else "answered"
    new = NewCall("mpesa", operation, "POST", "/x", {}, status, None, outcome, duration_ms)
    async with tenant.transaction() as session:
        record_call(session, subject, new)


async def test_an_unknown_channel_has_no_health(tenant: Tenant) -> None:
    async with tenant.reading() as session:
        with pytest.raises(NotFound):
            await channel_health(session, new_id(), utc_now())
