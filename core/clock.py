"""Time as a value that is passed in."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Gives the present instant, in UTC."""


def utc_now() -> datetime:
    return datetime.now(UTC)
