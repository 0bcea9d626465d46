"""Shows a payment to a person, because something about it contradicts."""

from collections.abc import Mapping
from typing import Final

import structlog

from tenancy.sessions import TenantSession
from tenant_db.payments.machine import SUCCEEDED
from tenant_db.payments.models import Payment
from tenant_db.payments.rules import Cause
from tenant_db.payments.stepping import remark
from tenant_db.reviews.opening import NewReview, open_review, open_review_at_end, overtake_at_end
from tenant_db.reviews.rules import ReviewCause, ReviewDecision, ReviewSubject

QUESTIONS: Final[Mapping[ReviewCause, str]] = {
    ReviewCause.UNKNOWN_OUTCOME: "Was this paid? Look at the provider, and say so.",
    ReviewCause.MISMATCH: "What the provider has differs from what was asked for. Whose money is it?",
    ReviewCause.NOT_CREDITED: "The money came in, and its store could not be credited. Where does it go?",
    ReviewCause.UNMATCHED_MONEY: "Which receipt is its own? Say that it is paid, with that as a proof.",
    ReviewCause.DOUBLE_PAYMENT: "More was paid than was asked for. Shall the rest be given back?",
}
NO_RECEIPT: Final = (
    "It was settled by a query, which tells no receipt, and money of the same amount may be counted twice."
)
STILL_OPEN: Final = "It is still open after a day."
_QUESTION: Final = "The provider contradicts what is settled or known. What is true?"

log = structlog.get_logger()


def flag(
    session: TenantSession,
    payment: Payment,
    note: str,
    cause: Cause,
    about: ReviewCause = ReviewCause.CONTRADICTION,
) -> None:
    """Mark a locked payment for review, and ask a person at the transaction's end.

    Saying the same again changes nothing.
    """
    if payment.needs_review and note in (payment.review_note or "").split("\n"):
        return
    payment.review_note = "\n".join(filter(None, [payment.review_note, note]))
    payment.needs_review = True
    remark(session, payment, cause, review=note)
    question = QUESTIONS.get(about, _QUESTION)
    suggestion = ReviewDecision.REFUND if about is ReviewCause.DOUBLE_PAYMENT else None
    asked = NewReview(ReviewSubject.PAYMENT, payment.id, about, question, note, suggestion)
    open_review_at_end(session, asked)
    log.warning("payment_needs_review", payment_id=str(payment.id), note=note)


async def ask_for_receipt(session: TenantSession, payment: Payment) -> None:
    """Ask a person which receipt a locked payment has, where a query has settled it without one."""
    if payment.state is SUCCEEDED and payment.receipt is None:
        cause = ReviewCause.UNMATCHED_MONEY
        asked = NewReview(ReviewSubject.PAYMENT, payment.id, cause, QUESTIONS[cause], NO_RECEIPT)
        await open_review(session, asked)


def answered(session: TenantSession, payment: Payment) -> None:
    """Take back the question whether a payment was paid, where nothing else is asked of people."""
    if payment.needs_review and payment.review_note == STILL_OPEN:
        payment.needs_review = False
        payment.review_note = None
        overtake_at_end(session, ReviewSubject.PAYMENT, payment.id)
