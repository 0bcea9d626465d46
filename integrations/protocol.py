"""What jobs ask of an adapter, and what adapters tell.

An adapter speaks to one provider for one account of one tenant. It knows the provider's sheet:
units, idempotency, what proves a payment. It knows nothing of our books.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from core.collecting import CaptureMode, Method, NextAction
from core.money import Money
from core.phone import Phone
from integrations.errors import FailureReason, ProviderRejected


@dataclass(frozen=True, slots=True)
class Intent:
    """One attempt to collect, as it is handed to a provider."""

    payment_id: str
    """Ours, `pay_…`: goes into metadata."""
    tenant: str
    """The tenant's TypeID: goes into metadata, and is checked when it comes back."""
    attempt_key: str
    """Unique for ever, letters, digits and `-` only, at most 40 characters: idempotency key and reference."""
    amount: Money
    reference: str
    """Ours, as the payer sees it: at most 12 letters and digits."""
    description: str
    """Shortened by the adapter to what the provider takes."""
    method: Method = Method.MOBILE_MONEY
    capture: CaptureMode = CaptureMode.AUTOMATIC
    phone: Phone | None = None
    email: str | None = None
    payer_name: str | None = None
    callback_url: str = field(default="", repr=False)
    """Of this attempt alone, with an unguessable part; never logged. M-Pesa only."""
    return_url: str | None = None
    """Where a payer who was sent away comes back to. Coming back proves nothing."""
    sent_at: datetime | None = None
    """When this attempt was last sent; None while it never was, or where nobody knows. A provider that
    may take a while to know a new reference is not believed earlier when it says it knows none."""


@dataclass(frozen=True, slots=True)
class Question:
    """A payment to ask about, with what the answer must fit."""

    provider_reference: str
    """M-Pesa: CheckoutRequestID. Stripe: `pi_…`. Paystack: reference. Flutterwave: tx_ref."""
    amount: Money
    payment_id: str
    tenant: str
    request_reference: str | None = None
    """A second id of the provider. M-Pesa: MerchantRequestID. Flutterwave: the transaction's id."""


@dataclass(frozen=True, slots=True)
class Paid:
    """The provider says the payer paid, and everything it says fits the question."""

    amount: Money | None = None
    """None where it does not say: an M-Pesa query."""
    receipt: str | None = None
    """The provider's name of the money, unique in the account: M-Pesa receipt, `ch_…`, transaction id."""
    fee: Money | None = None
    """What the provider keeps, where it says."""
    excess: Money | None = None
    """Paid above the question's amount, which alone is credited: to be given back."""


@dataclass(frozen=True, slots=True)
class Authorized:
    """The money is reserved and waits to be captured."""

    amount: Money


@dataclass(frozen=True, slots=True)
class NotPaid:
    """The provider says it came to nothing, for good."""

    reason: FailureReason
    code: str
    """The provider's own."""
    message: str
    is_sure: bool = True
    """False where the provider's sheet wants one confirming query before it counts."""


@dataclass(frozen=True, slots=True)
class StillPending:
    """The provider has not decided, or would not say: ask again later."""

    next_action: NextAction | None = None
    failed_attempt: NotPaid | None = None
    """The payer tried and was declined, and may try again: the payment stays open."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Something is paid, but amount, currency, mode, reference or tenant differ: nothing may be credited."""

    why: str


Told = Paid | NotPaid
Answer = Paid | Authorized | NotPaid | StillPending | Mismatch


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took the attempt. Only `answer` says whether it is paid."""

    provider_reference: str
    """What to ask about later."""
    request_reference: str | None = None
    answer: Answer = field(default_factory=StillPending)


@dataclass(frozen=True, slots=True)
class Absent:
    """The provider surely never got it."""


@dataclass(frozen=True, slots=True)
class PayerStep:
    """What the payer gave us for the provider, answering a NextAction; never stored or logged."""

    values: Mapping[str, str] = field(repr=False)
    """By name: `otp`, `pin`, `phone`, `birthday`, `address`, `payment_method`.

    Stripe also wants the payment's own `return_url`, where it has one.
    """


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """Money to be given back."""

    refund_id: str
    """Ours, `rfd_…`: idempotency key, and the note that comes back."""
    payment: Question
    amount: Money
    receipt: str | None
    """The payment's. M-Pesa reverses a receipt."""
    reason: str
    result_url: str = field(default="", repr=False)
    """Of this refund alone, for providers that answer later. M-Pesa only."""
    sent_at: datetime | None = None
    """When it was last sent; None where nobody knows. Its id may be a day older. A provider that takes
    refunds without a key of ours is not believed earlier when it says it has none."""


