"""Writes down refunds that nobody asked for here: made at the provider, and told by it."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from core.alerts import AlertKind
from core.ids import Kind, new_id, outside
from core.money import Money
from tenancy.sessions import TenantSession
from tenant_db.alerts.raising import raise_alert
from tenant_db.ledger.errors import LedgerRefusal
from tenant_db.payments.locking import lock_payment
from tenant_db.payments.machine import SUCCEEDED
from tenant_db.payments.models import Payment
from tenant_db.refunds.booking import take_unasked
from tenant_db.refunds.excess import release_excess
from tenant_db.refunds.locking import Locked, left_minor
from tenant_db.refunds.machine import SUCCEEDED as REFUND_SUCCEEDED
from tenant_db.refunds.machine import UNDER_WAY
from tenant_db.refunds.models import Refund, RefundEvent
from tenant_db.refunds.rules import Done, RefundCause, RefundOrigin, Told
from tenant_db.refunds.settling import settle_locked
from tenant_db.refunds.stepping import tell, tell_end
from tenant_db.reviews.opening import NewReview, open_review
from tenant_db.reviews.rules import ReviewCause, ReviewSubject


@dataclass(frozen=True, slots=True)
class NotedRefund:
    """A refund as the provider lists it, with none of our ids."""

    payment_id: UUID
    provider_reference: str
    amount: Money
    told: Told


async def note_refund(session: TenantSession, noted: NotedRefund, now: datetime) -> Refund | None:
    """Book a refund that the provider has made without us, once per its id; None while it is not made.

    The money has gone, so it is taken from the store whether it is there or not, and people are told. One
    that we know, or have noted before, is settled by what is told.
    """
    payment = await lock_payment(session, noted.payment_id)
    known = await session.scalar(
        select(Refund)
        .where(
            Refund.provider_account_id == payment.provider_account_id,
            Refund.provider_reference == noted.provider_reference,
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if known is not None:
        if known.payment_id == payment.id:
            await settle_locked(session, Locked(payment, known), noted.told, RefundCause.QUERY, now)
        return known
    if not isinstance(noted.told, Done):
        return None
    if await _may_be_ours(session, noted):
        note = f"The provider lists a refund of {noted.amount} without our id: is it the one under way?"
        await _ask_people(session, payment, note)
        return None
    if payment.state is not SUCCEEDED or noted.amount.currency is not payment.currency:
        paid = f"a payment that is {payment.status} here"
        note = f"The provider tells of a refund of {noted.amount}, {noted.provider_reference}, of {paid}."
        await _ask_people(session, payment, note)
        return None
    return await _write(session, payment, noted, now)


async def _write(session: TenantSession, payment: Payment, noted: NotedRefund, now: datetime) -> Refund:
    is_excess = noted.amount.minor > await left_minor(session, payment)
    # A closed store leaves it in suspense, which then bears what has gone, too.
    with suppress(LedgerRefusal):
        await release_excess(session, payment)
    refund = _row(payment, noted, now)
    trouble = await take_unasked(session, payment, refund)
    session.add(refund)
    await session.flush()
    session.add(
        RefundEvent(
            refund_id=refund.id,
            version=1,
            from_status=None,
            to_status=refund.status,
            cause=RefundCause.QUERY.value,
            details={"unasked": 1},
        )
    )
    tell(session, refund)
    tell_end(session, refund)
    if is_excess:
        trouble = "With what was refunded here, that is more than was paid. Was it refunded twice?"
    if trouble is not None:
        await _doubt(session, refund, trouble)
    subject = outside(Kind.REFUND, refund.id)
    message = f"{refund.amount} was given back at {refund.provider} without being asked for here."
    await raise_alert(session, AlertKind.REFUND_UNREQUESTED, subject, message)
    return refund


def _row(payment: Payment, noted: NotedRefund, now: datetime) -> Refund:
    return Refund(
        id=new_id(),
        payment_id=payment.id,
        store_id=payment.store_id,
        provider_account_id=payment.provider_account_id,
        provider=payment.provider,
        amount_minor=noted.amount.minor,
        currency=noted.amount.currency,
        reason="Made at the provider.",
        origin=RefundOrigin.PROVIDER.value,
        requested_by="system",
        status=REFUND_SUCCEEDED.value,
        version=1,
        asks=0,
        provider_reference=noted.provider_reference,
        settled_at=now,
    )


async def _doubt(session: TenantSession, refund: Refund, note: str) -> None:
    question = "Money was given back at the provider. Is that right?"
    await open_review(
        session,
        NewReview(ReviewSubject.REFUND, refund.id, ReviewCause.REFUND_UNREQUESTED, question, note),
    )


async def _may_be_ours(session: TenantSession, noted: NotedRefund) -> bool:
    """Whether one of ours waits to be known: it may have lost its id on the way, and is not booked twice."""
    waiting = select(Refund.id).where(
        Refund.payment_id == noted.payment_id,
        Refund.provider_reference.is_(None),
        Refund.amount_minor == noted.amount.minor,
        Refund.status.in_(UNDER_WAY),
    )
    return await session.scalar(waiting.limit(1)) is not None


async def _ask_people(session: TenantSession, payment: Payment, note: str) -> None:
    question = "Was this payment given back at the provider?"
    await open_review(
        session, NewReview(ReviewSubject.PAYMENT, payment.id, ReviewCause.REFUND_UNREQUESTED, question, note)
    )
