"""Tells people when a channel has begun to fail, and when it works again."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import func, select

from core.alerts import AlertKind, AlertState
from core.ids import Kind, inside, outside
from tenancy.sessions import TenantSession
from tenant_db.alerts.handling import resolve_by_key
from tenant_db.alerts.models import Alert
from tenant_db.alerts.raising import raise_alert
from tenant_db.channels.health import DAY, HealthStatus, HealthWindow, health_since
from tenant_db.channels.machine import ChannelStatus
from tenant_db.channels.models import Channel

CHANNELS_MAX: Final = 500
"""Channels of one business that one look judges."""
WELL: Final = frozenset({HealthStatus.HEALTHY, HealthStatus.IDLE})
"""A channel that is DEGRADED neither begins an alert nor ends one, so that none comes and goes."""
RECOVERED: Final = "The channel works again."
STOPPED: Final = "The channel is not active any more."


async def watch_channels(session: TenantSession, now: datetime) -> None:
    """Raise one alert for each active channel that has begun to fail, and resolve those that are over.

    Judged by the last day. After a person has resolved an alert, only what happened since counts: the
    same failures don't raise it again, further ones do.
    """
    channels = await _active(session)
    alarmed = await _alarmed(session)
    for channel_id in alarmed - channels.keys():
        await resolve_by_key(session, _key(channel_id), "system", STOPPED, now)
    ill: list[tuple[UUID, HealthWindow]] = []
    for channel_id in channels:
        window = await health_since(session, channel_id, now - DAY)
        if channel_id in alarmed:
            if window.status in WELL:
                await resolve_by_key(session, _key(channel_id), "system", RECOVERED, now)
        elif window.status is HealthStatus.FAILING and await _is_new(session, channel_id, now):
            ill.append((channel_id, window))
    # Last, for an alert's row stays locked until the commit.
    for channel_id, window in ill:
        await _raise(session, channel_id, channels[channel_id], window)


async def _active(session: TenantSession) -> dict[UUID, str]:
    """Short codes by channel."""
    found = await session.execute(
        select(Channel.id, Channel.short_code)
        .where(Channel.status == ChannelStatus.ACTIVE)
        .order_by(Channel.id)
        .limit(CHANNELS_MAX)
    )
    return dict(found.all())


async def _alarmed(session: TenantSession) -> set[UUID]:
    """Channels whose alert nobody has resolved."""
    found: Sequence[str] = (
        await session.scalars(
            select(Alert.subject).where(
                Alert.kind == AlertKind.CHANNEL_UNHEALTHY, Alert.state != AlertState.RESOLVED
            )
        )
    ).all()
    return {inside(Kind.CHANNEL, subject) for subject in found}


async def _is_new(session: TenantSession, channel_id: UUID, now: datetime) -> bool:
    """Whether it fails for more than an alert that is already resolved told."""
    resolved_at = await session.scalar(
        select(func.max(Alert.resolved_at)).where(Alert.dedupe_key == _key(channel_id))
    )
    if resolved_at is None or resolved_at <= now - DAY:
        return True
    return (await health_since(session, channel_id, resolved_at)).status is HealthStatus.FAILING


async def _raise(session: TenantSession, channel_id: UUID, short_code: str, window: HealthWindow) -> None:
    await raise_alert(
        session,
        AlertKind.CHANNEL_UNHEALTHY,
        outside(Kind.CHANNEL, channel_id),
        f"The M-Pesa channel {short_code} fails: in the last day {window.failed_count} payments, "
        f"{window.failed_call_count} calls and {window.token_failure_count} requests for a token failed for "
        f"reasons that are not the payers', and {window.succeeded_count} payments succeeded.",
        details={
            "failedPayments": window.failed_count,
            "failedCalls": window.failed_call_count,
            "tokenFailures": window.token_failure_count,
            "succeededPayments": window.succeeded_count,
        },
    )


def _key(channel_id: UUID) -> str:
    """What `raise_alert` makes of the kind and the subject."""
    return f"{AlertKind.CHANNEL_UNHEALTHY.value}:{outside(Kind.CHANNEL, channel_id)}"
