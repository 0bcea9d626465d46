"""Periods: from an instant up to another, and the instants at which local days begin."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from core.errors import InvalidInput

FIRST: Final = datetime(2000, 1, 1, tzinfo=UTC)
LAST: Final = datetime(2200, 1, 1, tzinfo=UTC)
"""Beyond these no zone's calendar and no database has to be asked."""


@dataclass(frozen=True, slots=True)
class Period:
    """From `since`, which belongs to it, up to `before`, which does not.

    Raises:
        InvalidInput: it ends before it has begun, or lies outside of this age.
    """

    since: datetime
    before: datetime

    def __post_init__(self) -> None:
        for name, at in (("since", self.since), ("before", self.before)):
            if not FIRST <= at <= LAST:
                raise InvalidInput(name, "Send an instant between the years 2000 and 2200.")
        if self.before <= self.since:
            raise InvalidInput("before", "A period ends after it has begun.")

    @classmethod
    def of_days(cls, first: date, last: date, zone: ZoneInfo) -> "Period":
        """Whole days of a zone, the last one included.

        Raises:
            InvalidInput: as for a period.
        """
        for name, day in (("firstDay", first), ("lastDay", last)):
            if not FIRST.date() < day < LAST.date() - timedelta(days=1):
                raise InvalidInput(name, "Send a day between the years 2000 and 2200.")
        if last < first:
            raise InvalidInput("lastDay", "The last day comes no earlier than the first.")
        return cls(day_begins(first, zone), day_begins(last + timedelta(days=1), zone))

    def until(self, now: datetime) -> "Period":
        """What of it has passed at `now`. A period that is still to come is left as it is."""
        return self if now >= self.before or now <= self.since else Period(self.since, now)


def day_begins(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a local day, in UTC. Where midnight is skipped, it is what comes next."""
    return datetime.combine(day, time(), zone).astimezone(UTC)
