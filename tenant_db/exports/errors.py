"""Refusals about exports.

DomainError
├── TooManyExports   others are still being made
├── ExportTooLarge   it would have more rows than its format takes
└── ExportNotReady   there is no file to fetch: not yet, or not any more
"""

from core.errors import DomainError
from tenant_db.exports.machine import ExportStatus


class TooManyExports(DomainError):
    """So many exports are still being made that another one has to wait."""

    code = "TOO_MANY_EXPORTS"

    def __init__(self, running_max: int) -> None:
        super().__init__(
            f"{running_max} exports are still being made. Wait for one of them, or ask for less at a time."
        )
        self.running_max = running_max


class ExportTooLarge(DomainError):
    """The export would have more rows than its format takes."""

    code = "EXPORT_TOO_LARGE"

    def __init__(self, format: str, rows_max: int) -> None:
        other = " or take CSV" if format == "pdf" else ""
        super().__init__(
            f"A {format.upper()} export has at most {rows_max} rows. Ask for a shorter period{other}."
        )
        self.rows_max = rows_max


class ExportNotReady(DomainError):
    """There is no file to fetch: it is still being made, it failed, or its time is over."""

    code = "EXPORT_NOT_READY"

    def __init__(self, status: str) -> None:
        super().__init__(f"There is no file to fetch: this export is {status}.")
        self.status = ExportStatus(status)
