"""What a store stands at, and what was earned in a period."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from core.currency import Currency
from core.errors import InvalidInput, NotFound
from core.money import Money
from core.periods import Period, day_begins
from tenancy.context import TenantContext
from tenancy.roles import Scope
from tenant_db.ledger import balances, reports
from tenant_db.ledger.balances import Counters
from tenant_db.ledger.reports import PlaceTakings, Takings
from tenant_db.stores.models import Store

REPORT_DAYS_MAX: Final = 400
"""Of one report: it reads every transfer of its period."""
PAYOUT_DAYS_MAX: Final = 30
"""How long a payout may be on its way before it is final."""


@dataclass(frozen=True, slots=True)
class CurrencyStanding:
    """What a store stands at in one currency."""

    balance: Counters
    today: Takings
    this_month: Takings
    pending_payouts: Money


@dataclass(frozen=True, slots=True)
class StoreStanding:
    """What a store stands at, and the instants at which its day and its month began."""

    store_id: UUID
    as_of: datetime
    time_zone: str
    day_began: datetime
    month_began: datetime
    currencies: Sequence[CurrencyStanding]


async def store_standing(context: TenantContext, store_id: UUID) -> StoreStanding | None:
    """Balance, sales, refunds and pending payouts of a store. Needs ledger:read. None: no such store."""
    context.require(Scope.LEDGER_READ)
    now = context.services.clock()
    async with context.tenant.reading() as session:
        store = await session.get(Store, store_id)
        if store is None:
            return None
        day, month = _beginnings(now, ZoneInfo(store.time_zone))
        later = now + timedelta(days=1)
        balance = {
            each.counters.total.currency: each.counters
            for each in await balances.store_balances(session, store_id)
        }
        today = await reports.takings_of_store(session, store_id, Period(day, later))
        this_month = await reports.takings_of_store(session, store_id, Period(month, later))
        payouts = await reports.payouts_pending(session, store_id, now - timedelta(days=PAYOUT_DAYS_MAX))
    return StoreStanding(
        store_id, now, store.time_zone, day, month, _by_currency(balance, today, this_month, payouts)
    )


async def financial_report(
    context: TenantContext, period: Period, store_id: UUID | None
) -> list[PlaceTakings]:
    """What was taken in a period, by place and currency; of one store, or of all. Needs ledger:read.

    Raises:
        InvalidInput: the period is longer than REPORT_DAYS_MAX.
        NotFound: this business has no such store.
    """
    context.require(Scope.LEDGER_READ)
    if period.before - period.since > timedelta(days=REPORT_DAYS_MAX):
        raise InvalidInput("before", f"A report covers at most {REPORT_DAYS_MAX} days.")
    async with context.tenant.reading() as session:
        if store_id is not None and await session.get(Store, store_id) is None:
            raise NotFound("store")
        return await reports.takings_by_place(session, period, store_id)


def _beginnings(now: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    today = now.astimezone(zone).date()
    return day_begins(today, zone), day_begins(today.replace(day=1), zone)


def _by_currency(
    balance: dict[Currency, Counters],
    today: Sequence[Takings],
    this_month: Sequence[Takings],
    payouts: Sequence[Money],
) -> list[CurrencyStanding]:
    of_day = {each.gross.currency: each for each in today}
    of_month = {each.gross.currency: each for each in this_month}
    pending = {money.currency: money for money in payouts}
    standings = []
    for currency in sorted({*balance, *of_month, *pending}):
        nothing = Money(0, currency)
        empty = Takings(0, nothing, nothing, nothing)
        standings.append(
            CurrencyStanding(
                balance.get(currency, Counters(nothing, nothing, nothing)),
                of_day.get(currency, empty),
                of_month.get(currency, empty),
                pending.get(currency, nothing),
            )
        )
    return standings
