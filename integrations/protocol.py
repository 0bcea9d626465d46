"""What jobs may ask of an adapter, and what adapters tell."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from core.money import Money
from core.phone import Phone
from integrations.errors import FailureReason


@dataclass(frozen=True, slots=True)
class Prompt:
    """A request to a payer's phone to approve one payment."""

    phone: Phone
    amount: Money
    reference: str
    """Ours, as the payer sees it: at most 12 letters and digits."""
    description: str
    """Shortened by the adapter to what the provider takes."""
    callback_url: str = field(repr=False)
    """Of this prompt alone, with an unguessable part; never logged."""


@dataclass(frozen=True, slots=True)
class PromptAccepted:
    """The provider is asking the payer. This is never a payment."""

    provider_reference: str
    """What to ask about later. M-Pesa: CheckoutRequestID."""
    request_reference: str
    """M-Pesa: MerchantRequestID."""
    message: str


@dataclass(frozen=True, slots=True)
class Paid:
    """The provider says the payer paid."""

    amount: Money | None = None
    """None where it does not say: a query."""
    receipt: str | None = None
    """None where it does not say: a query."""


@dataclass(frozen=True, slots=True)
class NotPaid:
    """The provider says it came to nothing."""

    reason: FailureReason
    code: str
    """The provider's own."""
    message: str
    is_sure: bool = True
    """False where the provider's sheet wants one confirming query before it counts."""


@dataclass(frozen=True, slots=True)
class StillPending:
    """The provider has not decided, or would not say: ask again later."""


Told = Paid | NotPaid
Answer = Paid | NotPaid | StillPending


class Collector(Protocol):
    """Collects money from payers for one tenant's short code or account."""

    async def prompt(self, prompt: Prompt) -> PromptAccepted:
        """Ask the payer to approve a payment.

        Raises:
            ProviderUnavailable: nothing was sent; safe to send again.
            ProviderRejected: final for this attempt.
            OutcomeUnknown: it may have been sent; ask, never send again.
        """
        ...

    async def query(self, provider_reference: str) -> Answer:
        """Ask what became of a prompt; changes nothing, so asking again is always safe.

        Raises:
            ProviderUnavailable: no answer, which says nothing about the payment.
        """
        ...

    async def prove_keys(self) -> None:
        """Prove that the credentials belong together and to this short code, without moving money.

        Raises:
            ProviderUnavailable: no answer; try again later.
            ProviderRejected: the credentials are refused; its message says which to correct.
        """
        ...


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
