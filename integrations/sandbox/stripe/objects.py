"""Stripe's objects: what is kept of each, and how each is written."""

import secrets
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from core.currency import Currency
from integrations.sandbox.plans import Plan

HUNDREDTHS_IN_NAME: Final = ("ugx", "isk")
"""Counted in hundredths that don't exist: every amount ends in 00."""
ENDED: Final = ("succeeded", "canceled")
CANCELABLE: Final = (
    *("requires_payment_method", "requires_capture", "requires_confirmation", "requires_action"),
)


@dataclass(slots=True)
class PaymentIntent:
    """One PaymentIntent."""

    id: str
    key: str
    amount: int
    currency: str
    created: int
    metadata: dict[str, str]
    capture_method: str
    plan: dict[str, Any]
    """A Plan as a dict: what becomes of it."""
    allows_redirects: bool = True
    description: str | None = None
    receipt_email: str | None = None
    request: dict[str, Any] = field(default_factory=dict)
    """Id and idempotency key of the last request that changed it."""
    status: str = "requires_payment_method"
    amount_received: int = 0
    amount_capturable: int = 0
    payment_method: str | None = None
    return_url: str | None = None
    base_url: str = ""
    """Where the caller found this sandbox: the bank's page is there too."""
    next_action: dict[str, Any] | None = None
    last_payment_error: dict[str, Any] | None = None
    latest_charge: str | None = None
    cancellation_reason: str | None = None
    canceled_at: int | None = None
    has_acted: bool = False
    """Whether the payer has done all that was planned."""
    is_released: bool = False
    is_of_other_mode: bool = False
    """Whether it says of itself the opposite of what its key says."""

    @property
    def way(self) -> Plan:
        return Plan(**self.plan)

    @property
    def is_live(self) -> bool:
        return is_live_key(self.key) != self.is_of_other_mode

    @property
    def client_secret(self) -> str:
        return f"{self.id}_secret_{self.id[-12:]}"

    @property
    def fee(self) -> int:
        """2.9 % and 30 of the unit, where there is such a unit."""
        fee = self.amount_received * 29 // 1_000 + 30
        return fee - fee % 100 if self.currency in HUNDREDTHS_IN_NAME else fee

    def as_json(self, expand: AbstractSet[str] = frozenset()) -> dict[str, Any]:
        charge: Any = self.latest_charge
        if charge is not None and expand & {"latest_charge", "latest_charge.balance_transaction"}:
            charge = self.charge_json(with_fee="latest_charge.balance_transaction" in expand)
        return {
            "id": self.id,
            "object": "payment_intent",
            "amount": self.amount,
            "amount_capturable": self.amount_capturable,
            "amount_received": self.amount_received,
            "automatic_payment_methods": {
                "allow_redirects": "always" if self.allows_redirects else "never",
                "enabled": True,
            },
            "canceled_at": self.canceled_at,
            "cancellation_reason": self.cancellation_reason,
            "capture_method": self.capture_method,
            "client_secret": self.client_secret,
            "confirmation_method": "automatic",
            "created": self.created,
            "currency": self.currency,
            "customer": None,
            "description": self.description,
            "last_payment_error": self.last_payment_error,
            "latest_charge": charge,
            "livemode": self.is_live,
            "metadata": self.metadata,
            "next_action": self.next_action,
            "payment_method": self.payment_method,
            "payment_method_types": ["card"],
            "processing": None,
            "receipt_email": self.receipt_email,
            "status": self.status,
        }

    def pending_json(self) -> dict[str, Any]:
        """As while nobody has decided, whatever has happened."""
        told = self.as_json()
        unknown = dict.fromkeys(("latest_charge", "next_action", "last_payment_error"))
        return {**told, **unknown, "status": "processing", "amount_received": 0, "amount_capturable": 0}

    def charge_json(self, *, with_fee: bool = False, refunded: int = 0) -> dict[str, Any]:
        transaction = f"txn_{(self.latest_charge or '')[3:]}"
        return {
            "id": self.latest_charge,
            "object": "charge",
            "amount": self.amount,
            "amount_captured": self.amount_received,
            "amount_refunded": refunded,
            "balance_transaction": self.fee_json(transaction) if with_fee else transaction,
            "captured": self.amount_received > 0,
            "created": self.created,
            "currency": self.currency,
            "livemode": self.is_live,
            "metadata": self.metadata,
            "paid": True,
            "payment_intent": self.id,
            "refunded": refunded >= self.amount_received > 0,
            "status": "succeeded",
        }

    def fee_json(self, transaction: str) -> dict[str, Any] | None:
        if not self.amount_received:
            return None
        return {
            "id": transaction,
            "object": "balance_transaction",
            "amount": self.amount_received,
            "available_on": self.created,
            "created": self.created,
            "currency": self.currency,
            "fee": self.fee,
            "net": self.amount_received - self.fee,
            "reporting_category": "charge",
            "source": self.latest_charge,
            "status": "available",
            "type": "charge",
        }


