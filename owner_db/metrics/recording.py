"""Keeps tenants' figures, and adds them up for the platform's staff."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import Column, Table, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from core.currency import Currency
from core.errors import InvalidInput
from owner_db.metrics.models import CallFigure, PaymentFigure
from tenancy.sessions import OwnerSession

DAYS_MAX: Final = 366
ROWS_MAX: Final = 5_000


@dataclass(frozen=True, slots=True)
class DayFigures:
    """One tenant's payments of one day, provider and currency."""

    day: date
    provider: str
    currency: Currency
    started: int
    succeeded: int
    failed: int
    expired: int
    cancelled: int
    volume_minor: int


@dataclass(frozen=True, slots=True)
class DayCalls:
    """One tenant's calls to one provider on one day."""

    day: date
    provider: str
    calls: int
    errors: int


class Grouping(StrEnum):
    """What the platform's figures are told apart by; currencies always are."""

    DAY = "day"
    PROVIDER = "provider"
    TENANT = "tenant"


@dataclass(frozen=True, slots=True)
class PlatformFigures:
    """Payments of one group over all tenants, or of one."""

    group: dict[Grouping, Any]
    currency: Currency
    started: int
    succeeded: int
    failed: int
    expired: int
    cancelled: int
    volume_minor: int

    @property
    def success_rate(self) -> float | None:
        """Of those that have ended; None where none has."""
        ended = self.succeeded + self.failed + self.expired + self.cancelled
        return self.succeeded / ended if ended else None


async def keep_figures(
    session: OwnerSession,
    tenant_id: UUID,
    days: Sequence[date],
    payments: Sequence[DayFigures],
    calls: Sequence[DayCalls],
) -> None:
    """Put the figures of those days in place of what was known of them."""
    for model in (PaymentFigure, CallFigure):
        await session.execute(delete(model).where(model.tenant_id == tenant_id, model.day.in_(days)))
    if payments:
        rows = [{"tenant_id": tenant_id, **asdict(row)} for row in payments]
        await session.execute(insert(PaymentFigure).values(rows))
    if calls:
        await session.execute(
            insert(CallFigure).values([{"tenant_id": tenant_id, **asdict(row)} for row in calls])
        )


async def platform_figures(
    session: OwnerSession, first: date, last: date, by: Sequence[Grouping], tenant_id: UUID | None
) -> list[PlatformFigures]:
    """One entry for each group and currency, both days included.

    Raises:
        InvalidInput: too many days or entries, or nothing to group by.
    """
    groups = _groups(by, first, last)
    table = cast("Table", PaymentFigure.__table__)
    columns = [_column(table, group) for group in groups]
    adding = (
        select(*columns, table.c.currency, *(func.sum(table.c[name]) for name in _COUNTED))
        .where(table.c.day.between(first, last))
        .group_by(*columns, table.c.currency)
        .order_by(*columns, table.c.currency)
        .limit(ROWS_MAX + 1)
    )
    if tenant_id is not None:
        adding = adding.where(table.c.tenant_id == tenant_id)
    rows = (await session.execute(adding)).all()
    _require_few(len(rows))
    split = len(groups)
    return [
        PlatformFigures(
            dict(zip(groups, row, strict=False)), row[split], *(int(value) for value in row[split + 1 :])
        )
        for row in rows
    ]


async def platform_calls(session: OwnerSession, first: date, last: date) -> list[DayCalls]:
    """Calls of all tenants by day and provider, both days included.

    Raises:
        InvalidInput: too many days.
    """
    _groups([Grouping.DAY], first, last)
    found = await session.execute(
        select(CallFigure.day, CallFigure.provider, func.sum(CallFigure.calls), func.sum(CallFigure.errors))
        .where(CallFigure.day.between(first, last))
        .group_by(CallFigure.day, CallFigure.provider)
        .order_by(CallFigure.day, CallFigure.provider)
        .limit(ROWS_MAX)
    )
    return [DayCalls(day, provider, int(calls), int(errors)) for day, provider, calls, errors in found]


_COUNTED: Final = ("started", "succeeded", "failed", "expired", "cancelled", "volume_minor")


def _groups(by: Sequence[Grouping], first: date, last: date) -> list[Grouping]:
    if not by:
        raise InvalidInput("groupBy", "Name at least one thing to group by, such as DAY.")
    if last < first:
        raise InvalidInput("lastDay", "The last day comes no earlier than the first.")
    if last - first >= timedelta(days=DAYS_MAX):
        raise InvalidInput("lastDay", f"Ask for at most {DAYS_MAX} days at once.")
    return list(dict.fromkeys(by))


def _column(table: Table, group: Grouping) -> Column[Any]:
    return table.c["tenant_id" if group is Grouping.TENANT else group.value]


def _require_few(count: int) -> None:
    if count > ROWS_MAX:
        raise InvalidInput("groupBy", f"That are more than {ROWS_MAX} entries: ask for fewer days or groups.")