@dataclass(frozen=True, slots=True)
class Refunded:
    """The money is on its way back, for good as far as the provider says."""

    provider_reference: str
    amount: Money


@dataclass(frozen=True, slots=True)
class RefundPending:
    """Taken, not decided."""

    provider_reference: str | None
    """None where the provider gives no id yet; to a question, where it does not know it, or not yet."""
    needs_attention: str | None = None
    """What a person must do at the provider."""


@dataclass(frozen=True, slots=True)
class RefundFailed:
    """The money stays with, or came back to, the business."""

    code: str
    message: str
    provider_reference: str | None = None


RefundAnswer = Refunded | RefundPending | RefundFailed


@dataclass(frozen=True, slots=True)
class ListedRefund:
    """One refund of a payment as the provider lists it, ours or made there by somebody else."""

    provider_reference: str
    refund_id: str | None
    """Ours, if it carries it."""
    amount: Money
    answer: RefundAnswer


@dataclass(frozen=True, slots=True)
class KeyProof:
    """What a real call with a tenant's keys showed."""

    summary: str
    """One sentence for the tenant."""
    warnings: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ListedPayment:
    """One payment of the provider's own list."""

    provider_reference: str
    payment_id: str | None
    """Ours, if it carries it."""
    attempt_key: str | None
    answer: Answer
    created_at: datetime


class Adapter:
    """Speaks to one provider for one account; what a provider has not is refused here.

    Every call raises `ProviderUnavailable` (surely not acted on: try again), `ProviderRejected` (final)
    or `OutcomeUnknown` (ask, never send again), and nothing else. Questions raise the first two only.
    """

    async def create_payment(self, intent: Intent) -> Accepted:
        """Start to collect; sent again with the same intent it must not collect twice."""
        raise _not_supported("collect")

    async def recover_payment(self, intent: Intent) -> Accepted | Absent | StillPending:
        """Ask what became of a creation whose answer was lost; safe to repeat, never charges twice.

        StillPending says that it is too early to tell.
        """
        raise _not_supported("be asked about a lost answer")

    async def query_payment(self, question: Question) -> Answer:
        """Ask what became of a payment; changes nothing."""
        raise _not_supported("be asked")

    async def confirm_payment(self, question: Question, step: PayerStep) -> Accepted:
        """Hand on what the payer entered."""
        raise _not_supported("take a step of the payer")

    async def capture_payment(self, question: Question, amount: Money, key: str) -> Answer:
        """Take authorised money, all or a part; `key` makes it safe to repeat."""
        raise _not_supported("capture")

    async def cancel_payment(self, question: Question, key: str) -> Answer:
        """Give up an open or authorised payment. It may answer that it was paid meanwhile."""
        raise _not_supported("cancel")

    async def refund_payment(self, refund: RefundRequest) -> RefundAnswer:
        """Give money back. Where the provider has no idempotency key, a lost answer is OutcomeUnknown."""
        raise _not_supported("refund")

    async def query_refund(
        self, refund: RefundRequest, provider_reference: str | None
    ) -> RefundAnswer | Absent:
        """Ask about a refund; with no reference, look for ours among the payment's refunds."""
        raise _not_supported("be asked about refunds")

    async def list_refunds(self, payment: Question, receipt: str | None) -> Sequence[ListedRefund]:
        """Every refund that the provider has of one payment, whoever asked for it."""
        raise _not_supported("list refunds")

    def list_payments(self, since: datetime, until: datetime) -> AsyncIterator[ListedPayment]:
        """What the provider has of this account between two instants, for the nightly sweep."""
        raise _not_supported("list its payments")

    async def prove_keys(self) -> KeyProof:
        """Prove by a real call that the credentials belong together, without moving money.

        Raises:
            ProviderUnavailable: no answer; try again later.
            ProviderRejected: the credentials are refused; its message says which to correct.
        """
        raise _not_supported("prove keys")


def _not_supported(what: str) -> ProviderRejected:
    return ProviderRejected("not_supported", f"This provider can't {what}.", FailureReason.CONFIGURATION)
