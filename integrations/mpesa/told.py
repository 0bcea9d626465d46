"""What M-Pesa tells us without being asked."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from core.money import Money
from integrations.protocol import NotPaid, Told


@dataclass(frozen=True, slots=True)
class StkResult:
    """What became of one M-Pesa prompt. Nothing signs it: the URL it came to must fit as well."""

    provider_reference: str
    request_reference: str
    answer: Told
    phone_masked: str | None
    occurred_at: datetime | None
    """None for a failure, which carries no time."""

    @property
    def external_id(self) -> str:
        """The same for a repeat of the same verdict, another for one that contradicts it."""
        if isinstance(self.answer, NotPaid):
            return f"{self.provider_reference}:{self.answer.code}"
        amount = self.answer.amount
        minor = "" if amount is None else str(amount.minor)
        return f"{self.provider_reference}:0:{self.answer.receipt or ''}:{minor}"


@dataclass(frozen=True, slots=True)
class C2BPayment:
    """What M-Pesa tells about money paid to a short code, by hand or after a prompt."""

    receipt: str
    amount: Money
    reference: str
    """What the payer typed, trimmed; empty for a till."""
    short_code: str
    """For a till it may be the till or its store number."""
    phone_masked: str
    """Masked, or a SHA-256 in hex from older apps; empty if not told. Never a key."""
    occurred_at: datetime | None
    """None where the time can't be read."""
    kind: Literal["paybill", "till"]

    @property
    def external_id(self) -> str:
        return self.receipt


@dataclass(frozen=True, slots=True)
class C2BConfirmation(C2BPayment):
    """The money has moved."""


@dataclass(frozen=True, slots=True)
class C2BValidation(C2BPayment):
    """The money waits for our word; nothing may be booked."""
