"""What a stream of many missed while it was not told: the rows that changed since a moment."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, TypeVar

from sqlalchemy import or_, select
from sqlalchemy.orm import InstrumentedAttribute

from tenancy.columns import Keyed
from tenancy.context import TenantContext
from tenancy.errors import FeedInterrupted

Row = TypeVar("Row", bound=Keyed)

OVERLAP: Final = timedelta(minutes=1)
"""Looked through again before the moment: transactions last up to 20 s, and clocks differ."""
ROWS_MAX: Final = 1_000
"""Rows that one stream makes up for: of what people look at, more is no stream any more."""


async def missed_rows(
    context: TenantContext,
    model: type[Row],
    times: Sequence[InstrumentedAttribute[datetime] | InstrumentedAttribute[datetime | None]],
    since: datetime,
) -> Sequence[Row]:
    """Those with one of these times since then, the oldest first. The caller has checked the scope.

    For tables that stay small: it has no index of the times.

    Raises:
        FeedInterrupted: there are more than ROWS_MAX.
    """
    changed = or_(*(column >= since - OVERLAP for column in times))
    async with context.tenant.reading() as session:
        found = await session.scalars(select(model).where(changed).order_by(model.id).limit(ROWS_MAX + 1))
        rows = found.all()
    if len(rows) > ROWS_MAX:
        raise FeedInterrupted
    return rows
