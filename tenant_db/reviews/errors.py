"""Refusals about reviews.

DomainError
├── ReviewClosed            somebody has decided, or it settled by itself
├── DecisionNotPossible     what it is about does not stand so that this could be done
├── ReceiptTaken            the proof belongs to another payment
└── MoneyMayBeAnothers      a payment that tells no receipt may have been paid with it

All depend on state, so an idempotency key remembers them.
"""

from core.errors import DomainError


class ReviewClosed(DomainError):
    """Somebody has decided before, or it settled by itself."""

    code = "REVIEW_CLOSED"
    is_stored = True

    def __init__(self, review_state: str) -> None:
        super().__init__(f"This review is {review_state}: there is nothing left to decide.")
        self.review_state = review_state


class DecisionNotPossible(DomainError):
    """What the review is about does not stand so that this could be done."""

    code = "DECISION_NOT_POSSIBLE"
    is_stored = True

    def __init__(self, decision: str, why: str) -> None:
        super().__init__(f"{decision} is not possible here: {why}")
        self.decision = decision
        self.why = why


class ReceiptTaken(DomainError):
    """The receipt belongs to another payment."""

    code = "RECEIPT_TAKEN"
    is_stored = True

    def __init__(self, payment_id: str) -> None:
        super().__init__(f"This receipt is that of {payment_id}. Look again at what the provider shows.")
        self.payment_id = payment_id
        """As clients see it."""


class MoneyMayBeAnothers(DomainError):
    """The money may be that of a payment which is still open, or which was settled without a receipt."""

    code = "MONEY_MAY_BE_ANOTHERS"
    is_stored = True

    def __init__(self, payment_id: str) -> None:
        super().__init__(
            f"This money may be that of {payment_id}, which fits it in amount, payer and time. If that is "
            "still open, wait until it has ended. If it is paid, say first which receipt is its own: a "
            "question about it is open."
        )
        self.payment_id = payment_id
        """As clients see it."""