@dataclass(slots=True)
class Refund:
    """One refund."""

    id: str
    key: str
    payment_intent: str
    charge: str
    amount: int
    currency: str
    created: int
    metadata: dict[str, str]
    plan: dict[str, Any]
    status: str
    reason: str | None = None
    pending_reason: str | None = None
    failure_reason: str | None = None
    steps: list[str] = field(default_factory=list)
    """Statuses that are still to come."""

    @property
    def way(self) -> Plan:
        return Plan(**self.plan)

    @property
    def is_given(self) -> bool:
        """Whether it takes from what may still be refunded."""
        return self.status not in ("failed", "canceled")

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "refund",
            "amount": self.amount,
            "balance_transaction": f"txn_{self.id[3:]}",
            "charge": self.charge,
            "created": self.created,
            "currency": self.currency,
            "failure_reason": self.failure_reason,
            "metadata": self.metadata,
            "payment_intent": self.payment_intent,
            "pending_reason": self.pending_reason if self.status == "pending" else None,
            "reason": self.reason,
            "status": self.status,
        }


@dataclass(slots=True)
class Dispute:
    """One dispute; only a control opens it."""

    id: str
    key: str
    payment_intent: str
    charge: str
    amount: int
    currency: str
    created: int
    reason: str
    status: str
    due_by: int
    is_live: bool = False
    fee: int = 0
    """What Stripe charges for it, in its currency."""
    moved: list[str] = field(default_factory=list)
    """Steps that moved money."""

    def move(self, step: str) -> None:
        """Take or give the money at a step that does, once."""
        if step.startswith("funds_") and step not in self.moved:
            self.moved.append(step)

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "dispute",
            "amount": self.amount,
            "balance_transactions": [self._movement(step) for step in self.moved],
            "charge": self.charge,
            "created": self.created,
            "currency": self.currency,
            "evidence_details": {"due_by": self.due_by, "has_evidence": False, "submission_count": 0},
            "livemode": self.is_live,
            "metadata": {},
            "payment_intent": self.payment_intent,
            "reason": self.reason,
            "status": self.status,
        }

    def _movement(self, step: str) -> dict[str, Any]:
        sign = -1 if step == "funds_withdrawn" else 1
        amount, fee = sign * self.amount, -sign * self.fee
        return {
            "id": f"txn_{self.id[3:]}_{step}",
            "object": "balance_transaction",
            "amount": amount,
            "currency": self.currency,
            "fee": fee,
            "net": amount - fee,
            "reporting_category": "dispute" if sign < 0 else "dispute_reversal",
            "source": self.id,
            "type": "adjustment",
        }


def new_id(kind: str) -> str:
    """Such as `pi_3Q…`."""
    return f"{kind}_3Q{secrets.token_hex(11)}"


def seconds(now: datetime) -> int:
    return int(now.timestamp())


def is_live_key(key: str) -> bool:
    return key.split("_")[1:2] == ["live"]


def minor_of(amount: int, currency: str) -> int:
    """In the minor unit of `core.currency`."""
    known = Currency(currency.upper())
    return amount // 100 if currency in HUNDREDTHS_IN_NAME and known.exponent == 0 else amount
