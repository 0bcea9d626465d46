"""Asks for open refunds on a ladder, since a webhook may never come."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tenancy.sessions import TenantSession
from tenant_db.refunds.locking import lock_refund
from tenant_db.refunds.machine import NEEDS_ATTENTION, REQUESTED, SUBMITTING, UNDER_WAY, UNKNOWN
from tenant_db.refunds.models import Refund
from tenant_db.refunds.rules import REVIEW_AFTER, SEND_WINDOW, STRANDED_AFTER, RefundCause, next_ask_at
from tenant_db.refunds.stepping import step
from tenant_db.refunds.submitting import Order, give_up, order_of
from tenant_db.reviews.opening import NewReview, open_review
from tenant_db.reviews.rules import ReviewCause, ReviewSubject


@dataclass(frozen=True, slots=True)
class Rung:
    """Where the ladder leads next."""

    order: Order | None
    """None where there is nothing to ask about."""
    asked_at: datetime | None
    """Of the claim that the question is about."""
    next_at: datetime | None
    """None at the end of the ladder, and for a refund that is decided."""


async def take_rung(session: TenantSession, refund_id: UUID, now: datetime, ladder_s: Sequence[int]) -> Rung:
    """Take the rungs that are due, and say what to ask and when to come back. Commit before asking.

    One of unknown outcome after a day is shown to a person, and so is one whose ladder has ended. One left
    `submitting` by a run that died becomes `unknown`: no way of losing a run leaves it stuck.
    """
    locked = await lock_refund(session, refund_id)
    refund = locked.refund
    if refund.state not in UNDER_WAY:
        return Rung(None, None, None)
    since = refund.submitted_at or refund.created_at
    if refund.state is REQUESTED:
        if now - refund.created_at > SEND_WINDOW:
            await give_up(session, locked, now)
            return Rung(None, None, None)
        return Rung(None, None, refund.created_at + SEND_WINDOW + STRANDED_AFTER)
    if refund.state is SUBMITTING and now - since > STRANDED_AFTER:
        step(session, refund, UNKNOWN, RefundCause.JOB, why="no run has finished sending it")
    while (due := next_ask_at(since, refund.asks, ladder_s)) is not None and due <= now:
        refund.asks += 1
    if due is None or (refund.state is UNKNOWN and now - since >= REVIEW_AFTER):
        await _show(session, refund)
    order = None if refund.state is SUBMITTING else order_of(locked.payment, refund)
    return Rung(order, refund.submitted_at, due)


async def _show(session: TenantSession, refund: Refund) -> None:
    needs = refund.state is NEEDS_ATTENTION
    await open_review(
        session,
        NewReview(
            ReviewSubject.REFUND,
            refund.id,
            ReviewCause.REFUND_NEEDS_ATTENTION if needs else ReviewCause.REFUND_UNKNOWN,
            "Was the money given back? Look at the provider, and say what it shows.",
            refund.attention or f"The refund is {refund.status}, and the provider does not decide.",
        ),
    )
