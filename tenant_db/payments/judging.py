"""Judges what a provider told about a payment: pure, one answer for each case.

What proves an M-Pesa payment is this payment's own URL, the stored CheckoutRequestID, the amount
and an unused receipt. Where the answer to our request was lost there is no stored id, and a query
with the callback's id stands in for it. Anything else that looks off is kept aside, and M-Pesa asked.
Other providers prove a payment by a signed message or by their answer to a question (`judge_answer`).

Source: M-Pesa Daraja, sections 6, 8 and 10.
"""

from dataclasses import dataclass
from enum import Enum, auto

from core.money import Money
from tenant_db.payments.machine import (
    AUTHORIZED,
    CANCELLED,
    CREATED,
    FAILED,
    PENDING,
    SUBMITTING,
    SUCCEEDED,
    UNKNOWN,
    PaymentStatus,
)
from tenant_db.payments.rules import Answer, Authorized, Mismatch, NotPaid, Paid, StillPending, Told

OPEN = frozenset({CREATED, UNKNOWN, PENDING, AUTHORIZED})


class Ruling(Enum):
    """What is to be done about it."""

    SUCCEED = auto()
    END_UNPAID = auto()
    LEARN_RECEIPT = auto()
    """Settled before, by a query: only the receipt is new."""
    NOTHING = auto()
    """Told before."""
    AUTHORIZE = auto()
    """The payer's bank has promised the money."""
    STAY = auto()
    """Open as before; what the payer has to do may be new."""
    WAIT = auto()
    """Our own request is still being answered."""
    ASK = auto()
    """The provider must confirm it before it counts."""
    SET_ASIDE = auto()
    """It does not fit: nothing of it counts, and the provider is asked how things stand."""
    REVIEW = auto()
    """It contradicts what is settled: nothing is posted, and a person must look."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A payment as it stands under its lock."""

    status: PaymentStatus
    amount: Money
    provider_reference: str | None
    receipt: str | None
    credited: Money | None = None
    """What its store got; None before that."""
    may_be_part: bool = False
    """Whether a part of the amount may have been captured."""

    def could_be_paid_with(self, amount: Money | None) -> bool:
        if amount is None or amount == self.amount:
            return True
        is_same = amount.currency is self.amount.currency
        return self.may_be_part and is_same and 0 < amount.minor < self.amount.minor


@dataclass(frozen=True, slots=True)
class Statement:
    """What a callback to the payment's own URL says."""

    provider_reference: str
    told: Told
    is_claimed: bool
    """Whether its receipt or its id belongs to another payment already."""
    answer: Told | None = None
    """What the provider said when asked about the callback's id; None if it was not asked yet."""


def judge(standing: Standing, said: Statement) -> Ruling:
    """Rule on a callback. What it changes is the caller's to carry out under the same lock."""
    if standing.status is SUBMITTING:
        return Ruling.WAIT
    if standing.provider_reference not in (None, said.provider_reference):
        return Ruling.SET_ASIDE
    if isinstance(said.told, Paid):
        return _judge_paid(standing, said, said.told)
    return _judge_not_paid(standing, said, said.told)


def _judge_paid(standing: Standing, said: Statement, paid: Paid) -> Ruling:
    if standing.status is SUCCEEDED and standing.receipt is not None:
        return Ruling.NOTHING if _repeats(standing, paid) else Ruling.REVIEW
    if paid.amount != standing.amount or paid.receipt is None:
        return Ruling.SET_ASIDE
    if said.is_claimed:
        return Ruling.REVIEW
    if standing.status is SUCCEEDED:
        return Ruling.LEARN_RECEIPT
    needs_word = standing.provider_reference is None or standing.status in (FAILED, CANCELLED)
    if not needs_word or isinstance(said.answer, Paid):
        return Ruling.SUCCEED
    return Ruling.ASK if said.answer is None else Ruling.REVIEW


def _repeats(standing: Standing, paid: Paid) -> bool:
    return paid.receipt == standing.receipt and paid.amount == standing.amount


def _judge_not_paid(standing: Standing, said: Statement, told: NotPaid) -> Ruling:
    if standing.status is SUCCEEDED:
        return Ruling.REVIEW
    if standing.status not in OPEN:
        return Ruling.NOTHING
    if said.is_claimed:
        return Ruling.SET_ASIDE
    if isinstance(said.answer, Paid):
        return Ruling.SUCCEED
    needs_word = standing.provider_reference is None or not told.is_sure
    if needs_word and said.answer is None:
        return Ruling.ASK
    return Ruling.END_UNPAID


def judge_answer(standing: Standing, answer: Answer, *, is_claimed: bool = False) -> Ruling:
    """Rule on what the provider answered about the stored id, or told with proof of its own.

    `is_claimed` says that the receipt belongs to another payment. An M-Pesa query names no amount, but
    the prompt could not be for another one. "Not paid" ends what is open; "paid" is proof even for what
    had ended.
    """
    match answer:
        case Paid():
            return _answered_paid(standing, answer, is_claimed=is_claimed)
        case Authorized():
            return _answered_authorized(standing, answer)
        case NotPaid():
            if standing.status is SUCCEEDED:
                return Ruling.REVIEW
            return Ruling.END_UNPAID if standing.status in OPEN else Ruling.NOTHING
        case StillPending():
            return Ruling.STAY if standing.status in {SUBMITTING, UNKNOWN, PENDING} else Ruling.NOTHING
        case Mismatch():
            return Ruling.REVIEW


def _answered_paid(standing: Standing, paid: Paid, *, is_claimed: bool) -> Ruling:
    if is_claimed:
        return Ruling.REVIEW
    if standing.status is SUCCEEDED:
        return _answered_again(standing, paid)
    if not standing.could_be_paid_with(paid.amount):
        return Ruling.REVIEW
    return Ruling.SUCCEED


def _answered_again(standing: Standing, paid: Paid) -> Ruling:
    if paid.amount not in {None, standing.credited}:
        return Ruling.REVIEW
    if paid.receipt is None or paid.receipt == standing.receipt:
        return Ruling.NOTHING
    return Ruling.LEARN_RECEIPT if standing.receipt is None else Ruling.REVIEW


def _answered_authorized(standing: Standing, told: Authorized) -> Ruling:
    if standing.status in {AUTHORIZED, SUCCEEDED}:
        return Ruling.NOTHING
    is_expected = standing.status in OPEN or standing.status is SUBMITTING
    # A promise that comes after the end would bind the payer's money for nothing.
    return Ruling.AUTHORIZE if is_expected and told.amount == standing.amount else Ruling.REVIEW
