"""What the Paystack sandbox keeps."""

import secrets
from dataclasses import dataclass, field
from typing import Any

from integrations.sandbox.accounts import Account
from integrations.sandbox.plans import Plan


@dataclass(slots=True)
class Transaction:
    """One reference of one account."""

    id: str
    """Business and reference: references are unique in a business only."""
    key: str
    """The business's present secret key."""
    business: str
    number: int
    """Paystack's id; of more digits than a float can hold."""
    reference: str
    email: str
    amount: int
    """Subunits."""
    currency: str
    channel: str
    created_at: str
    plan: dict[str, Any]
    is_page: bool
    metadata: Any = None
    callback_url: str = ""
    access_code: str = ""
    page_url: str = ""
    wallet: dict[str, str] = field(default_factory=dict)
    """Whom a charge asks: `phone`, `provider`, `account`."""
    steps: list[str] = field(default_factory=list)
    """What the payer still has to do, such as `send_otp`."""
    status: str = "pending"
    gateway_response: str = ""
    paid_at: str | None = None
    has_acted: bool = False
    is_released: bool = False
    refunded: int = 0
    """Subunits of refunds that have not failed."""

    @property
    def way(self) -> Plan:
        return Plan(**self.plan)

    @property
    def payment_id(self) -> str | None:
        found = self.metadata.get("payment_id") if isinstance(self.metadata, dict) else None
        return found if isinstance(found, str) else None

    @property
    def domain(self) -> str:
        return domain_of(self.key)

    @property
    def fees(self) -> int:
        """1.5 % [ASSUMED]; rounded up."""
        return -(-self.amount * 15 // 1_000)


@dataclass(slots=True)
class Refund:
    """One refund."""

    id: str
    """A number, as text."""
    key: str
    transaction_id: str
    """Of the row, not the number."""
    amount: int
    currency: str
    created_at: str
    plan: dict[str, Any]
    merchant_note: str = ""
    customer_note: str = ""
    status: str = "pending"
    refund_reference: str | None = None
    has_ended: bool = False

    @property
    def way(self) -> Plan:
        return Plan(**self.plan)


@dataclass(slots=True)
class Dispute:
    """One dispute."""

    id: str
    key: str
    transaction_id: str
    amount: int
    currency: str
    category: str
    created_at: str
    due_at: str
    status: str = "awaiting-merchant-feedback"
    resolution: str | None = None


def business_of(account: Account) -> str:
    """Whose transactions a key shows: a key that was replaced leaves them to its successor."""
    return account.details.get("business", account.id)


def domain_of(key: str) -> str:
    """`live` or `test`, as the key says."""
    return "live" if key.startswith("sk_live_") else "test"


def new_number() -> int:
    """Between 2^53 and 2^62: a reader with floats gets it wrong."""
    return 2**53 + secrets.randbelow(2**62 - 2**53)
