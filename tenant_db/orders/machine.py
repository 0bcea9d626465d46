"""The states of an order, and which may follow which."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import Final


class OrderStatus(StrEnum):
    """Where an order stands."""

    OPEN = "open"
    PAID = "paid"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


OPEN: Final = OrderStatus.OPEN
PAID: Final = OrderStatus.PAID
CANCELLED: Final = OrderStatus.CANCELLED
EXPIRED: Final = OrderStatus.EXPIRED

NEXT: Mapping[OrderStatus, AbstractSet[OrderStatus]] = {
    OPEN: {PAID, CANCELLED, EXPIRED},
    # Late money is never lost. A cancelled order stays so: its money is to go back.
    EXPIRED: {PAID},
    PAID: set(),
    CANCELLED: set(),
}


class OrderRefundStatus(StrEnum):
    """How much of what was paid went back; derived, and no status of the order."""

    NONE = "none"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"
