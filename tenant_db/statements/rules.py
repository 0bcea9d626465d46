"""The limits of a statement's import, and the words for its parts. Pure."""

from enum import StrEnum
from typing import Final

from core.errors import InvalidInput

FILE_BYTES_MAX: Final = 16_000_000
"""Unpacked: 50,000 lines of M-Pesa's widest export, and room."""
ROWS_MAX: Final = 60_000
ROWS_AT_ONCE_MAX: Final = 1_000
"""Rows that are imported while the client waits; what is longer becomes a job."""
ERRORS_TOLD_MAX: Final = 100
FILE_NAME_CHARACTERS_MAX: Final = 200
TOLERANCE_MINOR_MAX: Final = 100_000
"""KES 1,000: beyond it, a person should decide."""
TOLERANCE_DAYS_MAX: Final = 14
TOLERANCE_DAYS: Final = 3
"""Unless told otherwise: a settlement comes within three days."""
MATCH_ITEMS_MAX: Final = 500
NOTE_CHARACTERS_MAX: Final = 500


class StatementProvider(StrEnum):
    """Whose statements can be read."""

    MPESA = "mpesa"
    STRIPE = "stripe"


class ImportState(StrEnum):
    """Where an import is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"
    """The file could not be read as a statement; its errors say why."""


class LineKind(StrEnum):
    """What a line is about, in words that every provider's types are mapped to."""

    PAYMENT = "payment"
    REFUND = "refund"
    FEE = "fee"
    PAYOUT = "payout"
    """Money left: a settlement to the bank, a payment to a phone."""
    OTHER = "other"


def require_file_name(value: str) -> str:
    """Raises InvalidInput unless it is 1 to FILE_NAME_CHARACTERS_MAX printable characters."""
    if not value.strip() or len(value) > FILE_NAME_CHARACTERS_MAX or not value.isprintable():
        raise InvalidInput("fileName", f"A file name has 1 to {FILE_NAME_CHARACTERS_MAX} characters.")
    return value.strip()


def require_tolerances(minor: int, days: int) -> None:
    """Raises InvalidInput where a tolerance is negative or wider than a machine should decide."""
    if not 0 <= minor <= TOLERANCE_MINOR_MAX:
        raise InvalidInput("toleranceMinor", f"The tolerance is 0 to {TOLERANCE_MINOR_MAX} minor units.")
    if not 0 <= days <= TOLERANCE_DAYS_MAX:
        raise InvalidInput("toleranceDays", f"The tolerance is 0 to {TOLERANCE_DAYS_MAX} days.")


def required_note(note: str) -> str:
    """What people say about what they decided. Raises InvalidInput where it is empty or too long."""
    if not 1 <= len(note.strip()) <= NOTE_CHARACTERS_MAX:
        raise InvalidInput("note", f"Say why, in 1 to {NOTE_CHARACTERS_MAX} characters.")
    return note.strip()
