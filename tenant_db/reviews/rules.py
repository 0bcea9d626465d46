"""Why a person is asked, and what a person can decide. Pure."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import Final

from tenant_db.payments.rules import MPESA


class ReviewCause(StrEnum):
    """Why a person must look."""

    UNKNOWN_OUTCOME = "unknown_outcome"
    """Still open after a day, and the provider does not say."""
    CONTRADICTION = "contradiction"
    """What was told contradicts what is settled or known."""
    MISMATCH = "mismatch"
    """Something was paid, but amount, currency or reference differ."""
    NOT_CREDITED = "not_credited"
    """The money came in; its store's account refused it."""
    DOUBLE_PAYMENT = "double_payment"
    """An order was paid twice."""
    UNMATCHED_MONEY = "unmatched_money"
    """Money came in that fits no payment, or several; it is in suspense."""
    UNREADABLE_MESSAGE = "unreadable_message"
    """A provider's message can't be read, or proves nothing."""
    REFUND_UNKNOWN = "refund_unknown"
    """Nobody knows whether a refund was made."""
    REFUND_NEEDS_ATTENTION = "refund_needs_attention"
    """The provider wants something from a person before it refunds."""
    REFUND_UNREQUESTED = "refund_unrequested"
    """Money was given back that nobody asked for here."""
    DISPUTE = "dispute"
    """A dispute tells of money or of a payment that is not known here."""


class ReviewState(StrEnum):
    """Whether somebody has decided."""

    OPEN = "open"
    DECIDED = "decided"
    OVERTAKEN = "overtaken"
    """It settled by itself before anybody decided."""


class ReviewDecision(StrEnum):
    """What a person decides."""

    MARK_PAID = "mark_paid"
    MARK_NOT_PAID = "mark_not_paid"
    MARK_REFUNDED = "mark_refunded"
    MARK_NOT_REFUNDED = "mark_not_refunded"
    REFUND = "refund"
    CREDIT_STORE = "credit_store"
    DISMISS = "dismiss"


class ReviewSubject(StrEnum):
    """What sort of thing a review is about."""

    PAYMENT = "payment"
    REFUND = "refund"
    CONFIRMATION = "confirmation"
    MESSAGE = "message"


OPTIONS: Final[Mapping[ReviewSubject, AbstractSet[ReviewDecision]]] = {
    ReviewSubject.PAYMENT: frozenset(
        {
            ReviewDecision.MARK_PAID,
            ReviewDecision.MARK_NOT_PAID,
            ReviewDecision.REFUND,
            ReviewDecision.CREDIT_STORE,
            ReviewDecision.DISMISS,
        }
    ),
    ReviewSubject.REFUND: frozenset(
        {ReviewDecision.MARK_REFUNDED, ReviewDecision.MARK_NOT_REFUNDED, ReviewDecision.DISMISS}
    ),
    ReviewSubject.CONFIRMATION: frozenset({ReviewDecision.CREDIT_STORE, ReviewDecision.DISMISS}),
    ReviewSubject.MESSAGE: frozenset({ReviewDecision.DISMISS}),
}
"""What can be decided about each sort of thing; how it stands decides whether it can be carried out."""
NOTES_MAX: Final = 50
"""What is kept of one question: a provider that repeats itself must not fill the row."""


def receipt_as_told(provider: str, proof: str) -> str:
    """A receipt that a person has copied, as the provider writes it: M-Pesa in capitals."""
    receipt = proof.strip()
    return receipt.upper() if provider == MPESA else receipt
