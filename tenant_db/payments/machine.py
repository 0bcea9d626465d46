"""The states of a payment, and which may follow which."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import Final


class PaymentStatus(StrEnum):
    """Where one attempt to collect stands."""

    CREATED = "created"
    SUBMITTING = "submitting"
    UNKNOWN = "unknown"
    PENDING = "pending"
    AUTHORIZED = "authorized"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


CREATED: Final = PaymentStatus.CREATED
SUBMITTING: Final = PaymentStatus.SUBMITTING
UNKNOWN: Final = PaymentStatus.UNKNOWN
PENDING: Final = PaymentStatus.PENDING
AUTHORIZED: Final = PaymentStatus.AUTHORIZED
SUCCEEDED: Final = PaymentStatus.SUCCEEDED
FAILED: Final = PaymentStatus.FAILED
EXPIRED: Final = PaymentStatus.EXPIRED
CANCELLED: Final = PaymentStatus.CANCELLED

NEXT: Mapping[PaymentStatus, AbstractSet[PaymentStatus]] = {
    CREATED: {SUBMITTING, FAILED, EXPIRED, CANCELLED},
    SUBMITTING: {CREATED, PENDING, AUTHORIZED, UNKNOWN, SUCCEEDED, FAILED},
    UNKNOWN: {PENDING, AUTHORIZED, SUCCEEDED, FAILED},
    PENDING: {AUTHORIZED, SUCCEEDED, FAILED, EXPIRED, CANCELLED},
    AUTHORIZED: {SUCCEEDED, FAILED, EXPIRED, CANCELLED},
    # Late money is never lost: only the provider's own proof may take these steps.
    **{key: {SUCCEEDED} for key in (FAILED, EXPIRED, CANCELLED)},
    SUCCEEDED: set(),
}

ENDED: Final = frozenset({SUCCEEDED, FAILED, EXPIRED, CANCELLED})
"""What a payer sees as over; only late money leaves three of them."""
