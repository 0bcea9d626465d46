"""How channels fare, computed from payments, calls and messages."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime

import strawberry
from strawberry.types import Info

from core.errors import NotFound
from core.ids import Kind, inside, outside
from resolvers import channels_health
from schema.channels import ChannelId
from schema.scalars import api_enum
from tenancy.context import TenantContext
from tenant_db.channels.health import ChannelHealth as Health
from tenant_db.channels.health import HealthStatus, HealthWindow

api_enum(
    HealthStatus,
    "ChannelHealthStatus",
    "How a channel fares, by what is its own or M-Pesa's doing: payers who decline do not count.",
    {
        HealthStatus.HEALTHY: "As it should.",
        HealthStatus.DEGRADED: "A tenth or more goes wrong.",
        HealthStatus.FAILING: "Half or more goes wrong.",
        HealthStatus.IDLE: "Nothing has happened.",
    },
)


@strawberry.type(description="What happened on a channel within a time.")
class ChannelHealthWindow:
    payment_count: int = strawberry.field(description="Payments that were started.")
    succeeded_count: int = strawberry.field(description="Those that succeeded.")
    failed_count: int = strawberry.field(
        description="Those that failed for reasons of the channel or of M-Pesa."
    )
    declined_count: int = strawberry.field(description="Those that came to nothing because of the payer.")
    success_bps: int | None = strawberry.field(
        description="Succeeded of all that ended, in basis points (10000 is all); null if none ended."
    )
    call_count: int = strawberry.field(description="Calls to M-Pesa.")
    failed_call_count: int = strawberry.field(description="Those without an answer.")
    token_failure_count: int = strawberry.field(description="How often M-Pesa gave no access token.")
    latency_p50_ms: int | None = strawberry.field(
        description="Half of the calls were faster; null: no calls."
    )
    latency_p95_ms: int | None = strawberry.field(description="95 of 100 calls were faster; null: no calls.")
    callback_count: int = strawberry.field(description="Messages that M-Pesa sent.")
    quarantined_count: int = strawberry.field(description="Those that did not fit, or could not be read.")

    @classmethod
    def of(cls, window: HealthWindow) -> "ChannelHealthWindow":
        return cls(
            payment_count=window.payment_count,
            succeeded_count=window.succeeded_count,
            failed_count=window.failed_count,
            declined_count=window.declined_count,
            success_bps=window.success_bps,
            call_count=window.call_count,
            failed_call_count=window.failed_call_count,
            token_failure_count=window.token_failure_count,
            latency_p50_ms=window.latency_p50_ms,
            latency_p95_ms=window.latency_p95_ms,
            callback_count=window.callback_count,
            quarantined_count=window.quarantined_count,
        )


@strawberry.type(description="How a channel fares.")
class ChannelHealth:
    channel_id: strawberry.ID = strawberry.field(description="Starts with chan_.")
    status: HealthStatus = strawberry.field(description="In one word, of the last day.")
    at: datetime = strawberry.field(description="When this was computed.")
    last_callback_at: datetime | None = strawberry.field(
        description="When M-Pesa last sent anything, within a week."
    )
    last_success_at: datetime | None = strawberry.field(
        description="When the last payment succeeded, of those started within a week."
    )
    day: ChannelHealthWindow = strawberry.field(description="The last 24 hours.")
    week: ChannelHealthWindow = strawberry.field(description="The last seven days.")

    @classmethod
    def of(cls, health: Health) -> "ChannelHealth":
        return cls(
            channel_id=strawberry.ID(outside(Kind.CHANNEL, health.channel_id)),
            status=health.status,
            at=health.at,
            last_callback_at=health.last_callback_at,
            last_success_at=health.last_success_at,
            day=ChannelHealthWindow.of(health.day),
            week=ChannelHealthWindow.of(health.week),
        )


@strawberry.type(description="How channels fare.")
class ChannelHealthQueries:
    @strawberry.field(
        description="How a channel has fared in the last day and week; null if there is no such channel. "
        "Needs channels:read."
    )
    async def channel_health(
        self, info: Info[TenantContext, None], channel_id: ChannelId
    ) -> ChannelHealth | None:
        try:
            found = await channels_health.channel_health(info.context, inside(Kind.CHANNEL, channel_id))
        except NotFound:
            return None
        return ChannelHealth.of(found)


@strawberry.type(description="How channels fare, as it changes.")
class ChannelHealthSubscriptions:
    @strawberry.subscription(
        description="How a channel fares now, and again whenever that changes. Needs channels:read."
    )
    async def channel_health(
        self, info: Info[TenantContext, None], channel_id: ChannelId
    ) -> AsyncGenerator[ChannelHealth, None]:
        states = channels_health.health_updates(info.context, inside(Kind.CHANNEL, channel_id))
        async with aclosing(states):
            async for state in states:
                yield ChannelHealth.of(state)
