"""How a dispute stands, and what evidence is. Pure."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final


class DisputeStatus(StrEnum):
    """Where a dispute stands. Each is also a status of `integrations.webhooks`, spelled the same."""

    NEEDS_RESPONSE = "needs_response"
    UNDER_REVIEW = "under_review"
    WON = "won"
    LOST = "lost"


ENDED: Final = frozenset({DisputeStatus.WON, DisputeStatus.LOST})
"""What is told later does not open it again."""

EVIDENCE_CHARACTERS_MAX: Final = 4_000
"""Of each field."""


class DisputeState(StrEnum):
    """How the disputes of one payment stand together."""

    NONE = "none"
    OPEN = "open"
    WON = "won"
    LOST = "lost"


def dispute_state(statuses: Iterable[DisputeStatus]) -> DisputeState:
    """The gravest of a payment's disputes: an open one first, then a lost one."""
    found = set(statuses)
    if found - ENDED:
        return DisputeState.OPEN
    if DisputeStatus.LOST in found:
        return DisputeState.LOST
    return DisputeState.WON if found else DisputeState.NONE
