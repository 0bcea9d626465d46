"""Figures of all tenants' payments and of their providers, for the platform's staff."""

from datetime import date
from typing import Annotated

import strawberry
from strawberry.types import Info

from core.currency import Currency
from core.ids import Kind, inside, outside
from core.money import Money as CoreMoney
from owner_db.metrics.recording import DayCalls, Grouping, PlatformFigures
from resolvers import platform_metrics
from schema.scalars import Money, api_enum
from tenancy.context import OwnerContext

api_enum(
    Grouping,
    "PlatformDimension",
    "What payments of all businesses are told apart by. Currencies always are.",
    {
        Grouping.DAY: "The day (UTC) on which they were started.",
        Grouping.PROVIDER: "The provider.",
        Grouping.TENANT: "The business.",
    },
)


@strawberry.type(description="Payments of one group, as they stood when they were counted last.")
class PlatformPaymentMetric:
    day: date | None = strawberry.field(description="The day; null unless grouped by it.")
    provider: str | None = strawberry.field(description="The provider; null unless grouped by it.")
    tenant_id: strawberry.ID | None = strawberry.field(description="The business; null unless grouped by it.")
    currency: Currency = strawberry.field(description="The currency.")
    started: int = strawberry.field(description="How many payments were started.")
    succeeded: int = strawberry.field(description="How many of them were paid.")
    failed: int = strawberry.field(description="How many failed.")
    expired: int = strawberry.field(description="How many nobody paid in time.")
    cancelled: int = strawberry.field(description="How many were given up.")
    volume: Money = strawberry.field(description="What was paid.")
    success_rate: float | None = strawberry.field(
        description="Paid ones among those that ended, from 0 to 1; null if none has."
    )

    @classmethod
    def of(cls, figures: PlatformFigures) -> "PlatformPaymentMetric":
        tenant = figures.group.get(Grouping.TENANT)
        return cls(
            day=figures.group.get(Grouping.DAY),
            provider=figures.group.get(Grouping.PROVIDER),
            tenant_id=None if tenant is None else strawberry.ID(outside(Kind.TENANT, tenant)),
            currency=figures.currency,
            started=figures.started,
            succeeded=figures.succeeded,
            failed=figures.failed,
            expired=figures.expired,
            cancelled=figures.cancelled,
            volume=Money.of(CoreMoney(figures.volume_minor, figures.currency)),
            success_rate=figures.success_rate,
        )


@strawberry.type(description="Calls of all businesses to one provider on one day (UTC).")
class PlatformCallMetric:
    day: date = strawberry.field(description="The day.")
    provider: str = strawberry.field(description="The provider.")
    calls: int = strawberry.field(description="How many calls.")
    errors: int = strawberry.field(
        description="Those without an answer, throttled, or answered with a server error."
    )
    error_rate: float = strawberry.field(description="Errors among the calls, from 0 to 1.")

    @classmethod
    def of(cls, calls: DayCalls) -> "PlatformCallMetric":
        return cls(
            day=calls.day,
            provider=calls.provider,
            calls=calls.calls,
            errors=calls.errors,
            error_rate=calls.errors / calls.calls,
        )


FirstDay = Annotated[date, strawberry.argument(description="The first day (UTC).")]
LastDay = Annotated[
    date, strawberry.argument(description="The last day, which belongs to them; at most 366 in all.")
]


@strawberry.type(description="Figures for charts.")
class PlatformMetricQueries:
    @strawberry.field(
        description="Payments of all businesses, or of one, by group and currency; counted every quarter of"
        " an hour. Needs platform:read."
    )
    async def platform_payment_metrics(
        self,
        info: Info[OwnerContext, None],
        first_day: FirstDay,
        last_day: LastDay,
        group_by: Annotated[list[Grouping], strawberry.argument(description="What to tell them apart by.")],
        tenant_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="Only payments of this business.")
        ] = None,
    ) -> list[PlatformPaymentMetric]:
        only = None if tenant_id is None else inside(Kind.TENANT, tenant_id)
        found = await platform_metrics.platform_payment_figures(
            info.context, first_day, last_day, group_by, only
        )
        return [PlatformPaymentMetric.of(row) for row in found]

    @strawberry.field(
        description="Calls of all businesses to providers, by day and provider; counted every quarter of an"
        " hour. Needs platform:read."
    )
    async def platform_call_metrics(
        self, info: Info[OwnerContext, None], first_day: FirstDay, last_day: LastDay
    ) -> list[PlatformCallMetric]:
        found = await platform_metrics.platform_call_figures(info.context, first_day, last_day)
        return [PlatformCallMetric.of(row) for row in found]
