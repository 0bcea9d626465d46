"""Brings a refund where its provider says it is, and its money with it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from core.alerts import AlertKind
from core.ids import Kind, outside
from core.money import Money
from tenancy.sessions import TenantSession
from tenant_db.alerts.raising import raise_alert
from tenant_db.orders.paying import note_refunded
from tenant_db.refunds.booking import bring_back, let_go, take, take_unasked
from tenant_db.refunds.excess import share_of_order
from tenant_db.refunds.locking import Locked, lock_refund
from tenant_db.refunds.machine import (
    FAILED,
    NEEDS_ATTENTION,
    PENDING,
    REQUESTED,
    REVERSED,
    SUBMITTING,
    SUCCEEDED,
    UNDER_WAY,
    UNKNOWN,
    RefundStatus,
)
from tenant_db.refunds.models import Refund
from tenant_db.refunds.rules import Done, NotDone, RefundCause, Told, Undecided
from tenant_db.refunds.stepping import remark, step
from tenant_db.reviews.opening import NewReview, open_review, overtake
from tenant_db.reviews.rules import ReviewCause, ReviewDecision, ReviewSubject


async def settle_refund(
    session: TenantSession, refund_id: UUID, told: Told, cause: RefundCause, now: datetime
) -> RefundStatus:
    """Rule on what the provider says, under the locks of payment and refund. Again changes nothing."""
    locked = await lock_refund(session, refund_id)
    await settle_locked(session, locked, told, cause, now)
    return locked.refund.state


async def settle_locked(
    session: TenantSession, locked: Locked, told: Told, cause: RefundCause, now: datetime
) -> None:
    """As `settle_refund`, for who holds the locks."""
    refund = locked.refund
    if not await _adopt(session, refund, told):
        return
    match told:
        case Done():
            await _done(session, locked, told, cause, now)
        case NotDone():
            await _not_done(session, locked, told, cause, now)
        case Undecided():
            await _undecided(session, refund, told, cause)


async def _adopt(session: TenantSession, refund: Refund, told: Told) -> bool:
    """Keep the provider's id; false where it says that this is about another refund."""
    reference = told.provider_reference
    if reference is None or reference == refund.provider_reference:
        return True
    is_taken = select(Refund.id).where(
        Refund.provider_account_id == refund.provider_account_id,
        Refund.provider_reference == reference,
        Refund.id != refund.id,
    )
    if refund.provider_reference is not None or await session.scalar(is_taken) is not None:
        await _contradict(session, refund, f"The provider answers with another refund, {reference}.")
        return False
    refund.provider_reference = reference
    return True


async def _done(
    session: TenantSession, locked: Locked, told: Done, cause: RefundCause, now: datetime
) -> None:
    refund = locked.refund
    if told.amount != refund.amount:
        note = f"The provider gave back {told.amount}, not {refund.amount}."
        await _contradict(session, refund, note)
    elif refund.state is REVERSED:
        note = "The provider calls it done after it had brought the money back."
        await _contradict(session, refund, note)
    elif refund.state is FAILED:
        refund.failure_code = refund.failure_message = None
        refund.settled_at = now
        trouble = await take_unasked(session, locked.payment, refund)
        step(session, refund, SUCCEEDED, cause, late=1)
        await _note_on_order(session, locked, 1)
        if trouble is not None:
            await _contradict(session, refund, trouble)
    elif refund.state in UNDER_WAY:
        _claimed(session, refund, cause)
        await take(session, refund, now)
        refund.attention = None
        refund.settled_at = now
        step(session, refund, SUCCEEDED, cause)
        await _note_on_order(session, locked, 1)
        await overtake(session, ReviewSubject.REFUND, refund.id, now)


async def _not_done(
    session: TenantSession, locked: Locked, told: NotDone, cause: RefundCause, now: datetime
) -> None:
    refund = locked.refund
    if refund.state not in UNDER_WAY and refund.state is not SUCCEEDED:
        return
    refund.failure_code, refund.failure_message = told.code, told.message
    refund.attention = None
    refund.settled_at = now
    trouble = None
    if refund.state is SUCCEEDED:
        trouble = await bring_back(session, locked.payment, refund)
        step(session, refund, REVERSED, cause, code=told.code)
        await _note_on_order(session, locked, -1)
    else:
        await let_go(session, refund, now)
        step(session, refund, FAILED, cause, code=told.code)
        await overtake(session, ReviewSubject.REFUND, refund.id, now)
    if trouble is not None:
        await _contradict(session, refund, trouble)
    subject = outside(Kind.REFUND, refund.id)
    message = f"The refund of {refund.amount} failed, and the money is back: {told.message}"
    await raise_alert(session, AlertKind.REFUND_FAILED, subject, message, details={"code": told.code})


async def _undecided(session: TenantSession, refund: Refund, told: Undecided, cause: RefundCause) -> None:
    to = PENDING if told.attention is None else NEEDS_ATTENTION
    if refund.state not in UNDER_WAY:
        return
    if refund.state is UNKNOWN and cause is RefundCause.QUERY and told == Undecided(None):
        # The provider does not know it, or not yet: it may still have to be sent again.
        return
    if refund.state is to:
        if refund.attention != told.attention:
            refund.attention = told.attention
            remark(session, refund, cause, attention=told.attention or "")
        return
    _claimed(session, refund, cause)
    refund.attention = told.attention
    step(session, refund, to, cause)
    if told.attention is not None:
        subject = outside(Kind.REFUND, refund.id)
        await raise_alert(session, AlertKind.REFUND_NEEDS_ATTENTION, subject, told.attention)


def _claimed(session: TenantSession, refund: Refund, cause: RefundCause) -> None:
    """It was taken back as surely not sent; the provider says that it was sent after all."""
    if refund.state is REQUESTED:
        step(session, refund, SUBMITTING, cause)


async def _note_on_order(session: TenantSession, locked: Locked, sign: int) -> None:
    if locked.payment.order_id is not None:
        share = await share_of_order(session, locked.payment, locked.refund)
        await note_refunded(session, locked.payment.order_id, Money(sign * share.minor, share.currency))


async def _contradict(session: TenantSession, refund: Refund, note: str) -> None:
    await open_review(
        session,
        NewReview(
            ReviewSubject.REFUND,
            refund.id,
            ReviewCause.CONTRADICTION,
            "Was the money given back? Compare with what the provider shows.",
            note,
            ReviewDecision.MARK_REFUNDED if refund.state in UNDER_WAY else ReviewDecision.DISMISS,
        ),
    )
