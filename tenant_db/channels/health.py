"""How a channel has fared lately, computed from what happened; nothing is written for it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from core.errors import NotFound
from core.ids import lowest_id
from tenancy.sessions import TenantSession
from tenant_db.channels.models import Channel
from tenant_db.payments.rules import FailureReason

DAY: Final = timedelta(days=1)
WEEK: Final = timedelta(days=7)
FAILING_BPS: Final = 5_000
"""A channel that fails half of its payments for reasons of its own is failing."""
DEGRADED_BPS: Final = 1_000
FEW: Final = 3
"""Failures below this say nothing."""
OWN_FAILURES: Final = (
    FailureReason.CONFIGURATION,
    FailureReason.PROVIDER_BUSY,
    FailureReason.NOT_SENT,
)
"""What is not the payer's doing."""


class HealthStatus(StrEnum):
    """How a channel fares, in one word."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    FAILING = "failing"
    IDLE = "idle"


@dataclass(frozen=True, slots=True)
class HealthWindow:
    """What happened on a channel since an instant."""

    payment_count: int
    succeeded_count: int
    failed_count: int
    """For reasons of the channel or of M-Pesa: not because of the payer."""
    declined_count: int
    """By the payer, or the payer's account."""
    call_count: int
    failed_call_count: int
    """Without an answer."""
    token_failure_count: int
    latency_p50_ms: int | None
    """Of calls that were answered; None where there were none."""
    latency_p95_ms: int | None
    callback_count: int
    quarantined_count: int
    """Messages that did not fit, or could not be read."""

    @property
    def success_bps(self) -> int | None:
        """Succeeded of all that ended, in basis points; None where none ended."""
        ended = self.succeeded_count + self.failed_count + self.declined_count
        return self.succeeded_count * 10_000 // ended if ended else None

    @property
    def status(self) -> HealthStatus:
        """By what is the channel's own doing alone."""
        troubles = self.failed_count + self.failed_call_count + self.token_failure_count
        good = self.succeeded_count + self.declined_count
        if not troubles + good + self.call_count + self.callback_count:
            return HealthStatus.IDLE
        if troubles < FEW:
            return HealthStatus.HEALTHY
        trouble_bps = troubles * 10_000 // (troubles + good)
        if trouble_bps >= FAILING_BPS:
            return HealthStatus.FAILING
        return HealthStatus.DEGRADED if trouble_bps >= DEGRADED_BPS else HealthStatus.HEALTHY


@dataclass(frozen=True, slots=True)
class ChannelHealth:
    """A channel's state of health at an instant."""

    channel_id: UUID
    at: datetime
    day: HealthWindow
    week: HealthWindow
    last_callback_at: datetime | None
    """Within the week."""
    last_success_at: datetime | None
    """Within the week."""

    @property
    def status(self) -> HealthStatus:
        """Of the last day."""
        return self.day.status


async def channel_health(session: TenantSession, channel_id: UUID, now: datetime) -> ChannelHealth:
    """Look at the payments, calls and messages of the last day and the last week.

    Raises:
        NotFound: no such channel.
    """
    if await session.get(Channel, channel_id) is None:
        raise NotFound("channel")
    day, _ = await _window(session, channel_id, now - DAY)
    week, seen = await _window(session, channel_id, now - WEEK)
    return ChannelHealth(channel_id, now, day, week, seen["last_callback_at"], seen["last_success_at"])


async def health_since(session: TenantSession, channel_id: UUID, since: datetime) -> HealthWindow:
    """What happened on a channel since an instant; nothing where there is no such channel."""
    window, _ = await _window(session, channel_id, since)
    return window


async def _window(
    session: TenantSession, channel_id: UUID, since: datetime
) -> tuple[HealthWindow, dict[str, Any]]:
    given = {
        "channel": channel_id,
        "source": f"mpesa:{channel_id}",
        "since": since,
        "first": lowest_id(since),
        "own": [reason.value for reason in OWN_FAILURES],
    }
    found: dict[str, Any] = {}
    for query in (_PAYMENTS, _CALLS, _MESSAGES):
        row = (await session.execute(query, given)).mappings().one()
        found.update(row)
    seen = {name: found.pop(name) for name in ("last_callback_at", "last_success_at")}
    for name in ("latency_p50_ms", "latency_p95_ms"):
        found[name] = None if found[name] is None else round(found[name])
    return HealthWindow(**found), seen


_PAYMENTS: Final = text(
    """
    SELECT count(*) AS payment_count,
        count(*) FILTER (WHERE status = 'succeeded') AS succeeded_count,
        count(*) FILTER (WHERE status IN ('failed', 'expired') AND failure_code = ANY(CAST(:own AS text[])))
            AS failed_count,
        count(*) FILTER (
            WHERE status = 'cancelled'
            OR (status IN ('failed', 'expired')
                AND NOT COALESCE(failure_code = ANY(CAST(:own AS text[])), false))
        ) AS declined_count,
        max(settled_at) FILTER (WHERE status = 'succeeded') AS last_success_at
    FROM payments WHERE channel_id = :channel AND created_at >= :since
    """
)
_CALLS: Final = text(
    """
    SELECT count(*) AS call_count,
        count(*) FILTER (WHERE outcome <> 'answered' AND operation <> 'token') AS failed_call_count,
        count(*) FILTER (WHERE operation = 'token' AND status IS DISTINCT FROM 200) AS token_failure_count,
        percentile_disc(0.5) WITHIN GROUP (ORDER BY duration_ms)
            FILTER (WHERE outcome = 'answered' AND operation <> 'token') AS latency_p50_ms,
        percentile_disc(0.95) WITHIN GROUP (ORDER BY duration_ms)
            FILTER (WHERE outcome = 'answered' AND operation <> 'token') AS latency_p95_ms
    FROM provider_calls
    WHERE provider = 'mpesa' AND id >= :first AND (subject_id = :channel OR subject_id IN (
        SELECT id FROM payments WHERE channel_id = :channel AND created_at >= :since))
    """
)
_MESSAGES: Final = text(
    """
    SELECT count(*) AS callback_count,
        count(*) FILTER (WHERE state = 'quarantined') AS quarantined_count,
        max(created_at) AS last_callback_at
    FROM inbox WHERE source = :source AND id >= :first
    """
)
