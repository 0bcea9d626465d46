"""How values are written into files: exact amounts, instants, and CSV that runs nothing. Pure."""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet would run, if a cell began with it."""


def amount_text(minor: int, exponent: int) -> str:
    """An exact amount in whole units, with all `exponent` decimal places of its currency: `-12.50`."""
    if exponent == 0:
        return str(minor)
    if minor < 0:
        return "-" + amount_text(-minor, exponent)
    digits = str(minor).zfill(exponent + 1)
    return f"{digits[:-exponent]}.{digits[-exponent:]}"


def instant_text(at: datetime) -> str:
    """In UTC, ISO 8601."""
    return f"{at.isoformat()[:-6]}Z"


def guarded(text: str) -> str:
    """Text of people, which a spreadsheet will show and never run.

    Source: OWASP, "CSV Injection".
    """
    return f"'{text}" if text.startswith(_FORMULA) else text


def csv_bytes(rows: Iterable[Sequence[str]]) -> bytes:
    """Lines of CSV (RFC 4180) in UTF-8."""
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerows(rows)
    return written.getvalue().encode()
