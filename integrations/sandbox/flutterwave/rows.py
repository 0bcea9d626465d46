"""What Flutterwave's sandbox remembers. Amounts are whole units as text, exact."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from integrations.sandbox.plans import Plan

PENDING: Final = "pending"
SUCCESSFUL: Final = "successful"
FAILED: Final = "failed"
CENT: Final = Decimal("0.01")
FEE: Final = Decimal("0.029")


@dataclass(slots=True)
class Link:
    """A hosted page."""

    id: str
    """The unguessable end of its address."""
    key: str
    tx_ref: str
    amount: str
    currency: str
    options: str
    redirect_url: str
    customer: dict[str, Any]
    meta: dict[str, Any]
    ends_at: str
    """When its session is over, as ISO 8601."""
    plan: dict[str, Any]
    is_active: bool = True
    attempts: int = 0

    @property
    def way(self) -> Plan:
        return Plan(**self.plan)


@dataclass(slots=True)
class Transaction:
    """One attempt of a payer."""

    id: str
    key: str
    tx_ref: str
    amount: str
    currency: str
    payment_type: str
    customer: dict[str, Any]
    meta: dict[str, Any]
    plan: dict[str, Any]
    created_at: str
    status: str = PENDING
    said: str = "Pending validation"
    is_released: bool = False
    """Whether questions are answered truly again."""

    @property
    def way(self) -> Plan:
        return Plan(**self.plan)

    @property
    def fee(self) -> Decimal:
        return (Decimal(self.amount) * FEE).quantize(CENT, ROUND_HALF_UP)

    @property
    def told_status(self) -> str:
        """What questions are answered."""
        return self.status if self.is_released or self.way.query == "normal" else PENDING

    @property
    def is_hidden(self) -> bool:
        """Whether questions don't find it yet."""
        return bool(self.way.details.get("is_hidden")) and not self.is_released


@dataclass(slots=True)
class Refund:
    """Money that is given back, or was to be."""

    id: str
    key: str
    transaction_id: str
    tx_ref: str
    amount: str
    currency: str
    comments: str
    status: str
    created_at: str
    plan: dict[str, Any] = field(default_factory=dict)

    @property
    def way(self) -> Plan:
        return Plan(**self.plan)

    @property
    def has_failed(self) -> bool:
        return self.status in (FAILED, "cancelled") or "disburse_status" in self.way.details


def minor(amount: str, exponent: int) -> int:
    return int(Decimal(amount).scaleb(exponent))


def stamp(now: datetime) -> str:
    """`2026-11-21T02:25:16.000Z`."""
    return f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03}Z"
