"""What a store stands at, and what was earned in a period."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

import strawberry
from strawberry.types import Info

from core.currency import Currency
from core.ids import Kind, inside, outside
from core.periods import Period
from resolvers import ledger_reports
from resolvers.ledger_reports import CurrencyStanding, StoreStanding
from schema.ledger_types import LedgerBalance
from schema.scalars import Money
from schema.stores import StoreId
from tenancy.context import TenantContext
from tenant_db.ledger.reports import PlaceTakings, Takings


@strawberry.type(
    description="What was taken in one currency. A reversal takes away from what it undoes, in the period "
    "in which it was recorded."
)
class LedgerTakings:
    currency: Currency = strawberry.field(description="The currency.")
    sales_count: int = strawberry.field(description="How many sales there were, less those undone.")
    gross: Money = strawberry.field(description="Sales, before anything is taken off.")
    fees: Money = strawberry.field(description="What providers and the platform took.")
    refunds: Money = strawberry.field(description="What went back to payers.")
    net: Money = strawberry.field(description="gross less fees and refunds.")

    @classmethod
    def of(cls, takings: Takings) -> "LedgerTakings":
        return cls(
            currency=takings.gross.currency,
            sales_count=takings.sales_count,
            gross=Money.of(takings.gross),
            fees=Money.of(takings.fees),
            refunds=Money.of(takings.refunds),
            net=Money.of(takings.net),
        )


@strawberry.type(description="What a store stands at in one currency.")
class StoreCurrencySummary:
    balance: LedgerBalance = strawberry.field(description="What it has now, over all places.")
    today: LedgerTakings = strawberry.field(description="What was taken since the store's day began.")
    this_month: LedgerTakings = strawberry.field(description="What was taken since its month began.")
    pending_payouts: Money = strawberry.field(
        description="What is set aside for payouts, or on its way to you and not final yet."
    )

    @classmethod
    def of(cls, standing: CurrencyStanding) -> "StoreCurrencySummary":
        return cls(
            balance=LedgerBalance.of(standing.balance),
            today=LedgerTakings.of(standing.today),
            this_month=LedgerTakings.of(standing.this_month),
            pending_payouts=Money.of(standing.pending_payouts),
        )


@strawberry.type(description="What a store stands at. Its day and month are those of its own time zone.")
class StoreFinancialSummary:
    store_id: strawberry.ID = strawberry.field(description="The store.")
    as_of: datetime = strawberry.field(description="When it was read.")
    time_zone: str = strawberry.field(description="IANA name of the zone in which its day begins.")
    day_began: datetime = strawberry.field(description="When its present day began.")
    month_began: datetime = strawberry.field(description="When its present month began.")
    currencies: list[StoreCurrencySummary] = strawberry.field(
        description="One for each currency; empty until the store earns."
    )

    @classmethod
    def of(cls, standing: StoreStanding) -> "StoreFinancialSummary":
        return cls(
            store_id=strawberry.ID(outside(Kind.STORE, standing.store_id)),
            as_of=standing.as_of,
            time_zone=standing.time_zone,
            day_began=standing.day_began,
            month_began=standing.month_began,
            currencies=[StoreCurrencySummary.of(each) for each in standing.currencies],
        )


@strawberry.type(description="What was taken at one place where money can be, in one currency.")
class HoldingTakings:
    holding_id: strawberry.ID | None = strawberry.field(
        description="The place: a channel's id, such as chan_…; null for what touched none."
    )
    provider: str | None = strawberry.field(description="Whose place it is, such as `mpesa`.")
    takings: LedgerTakings = strawberry.field(description="What was taken there.")

    @classmethod
    def of(cls, line: PlaceTakings) -> "HoldingTakings":
        return cls(
            holding_id=None if line.place is None else strawberry.ID(line.place),
            provider=line.provider,
            takings=LedgerTakings.of(line.takings),
        )


@strawberry.type(description="What was taken over one provider, in one currency.")
class ProviderTakings:
    provider: str | None = strawberry.field(description="Such as `mpesa`; null for what went over none.")
    takings: LedgerTakings = strawberry.field(description="What was taken over it.")


@strawberry.type(description="What was taken in a period, by when it was recorded.")
class FinancialReport:
    since: datetime = strawberry.field(description="The period's first instant.")
    before: datetime = strawberry.field(description="The instant at which it is over.")
    totals: list[LedgerTakings] = strawberry.field(description="All together, one for each currency.")
    by_provider: list[ProviderTakings] = strawberry.field(description="The same for each provider.")
    by_holding: list[HoldingTakings] = strawberry.field(
        description="The same for each place, such as a channel."
    )

    @classmethod
    def of(cls, period: Period, lines: list[PlaceTakings]) -> "FinancialReport":
        by_provider = _added_up((line.provider, line.takings) for line in lines)
        return cls(
            since=period.since,
            before=period.before,
            totals=[
                LedgerTakings.of(takings) for _, takings in _added_up((None, line.takings) for line in lines)
            ],
            by_provider=[
                ProviderTakings(provider=name, takings=LedgerTakings.of(takings))
                for name, takings in by_provider
            ],
            by_holding=[HoldingTakings.of(line) for line in lines],
        )


def _added_up(parts: Iterable[tuple[str | None, Takings]]) -> list[tuple[str | None, Takings]]:
    """By name and currency, in order of currency, then name."""
    sums: dict[tuple[Currency, str | None], Takings] = {}
    for name, takings in parts:
        key = takings.gross.currency, name
        sums[key] = sums[key] + takings if key in sums else takings
    ordered = sorted(sums, key=lambda key: (key[0], key[1] or ""))
    return [(name, sums[currency, name]) for currency, name in ordered]


OnlyStore = Annotated[
    strawberry.ID | None, strawberry.argument(description="Only this store's; starts with store_.")
]


@strawberry.type(description="Summaries and reports.")
class LedgerReportQueries:
    @strawberry.field(
        description="What a store stands at: its balance, what it has taken today and this month, and "
        "pending payouts; null if there is no such store. Needs ledger:read."
    )
    async def store_financial_summary(
        self, info: Info[TenantContext, None], store_id: StoreId
    ) -> StoreFinancialSummary | None:
        found = await ledger_reports.store_standing(info.context, inside(Kind.STORE, store_id))
        return None if found is None else StoreFinancialSummary.of(found)

    @strawberry.field(
        description="What was taken in a period of at most 400 days, by channel and by provider. Needs "
        "ledger:read."
    )
    async def financial_report(
        self,
        info: Info[TenantContext, None],
        since: Annotated[datetime, strawberry.argument(description="The period's first instant.")],
        before: Annotated[datetime, strawberry.argument(description="The instant at which it is over.")],
        store_id: OnlyStore = None,
    ) -> FinancialReport:
        period = Period(since, before)
        only = None if store_id is None else inside(Kind.STORE, store_id)
        return FinancialReport.of(period, await ledger_reports.financial_report(info.context, period, only))
