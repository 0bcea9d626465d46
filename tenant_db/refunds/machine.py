"""The states of a refund, and which may follow which."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import Final


class RefundStatus(StrEnum):
    """Where one refund stands."""

    REQUESTED = "requested"
    SUBMITTING = "submitting"
    UNKNOWN = "unknown"
    PENDING = "pending"
    NEEDS_ATTENTION = "needs_attention"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REVERSED = "reversed"


REQUESTED: Final = RefundStatus.REQUESTED
SUBMITTING: Final = RefundStatus.SUBMITTING
UNKNOWN: Final = RefundStatus.UNKNOWN
PENDING: Final = RefundStatus.PENDING
NEEDS_ATTENTION: Final = RefundStatus.NEEDS_ATTENTION
SUCCEEDED: Final = RefundStatus.SUCCEEDED
FAILED: Final = RefundStatus.FAILED
REVERSED: Final = RefundStatus.REVERSED

NEXT: Final[Mapping[RefundStatus, AbstractSet[RefundStatus]]] = {
    REQUESTED: {SUBMITTING, FAILED},
    # Back to `requested` only where surely nothing was sent.
    SUBMITTING: {REQUESTED, UNKNOWN, PENDING, NEEDS_ATTENTION, SUCCEEDED, FAILED},
    UNKNOWN: {REQUESTED, PENDING, NEEDS_ATTENTION, SUCCEEDED, FAILED},
    # To `unknown` where the request turns out to repeat an earlier one, which is the one that counts.
    PENDING: {UNKNOWN, NEEDS_ATTENTION, SUCCEEDED, FAILED},
    NEEDS_ATTENTION: {PENDING, SUCCEEDED, FAILED},
    # The money came back: the provider could not deliver it after all.
    SUCCEEDED: {REVERSED},
    # Only on the provider's own word: it did give the money back.
    FAILED: {SUCCEEDED},
    REVERSED: set(),
}

UNDER_WAY: Final = frozenset({REQUESTED, SUBMITTING, UNKNOWN, PENDING, NEEDS_ATTENTION})
"""Its money is set aside, and nobody else may have it."""
COUNTED: Final = UNDER_WAY | {SUCCEEDED}
"""What is left to refund of a payment is its amount less these."""
