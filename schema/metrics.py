"""Figures of a business's payments and of its providers, for charts."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import strawberry
from strawberry.types import Info

from core.currency import Currency
from core.ids import Kind, inside, outside
from core.periods import Period
from resolvers import metrics
from schema.scalars import Money, api_enum
from tenancy.context import TenantContext
from tenant_db.metrics.measuring import CallFigures, PaymentFigures, Wanted
from tenant_db.metrics.rules import Dimension
from tenant_db.stores.rules import require_time_zone

api_enum(
    Dimension,
    "PaymentDimension",
    "What payments are told apart by. Currencies always are.",
    {
        Dimension.DAY: "The day on which they were started, in the zone you name.",
        Dimension.PROVIDER: "The provider, such as mpesa.",
        Dimension.CHANNEL: "The M-Pesa channel.",
        Dimension.PROVIDER_ACCOUNT: "Your account at the provider.",
        Dimension.STORE: "The store.",
        Dimension.METHOD: "How the payer pays.",
        Dimension.FAILURE_CODE: "Why they came to nothing; null for those that did not.",
    },
)


@strawberry.type(description="Payments of one group that were started in the period, as they stand now.")
class PaymentMetric:
    day: date | None = strawberry.field(description="The day; null unless grouped by it.")
    provider: str | None = strawberry.field(description="The provider; null unless grouped by it.")
    channel_id: strawberry.ID | None = strawberry.field(
        description="The channel; null unless grouped by it, and for payments without one."
    )
    provider_account_id: strawberry.ID | None = strawberry.field(
        description="The provider account; null unless grouped by it."
    )
    store_id: strawberry.ID | None = strawberry.field(description="The store; null unless grouped by it.")
    method: str | None = strawberry.field(description="The method; null unless grouped by it.")
    failure_code: str | None = strawberry.field(
        description="Why they failed; null unless grouped by it, and for payments that did not."
    )
    currency: Currency = strawberry.field(description="The currency.")
    started: int = strawberry.field(description="How many payments were started.")
    succeeded: int = strawberry.field(description="How many of them were paid.")
    failed: int = strawberry.field(description="How many failed.")
    expired: int = strawberry.field(description="How many nobody paid in time.")
    cancelled: int = strawberry.field(description="How many were given up.")
    open: int = strawberry.field(description="How many have not ended.")
    volume: Money = strawberry.field(description="What was paid.")
    success_rate: float | None = strawberry.field(
        description="Paid ones among those that ended, from 0 to 1; null if none has."
    )
    median_settle_s: float | None = strawberry.field(
        description="Seconds from start to payment, the median; null if none was paid."
    )
    p95_settle_s: float | None = strawberry.field(
        description="Seconds within which 95 % of the paid ones were paid."
    )

    @classmethod
    def of(cls, figures: PaymentFigures) -> "PaymentMetric":
        group = figures.group
        return cls(
            day=group.get(Dimension.DAY),
            provider=group.get(Dimension.PROVIDER),
            channel_id=_id(Kind.CHANNEL, group.get(Dimension.CHANNEL)),
            provider_account_id=_id(Kind.PROVIDER_ACCOUNT, group.get(Dimension.PROVIDER_ACCOUNT)),
            store_id=_id(Kind.STORE, group.get(Dimension.STORE)),
            method=group.get(Dimension.METHOD),
            failure_code=group.get(Dimension.FAILURE_CODE),
            currency=figures.currency,
            started=figures.started,
            succeeded=figures.succeeded,
            failed=figures.failed,
            expired=figures.expired,
            cancelled=figures.cancelled,
            open=figures.open,
            volume=Money.of(figures.volume),
            success_rate=figures.success_rate,
            median_settle_s=figures.median_settle_s,
            p95_settle_s=figures.p95_settle_s,
        )


@strawberry.type(description="Calls to one provider on one day.")
class ProviderCallMetric:
    day: date = strawberry.field(description="The day, in the zone you name.")
    provider: str = strawberry.field(description="The provider.")
    operation: str = strawberry.field(description="What was called, such as stk_push.")
    calls: int = strawberry.field(description="How many calls.")
    errors: int = strawberry.field(
        description="Those without an answer, throttled, or answered with a server error."
    )
    error_rate: float = strawberry.field(description="Errors among the calls, from 0 to 1.")
    median_ms: float = strawberry.field(description="Milliseconds a call took, the median.")
    p95_ms: float = strawberry.field(description="Milliseconds within which 95 % were answered.")

    @classmethod
    def of(cls, figures: CallFigures) -> "ProviderCallMetric":
        return cls(
            day=figures.day,
            provider=figures.provider,
            operation=figures.operation,
            calls=figures.calls,
            errors=figures.errors,
            error_rate=figures.errors / figures.calls,
            median_ms=figures.median_ms,
            p95_ms=figures.p95_ms,
        )


SinceArgument = Annotated[datetime, strawberry.argument(description="The period's first instant.")]
BeforeArgument = Annotated[
    datetime, strawberry.argument(description="The instant at which it is over; at most 92 days later.")
]
ZoneArgument = Annotated[str, strawberry.argument(description="IANA name of the zone in which days begin.")]


@strawberry.type(description="Figures for charts.")
class MetricQueries:
    @strawberry.field(
        description="Payments started in a period, counted by group and currency. Needs payments:read."
    )
    async def payment_metrics(  # noqa: PLR0917 - GraphQL arguments are named by the client
        self,
        info: Info[TenantContext, None],
        since: SinceArgument,
        before: BeforeArgument,
        group_by: Annotated[list[Dimension], strawberry.argument(description="What to tell them apart by.")],
        time_zone: ZoneArgument = "Africa/Nairobi",
        store_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="Only payments of this store.")
        ] = None,
    ) -> list[PaymentMetric]:
        wanted = Wanted(
            Period(since, before),
            require_time_zone(time_zone),
            group_by,
            None if store_id is None else inside(Kind.STORE, store_id),
        )
        return [PaymentMetric.of(row) for row in await metrics.payment_figures(info.context, wanted)]

    @strawberry.field(
        description="Calls to your providers in a period, counted by day and operation. Needs channels:read."
    )
    async def provider_call_metrics(
        self,
        info: Info[TenantContext, None],
        since: SinceArgument,
        before: BeforeArgument,
        time_zone: ZoneArgument = "Africa/Nairobi",
    ) -> list[ProviderCallMetric]:
        zone = require_time_zone(time_zone)
        found = await metrics.call_figures(info.context, Period(since, before), zone)
        return [ProviderCallMetric.of(row) for row in found]


def _id(kind: Kind, id: UUID | None) -> strawberry.ID | None:
    return None if id is None else strawberry.ID(outside(kind, id))
