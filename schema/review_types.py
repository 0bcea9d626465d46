"""Questions for people, as clients of both schemas see them, and what may be refused about a decision."""

from datetime import datetime

import strawberry

from core.ids import Kind, outside
from schema.connections import Node
from schema.errors import Error, Refusal
from schema.finding_types import maybe_id
from schema.scalars import api_enum
from tenant_db.reviews.errors import DecisionNotPossible, MoneyMayBeAnothers, ReceiptTaken, ReviewClosed
from tenant_db.reviews.models import Review as ReviewRow
from tenant_db.reviews.rules import OPTIONS, ReviewCause, ReviewDecision, ReviewState, ReviewSubject

api_enum(
    ReviewCause,
    "ReviewCause",
    "Why a person must look.",
    {
        ReviewCause.UNKNOWN_OUTCOME: "A payment is still open after a day, and the provider does not say.",
        ReviewCause.CONTRADICTION: "What was told contradicts what is settled or known.",
        ReviewCause.MISMATCH: "Something was paid, but amount, currency or reference differ.",
        ReviewCause.NOT_CREDITED: "Money came in, and its store's account refused it: it is in suspense.",
        ReviewCause.DOUBLE_PAYMENT: "An order was paid twice.",
        ReviewCause.UNMATCHED_MONEY: "Money came in that fits no payment, or several: it is in suspense.",
        ReviewCause.UNREADABLE_MESSAGE: "A provider's message can't be read, or proves nothing.",
        ReviewCause.REFUND_UNKNOWN: "Nobody knows whether a refund was made.",
        ReviewCause.REFUND_NEEDS_ATTENTION: "A provider wants something from a person before it refunds.",
        ReviewCause.REFUND_UNREQUESTED: "Money was given back that nobody asked for here.",
        ReviewCause.DISPUTE: "A dispute does not fit the payment.",
    },
)
api_enum(
    ReviewState,
    "ReviewState",
    "Whether somebody has decided.",
    {
        ReviewState.OPEN: "It waits for a decision.",
        ReviewState.DECIDED: "Somebody has decided.",
        ReviewState.OVERTAKEN: "It settled by itself before anybody decided.",
    },
)
api_enum(
    ReviewDecision,
    "ReviewDecision",
    "What a person can decide.",
    {
        ReviewDecision.MARK_PAID: "The payment was paid: needs the receipt that the provider shows. "
        "A payment that succeeded without one may be given it so.",
        ReviewDecision.MARK_NOT_PAID: "The payment was not paid. Money that comes later still counts.",
        ReviewDecision.MARK_REFUNDED: "The money was given back: needs the provider's reference.",
        ReviewDecision.MARK_NOT_REFUNDED: "The money was not given back, and is yours again.",
        ReviewDecision.REFUND: "Give the payment back, or the part that `amount` says.",
        ReviewDecision.CREDIT_STORE: "Move the money from suspense to a store.",
        ReviewDecision.DISMISS: "Nothing is to be done.",
    },
)
api_enum(
    ReviewSubject,
    "ReviewSubject",
    "What sort of thing a question is about.",
    {
        ReviewSubject.PAYMENT: "A payment.",
        ReviewSubject.REFUND: "A refund.",
        ReviewSubject.CONFIRMATION: "Money that a provider says came in.",
        ReviewSubject.MESSAGE: "A provider's message.",
    },
)


@strawberry.type(description="Somebody has decided before, or it settled by itself.")
class ReviewClosedError(Error):
    review_state: ReviewState = strawberry.field(description="Where the question stands.")


@strawberry.type(description="What the question is about does not stand so that this could be done.")
class DecisionNotPossibleError(Error):
    why: str = strawberry.field(description="Why not, in English.")


@strawberry.type(description="The receipt that you sent as a proof is another payment's.")
class ReceiptTakenError(Error):
    payment_id: strawberry.ID = strawberry.field(description="That payment.")


@strawberry.type(
    description="The money may be that of a payment that fits it in amount, payer and time, and tells no "
    "receipt. While that is open, wait until it ends; where it is paid, say first which receipt is its own."
)
class MoneyMayBeAnothersError(Error):
    payment_id: strawberry.ID = strawberry.field(
        description="That payment. Where it is paid, a question about its receipt is open."
    )


class ClosedRefusal(Refusal[ReviewClosed, ReviewClosedError]):
    """Shows the state as the API's enum."""

    def told(self, refusal: ReviewClosed) -> ReviewClosedError:
        return self._shown(refusal, {"review_state": ReviewState(refusal.review_state)})


REFUSALS = (
    ClosedRefusal(ReviewClosed, ReviewClosedError),
    Refusal(DecisionNotPossible, DecisionNotPossibleError),
    Refusal(ReceiptTaken, ReceiptTakenError),
    Refusal(MoneyMayBeAnothers, MoneyMayBeAnothersError),
)


@strawberry.type(description="One question for a person.")
class Review(Node):
    subject_kind: ReviewSubject = strawberry.field(description="What sort of thing it is about.")
    cause: ReviewCause = strawberry.field(description="Why a person must look.")
    question: str = strawberry.field(description="What is to be decided, in English.")
    notes: list[str] = strawberry.field(description="What came up, the oldest first; at most 50.")
    suggestion: ReviewDecision | None = strawberry.field(description="What would usually be right.")
    options: list[ReviewDecision] = strawberry.field(description="What can be decided about such a thing.")
    payment_id: strawberry.ID | None = strawberry.field(description="The payment, if it is about one.")
    refund_id: strawberry.ID | None = strawberry.field(description="The refund, if it is about one.")
    state: ReviewState = strawberry.field(description="Whether somebody has decided.")
    decision: ReviewDecision | None = strawberry.field(description="What was decided.")
    reason: str | None = strawberry.field(description="Why, in the words of who decided.")
    proof: str | None = strawberry.field(description="The receipt or reference that they had seen.")
    decided_by: str | None = strawberry.field(
        description="Who: `user:…`, `api_key:…`, or `staff:…` of the platform."
    )
    decided_at: datetime | None = strawberry.field(description="When.")
    created_at: datetime = strawberry.field(description="When it was asked.")
    version: int = strawberry.field(description="Grows with every change: the highest is the newest.")

    @classmethod
    def of(cls, row: ReviewRow) -> "Review":
        subject = ReviewSubject(row.subject_kind)
        return cls(
            id=strawberry.ID(outside(Kind.REVIEW, row.id)),
            subject_kind=subject,
            cause=ReviewCause(row.cause),
            question=row.question,
            notes=row.notes,
            suggestion=None if row.suggestion is None else ReviewDecision(row.suggestion),
            options=[decision for decision in ReviewDecision if decision in OPTIONS[subject]],
            payment_id=maybe_id(Kind.PAYMENT, row.payment_id),
            refund_id=maybe_id(Kind.REFUND, row.refund_id),
            state=ReviewState(row.state),
            decision=None if row.decision is None else ReviewDecision(row.decision),
            reason=row.reason,
            proof=row.proof,
            decided_by=row.decided_by,
            decided_at=row.decided_at,
            created_at=row.created_at,
            version=row.version,
        )
