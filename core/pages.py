"""Keyset pages: a cursor names the last row seen and the database it was seen in."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar
from uuid import UUID

from core.errors import InvalidInput

PAGE_ROWS_MAX = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CURSOR_BYTES = 40

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Cursor:
    """The place after one row, in order of (created_at, id)."""

    created_at: datetime
    id: UUID

    def sealed(self, scope: UUID) -> str:
        """Write it for clients; only the database `scope` (a tenant's id) reads it back."""
        micros = (self.created_at - _EPOCH) // timedelta(microseconds=1)
        return base64.urlsafe_b64encode(scope.bytes + micros.to_bytes(8) + self.id.bytes).decode().rstrip("=")

    @classmethod
    def read(cls, text: str, scope: UUID) -> "Cursor":
        """Read a client's cursor.

        Raises:
            InvalidInput: it is no cursor, or one of another tenant.
        """
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise InvalidInput("after", "This is no cursor. Take it from pageInfo.endCursor.") from error
        if len(raw) != _CURSOR_BYTES or raw[:16] != scope.bytes:
            raise InvalidInput("after", "This is no cursor of this list. Take it from pageInfo.endCursor.")
        micros = int.from_bytes(raw[16:24])
        try:
            return cls(_EPOCH + timedelta(microseconds=micros), UUID(bytes=raw[24:]))
        except OverflowError as error:
            raise InvalidInput("after", "This is no cursor. Take it from pageInfo.endCursor.") from error


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The first `first` rows after a cursor, newest first."""

    first: int
    after: Cursor | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.first <= PAGE_ROWS_MAX:
            raise InvalidInput("first", f"Ask for 1 to {PAGE_ROWS_MAX} rows at a time.")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Rows in order, and whether there are more behind them."""

    rows: Sequence[Row]
    has_next: bool
    place: Cursor | None = None
    """Where the next page begins, if not after the last row: a search stopped there, with too few rows."""
