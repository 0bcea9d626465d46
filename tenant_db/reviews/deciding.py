"""Carries out what a person decides about a review, by the verbs and under the locks of its subject."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Final

from core.errors import NotFound
from tenancy.sessions import TenantSession
from tenant_db.alerts.handling import resolve_by_key
from tenant_db.payments.locking import lock_payment
from tenant_db.refunds.locking import lock_refund
from tenant_db.reviews.carrying_out import (
    credit_confirmation,
    credit_payment,
    mark_not_paid,
    mark_not_refunded,
    mark_paid,
    mark_refunded,
    refund_payment,
)
from tenant_db.reviews.commands import Decided
from tenant_db.reviews.errors import DecisionNotPossible, ReviewClosed
from tenant_db.reviews.locking import lock_confirmation, lock_receipt_of
from tenant_db.reviews.models import Review
from tenant_db.reviews.opening import alert_key, tell
from tenant_db.reviews.rules import OPTIONS, ReviewDecision, ReviewState, ReviewSubject

Deed = Callable[[TenantSession, Review, Decided, datetime], Awaitable[Mapping[str, str]]]
"""Gives the TypeIDs of what it made."""


async def decide_review(session: TenantSession, decided: Decided, now: datetime) -> Review:
    """Decide an open review once, and carry the decision out in the caller's transaction.

    Raises:
        NotFound: no such review, or no such store.
        ReviewClosed: somebody has decided before, or it settled by itself.
        DecisionNotPossible: what it is about does not stand so.
        ReceiptTaken: the proof belongs to another payment.
        DomainError: whatever the refund or the ledger refuses.
    """
    unlocked = await session.get(Review, decided.review_id)
    if unlocked is None:
        raise NotFound("review")
    # The subject first, as everybody who opens a review holds it.
    await _lock_subject(session, unlocked, decided)
    review = await session.get_one(Review, decided.review_id, with_for_update=True, populate_existing=True)
    if review.state != ReviewState.OPEN:
        raise ReviewClosed(review.state)
    subject = ReviewSubject(review.subject_kind)
    if decided.decision not in OPTIONS[subject]:
        raise DecisionNotPossible(decided.decision.value, f"it is about a {subject}.")
    _close(review, decided, now)
    # Before the deed: what it settles must not find the review open.
    await session.flush()
    deed = _DEEDS.get((subject, decided.decision))
    if deed is not None:
        review.outcome = dict(await deed(session, review, decided, now))
    tell(session, review.id, review.version)
    await resolve_by_key(session, alert_key(review.id), decided.by, decided.reason, now)
    return review


def _close(review: Review, decided: Decided, now: datetime) -> None:
    review.state = ReviewState.DECIDED.value
    review.decision = decided.decision.value
    review.reason = decided.reason
    review.proof = decided.proof
    review.decided_by = decided.by
    review.decided_at = now
    review.version += 1


async def _lock_subject(session: TenantSession, review: Review, decided: Decided) -> None:
    if review.payment_id is not None:
        if decided.decision is ReviewDecision.MARK_PAID and decided.proof is not None:
            await lock_receipt_of(session, review.payment_id, decided.proof)
        await lock_payment(session, review.payment_id)
    elif review.refund_id is not None:
        await lock_refund(session, review.refund_id)
    elif review.confirmation_id is not None:
        await lock_confirmation(session, review.confirmation_id)


_DEEDS: Final[Mapping[tuple[ReviewSubject, ReviewDecision], Deed]] = {
    (ReviewSubject.PAYMENT, ReviewDecision.MARK_PAID): mark_paid,
    (ReviewSubject.PAYMENT, ReviewDecision.MARK_NOT_PAID): mark_not_paid,
    (ReviewSubject.PAYMENT, ReviewDecision.REFUND): refund_payment,
    (ReviewSubject.PAYMENT, ReviewDecision.CREDIT_STORE): credit_payment,
    (ReviewSubject.REFUND, ReviewDecision.MARK_REFUNDED): mark_refunded,
    (ReviewSubject.REFUND, ReviewDecision.MARK_NOT_REFUNDED): mark_not_refunded,
    (ReviewSubject.CONFIRMATION, ReviewDecision.CREDIT_STORE): credit_confirmation,
}
"""What is left out changes nothing but the review."""
