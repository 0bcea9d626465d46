"""The states of an export, and which may follow which."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import Final


class ExportStatus(StrEnum):
    """Where the making of a file stands."""

    QUEUED = "queued"
    RUNNING = "running"
    READY = "ready"
    FAILED = "failed"
    EXPIRED = "expired"


QUEUED: Final = ExportStatus.QUEUED
RUNNING: Final = ExportStatus.RUNNING
READY: Final = ExportStatus.READY
FAILED: Final = ExportStatus.FAILED
EXPIRED: Final = ExportStatus.EXPIRED

NEXT: Mapping[ExportStatus, AbstractSet[ExportStatus]] = {
    QUEUED: {RUNNING, FAILED},
    RUNNING: {READY, FAILED},
    READY: {EXPIRED},
    FAILED: set(),
    EXPIRED: set(),
}

OPEN: Final = frozenset({QUEUED, RUNNING})
"""A job is to come, or works on it."""


def require_step(status: str, next_status: ExportStatus) -> None:
    """Raises ValueError where no export may go this way: only a bug asks for it."""
    if next_status not in NEXT[ExportStatus(status)]:
        raise ValueError(f"an export that is {status} never becomes {next_status}")
