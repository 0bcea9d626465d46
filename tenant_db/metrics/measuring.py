"""Counts payments and calls to providers over a period."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Label, Select, and_, case, cast, func, or_, select
from sqlalchemy.types import Date

from core.currency import Currency
from core.errors import InvalidInput
from core.money import Money
from core.periods import Period
from tenancy.sessions import TenantSession
from tenant_db.calls.models import ProviderCall
from tenant_db.metrics.rules import DAYS_MAX, ROWS_MAX, Dimension, require_dimensions
from tenant_db.payments.machine import CANCELLED, EXPIRED, FAILED, SUCCEEDED
from tenant_db.payments.models import Payment

THROTTLED: Final = 429
SERVER_ERROR: Final = 500


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which payments are counted, and how they are told apart.

    Raises:
        InvalidInput: a period that is too long, or nothing to group by.
    """

    period: Period
    zone: ZoneInfo
    """In which days begin."""
    by: Sequence[Dimension]
    store_id: UUID | None = None

    def __post_init__(self) -> None:
        require_span(self.period)
        require_dimensions(self.by)


@dataclass(frozen=True, slots=True)
class PaymentFigures:
    """Payments of one group that were started in the period, as they stand now."""

    group: Mapping[Dimension, Any]
    currency: Currency
    started: int
    succeeded: int
    failed: int
    expired: int
    cancelled: int
    volume: Money
    """Of those that succeeded."""
    median_settle_s: float | None
    """From the start to the settlement, of those that succeeded."""
    p95_settle_s: float | None

    @property
    def open(self) -> int:
        return self.started - self.ended

    @property
    def ended(self) -> int:
        return self.succeeded + self.failed + self.expired + self.cancelled

    @property
    def success_rate(self) -> float | None:
        """Of those that have ended; None where none has."""
        return self.succeeded / self.ended if self.ended else None


@dataclass(frozen=True, slots=True)
class CallFigures:
    """Calls to one provider on one day."""

    day: date
    provider: str
    operation: str
    calls: int
    errors: int
    """Without an answer, throttled, or answered with a server error."""
    median_ms: float
    p95_ms: float


async def payment_figures(session: TenantSession, wanted: Wanted) -> list[PaymentFigures]:
    """One entry for each group and currency, in the order of the groups.

    Raises:
        InvalidInput: more than ROWS_MAX entries.
    """
    groups = {dimension: _column(dimension, wanted.zone) for dimension in require_dimensions(wanted.by)}
    found = await session.execute(_counting(list(groups.values()), wanted))
    rows = found.all()
    _require_few(len(rows))
    return [_figures(list(groups), row) for row in rows]


async def call_figures(session: TenantSession, period: Period, zone: ZoneInfo) -> list[CallFigures]:
    """One entry for each day, provider and operation.

    Raises:
        InvalidInput: a period that is too long, or more than ROWS_MAX entries.
    """
    require_span(period)
    day = cast(func.timezone(zone.key, ProviderCall.created_at), Date).label("day")
    found = await session.execute(
        select(
            day,
            ProviderCall.provider,
            ProviderCall.operation,
            func.count(),
            func.count().filter(_is_error()),
            _percentile(0.5, ProviderCall.duration_ms),
            _percentile(0.95, ProviderCall.duration_ms),
        )
        .where(ProviderCall.created_at >= period.since, ProviderCall.created_at < period.before)
        .group_by(day, ProviderCall.provider, ProviderCall.operation)
        .order_by(day, ProviderCall.provider, ProviderCall.operation)
        .limit(ROWS_MAX + 1)
    )
    rows = found.all()
    _require_few(len(rows))
    return [CallFigures(*row) for row in rows]


def require_span(period: Period) -> None:
    """Raises InvalidInput where more days are asked for than are counted at once."""
    if period.before - period.since > timedelta(days=DAYS_MAX):
        raise InvalidInput("before", f"Ask for at most {DAYS_MAX} days at once.")


def _counting(groups: list[Label[Any]], wanted: Wanted) -> Select[Any]:
    settle_s = case(
        (
            Payment.status == SUCCEEDED,
            func.extract("epoch", Payment.settled_at - Payment.created_at),
        )
    )
    counting = (
        select(
            *groups,
            Payment.currency,
            func.count(),
            *(func.count().filter(Payment.status == status) for status in _COUNTED),
            func.coalesce(func.sum(Payment.amount_minor).filter(Payment.status == SUCCEEDED), 0),
            _percentile(0.5, settle_s),
            _percentile(0.95, settle_s),
        )
        .where(Payment.created_at >= wanted.period.since, Payment.created_at < wanted.period.before)
        .group_by(*groups, Payment.currency)
        .order_by(*groups, Payment.currency)
        .limit(ROWS_MAX + 1)
    )
    return counting if wanted.store_id is None else counting.where(Payment.store_id == wanted.store_id)


_COUNTED: Final = (SUCCEEDED, FAILED, EXPIRED, CANCELLED)


def _column(dimension: Dimension, zone: ZoneInfo) -> Label[Any]:
    columns: dict[Dimension, ColumnElement[Any]] = {
        Dimension.DAY: cast(func.timezone(zone.key, Payment.created_at), Date),
        Dimension.PROVIDER: Payment.__table__.c.provider,
        Dimension.CHANNEL: Payment.__table__.c.channel_id,
        Dimension.PROVIDER_ACCOUNT: Payment.__table__.c.provider_account_id,
        Dimension.STORE: Payment.__table__.c.store_id,
        Dimension.METHOD: Payment.__table__.c.method,
        Dimension.FAILURE_CODE: Payment.__table__.c.failure_code,
    }
    return columns[dimension].label(f"by_{dimension}")


def _figures(groups: list[Dimension], row: Sequence[Any]) -> PaymentFigures:
    group = dict(zip(groups, row, strict=False))
    currency, started, succeeded, failed, expired, cancelled, volume, median, p95 = row[len(groups) :]
    return PaymentFigures(
        group=group,
        currency=currency,
        started=started,
        succeeded=succeeded,
        failed=failed,
        expired=expired,
        cancelled=cancelled,
        volume=Money(int(volume), currency),
        median_settle_s=median,
        p95_settle_s=p95,
    )


def _is_error() -> ColumnElement[bool]:
    return or_(
        ProviderCall.outcome != "answered",
        and_(
            ProviderCall.status.is_not(None),
            or_(ProviderCall.status == THROTTLED, ProviderCall.status >= SERVER_ERROR),
        ),
    )


def _percentile(share: float, measured: Any) -> ColumnElement[Any]:  # noqa: ANN401 - a column or an expression
    return func.percentile_cont(share).within_group(measured)


def _require_few(count: int) -> None:
    if count > ROWS_MAX:
        raise InvalidInput("groupBy", f"That are more than {ROWS_MAX} entries: ask for fewer days or groups.")
