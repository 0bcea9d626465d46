"""Judges what Paystack tells of a transaction. The outer `status: true` never means paid.

Source: Paystack, section 3.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from core.money import Money
from integrations.errors import BadMessage
from integrations.paystack.codes import code_of, reason_of, text_of_reason
from integrations.paystack.reading import instant_of, metadata_of, text_of, whole_of
from integrations.paystack.units import from_subunits, to_subunits
from integrations.protocol import Answer, Mismatch, NotPaid, Paid, Question, StillPending
from integrations.redaction import redact_text
from integrations.wire_json import Json

PAID: Final = "success"
FAILED: Final = "failed"
REVERSED: Final = "reversed"
ABANDONED: Final = "abandoned"
"""What every page is that nobody has paid yet: it waits, as all statuses but the three above."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """One transaction as told, not yet judged."""

    id: str
    """Of 64 bits: a text for us."""
    reference: str
    status: str
    domain: str
    """`test` or `live`."""
    currency: str
    charged: int | None
    """Subunits the payer paid; more than was asked for where fees are passed on. None: unreadable."""
    requested: int | None
    """Subunits we asked for."""
    fees: int | None
    gateway_response: str
    metadata: Mapping[str, Json] = field(repr=False)
    created_at: datetime | None

    @classmethod
    def of(cls, data: Mapping[str, Json]) -> "Transaction":
        """Read the `data` of a verification, or one entry of a list.

        Raises:
            BadMessage: id, reference or status is missing.
        """
        id_, reference = text_of(data.get("id")), text_of(data.get("reference"))
        status = text_of(data.get("status"))
        if not id_ or not reference or not status:
            raise BadMessage("A transaction has an id, a reference and a status.")
        asked = data.get("requested_amount")
        charged = whole_of(data.get("amount"))
        return cls(
            id=id_,
            reference=reference,
            status=status.lower(),
            domain=text_of(data.get("domain")),
            currency=text_of(data.get("currency")),
            charged=charged,
            requested=charged if asked is None else whole_of(asked),
            fees=whole_of(data.get("fees")),
            gateway_response=text_of(data.get("gateway_response")) or text_of(data.get("message")),
            metadata=metadata_of(data.get("metadata")),
            # Both spellings occur.
            created_at=instant_of(data.get("created_at")) or instant_of(data.get("createdAt")),
        )

    @property
    def payment_id(self) -> str | None:
        return text_of(self.metadata.get("payment_id")) or None


def judge(transaction: Transaction, question: Question, mode: str) -> Answer:
    """What it says about the payment that was asked about; `mode` is `test` or `live`.

    Raises:
        BadMessage: it is about something else, and nothing is paid.
    """
    if transaction.status == PAID:
        why = next(_differences(transaction, question, mode), None)
        return _paid(transaction, question.amount) if why is None else Mismatch(why)
    if transaction.reference != question.provider_reference:
        raise BadMessage("An answer about another reference.")
    if transaction.status == REVERSED:
        return Mismatch("It was paid, and the money went back: refunded at Paystack, or charged back.")
    return judge_open(transaction)


def judge_listed(transaction: Transaction, mode: str) -> Answer:
    """What one entry of a list says; nobody knows here what was asked for."""
    if transaction.status == REVERSED:
        return Mismatch("It was paid, and the money went back: refunded at Paystack, or charged back.")
    if transaction.status != PAID:
        return judge_open(transaction)
    if transaction.domain != mode:
        return Mismatch(f"It is a {transaction.domain or 'nameless'} transaction, and the key is {mode}.")
    requested = transaction.requested
    asked = None if requested is None else from_subunits(requested, transaction.currency)
    if requested is None or asked is None or (transaction.charged or 0) < requested:
        return Mismatch("Its amount or currency can't be read.")
    return _paid(transaction, asked)


def judge_open(transaction: Transaction) -> NotPaid | StillPending:
    """What a status says that is neither `success` nor `reversed`."""
    return failure(transaction.gateway_response) if transaction.status == FAILED else StillPending()


def failure(gateway_response: str) -> NotPaid:
    """A final "not paid", in our words."""
    reason = reason_of(gateway_response)
    return NotPaid(reason, code_of(redact_text(gateway_response)) or FAILED, text_of_reason(reason))


def _differences(transaction: Transaction, question: Question, mode: str) -> Iterator[str]:
    expected = to_subunits(question.amount)
    tenant = text_of(transaction.metadata.get("tenant"))
    if transaction.reference != question.provider_reference:
        yield "The reference is another payment's."
    if transaction.domain != mode:
        yield f"It is a {transaction.domain or 'nameless'} transaction, and the key is {mode}."
    if transaction.currency != question.amount.currency.value:
        yield f"Paid in {transaction.currency or 'no currency'}, expected {question.amount.currency}."
    if transaction.requested != expected:
        yield f"Asked for {transaction.requested} subunits, expected {expected}."
    if transaction.charged is None or transaction.charged < expected:
        yield f"Paid {transaction.charged} subunits, expected {expected}."
    if transaction.payment_id not in (None, question.payment_id):
        yield "It carries the id of another payment."
    if tenant and tenant != question.tenant:
        yield "It carries another tenant."


def _paid(transaction: Transaction, amount: Money) -> Paid:
    return Paid(amount, transaction.id, _fee(transaction))


def _fee(transaction: Transaction) -> Money | None:
    """What Paystack keeps of the amount we asked for: what the payer paid on top covers fees first."""
    if transaction.fees is None or transaction.charged is None or transaction.requested is None:
        return None
    kept = max(0, transaction.fees - (transaction.charged - transaction.requested))
    return from_subunits(kept, transaction.currency)
