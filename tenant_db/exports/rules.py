"""What exports there are, how large they may be, and what their files are called. Pure."""

import re
from datetime import timedelta
from enum import StrEnum
from typing import Final


class ExportKind(StrEnum):
    """What a file tells."""

    STATEMENT = "statement"
    """Opening balance, every entry with the balance it left, closing balance."""
    TRANSACTIONS = "transactions"
    """Every transfer, each once."""
    REPORT = "report"
    """Sales, fees, refunds and what is left, by place and currency."""


class ExportFormat(StrEnum):
    """What programs can read a file."""

    CSV = "csv"
    PDF = "pdf"


ROWS_MAX: Final = {ExportFormat.CSV: 1_000_000, ExportFormat.PDF: 10_000}
"""150 MB of CSV; 250 pages of PDF."""
RUNNING_MAX: Final = 3
"""Exports of one business that wait or are made at the same time."""
REPORT_MAX: Final = timedelta(days=400)
"""What one report adds up."""
KEPT: Final = timedelta(days=7)
"""How long a file can be fetched."""
STUCK_AFTER: Final = timedelta(days=1)
"""An export that is not made by then never will be: its job has given up."""
PART_BYTES: Final = 900_000
"""Of one stored part: a row of some size, and never the whole file in memory."""

MEDIA_TYPES: Final = {ExportFormat.CSV: "text/csv; charset=utf-8", ExportFormat.PDF: "application/pdf"}

_UNSAFE: Final = re.compile(r"[^a-z0-9]+")
_NAME_CHARACTERS_MAX: Final = 60


def file_name(*parts: str, format: ExportFormat) -> str:
    """Join parts to a name that is safe in any header and on any disk: `statement-main-20261101.csv`."""
    words = [_UNSAFE.sub("-", part.lower()).strip("-") for part in parts]
    stem = "-".join(word for word in words if word)[:_NAME_CHARACTERS_MAX].strip("-")
    return f"{stem or 'export'}.{format.value}"


def percent(done: int, total: int) -> int:
    """Progress that says 100 only at the very end: rows read are not yet a file."""
    return 0 if total <= 0 else min(99, 100 * done // total)
