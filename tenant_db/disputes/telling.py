"""Follows what a provider tells of a dispute, in whatever order, each effect once."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from core.alerts import AlertKind
from core.ids import Kind, new_id, outside
from core.money import Money
from tenancy.sessions import TenantSession
from tenant_db.alerts.raising import raise_alert
from tenant_db.disputes.charging import charge_dispute_fee, return_dispute_fee
from tenant_db.disputes.models import Dispute
from tenant_db.disputes.rules import ENDED, DisputeStatus
from tenant_db.disputes.stepping import tell, tell_happened
from tenant_db.ledger.rules import TransferKind
from tenant_db.payments.locking import lock_payment
from tenant_db.payments.machine import SUCCEEDED
from tenant_db.payments.models import Payment
from tenant_db.refunds.taking import TakenBack, give_back, take_back
from tenant_db.reviews.opening import NewReview, open_review
from tenant_db.reviews.rules import ReviewCause, ReviewSubject
from tenant_db.webhooks.rules import WebhookEvent

DECIDED_FOR_US = "The money of the dispute was given back."


@dataclass(frozen=True, slots=True)
class ToldDispute:
    """What one message says of a dispute."""

    payment_id: UUID
    provider_reference: str
    amount: Money | None
    """None where it does not say; a dispute that nothing was said of is about all of the payment."""
    reason: str
    status: DisputeStatus
    evidence_due_at: datetime | None
    is_withdrawn: bool | None
    """True: the money was taken back; False: it was given back; None: it does not say."""
    fee: Money | None = None
    """What the provider charges for the dispute itself, where it says."""
    fee_returned: Money | None = None
    """What it has given back of that."""


async def tell_dispute(session: TenantSession, told: ToldDispute, now: datetime) -> Dispute:
    """Bring a dispute and the books to where the provider says they are, under the payment's lock.

    Messages may come in any order and more than once. What was taken is debited whatever the store's
    balance is; what was given back is credited once it was taken. A lost dispute has taken the money.
    """
    payment = await lock_payment(session, told.payment_id)
    dispute = await _known(session, payment, told)
    before = _facts(dispute)
    is_new = dispute.version == 0
    await _follow(session, payment, dispute, told, now)
    if told.is_withdrawn is True or dispute.state is DisputeStatus.LOST:
        dispute.is_withdrawal_told = True
    if told.is_withdrawn is False:
        dispute.is_reinstatement_told = True
    await _book(session, payment, dispute)
    await _book_fee(session, payment, dispute, told)
    if is_new or _facts(dispute) != before:
        dispute.version += 1
        tell(session, dispute)
    await session.flush()
    await _warn(session, dispute, is_new=is_new, was=str(before[0]))
    return dispute


async def _known(session: TenantSession, payment: Payment, told: ToldDispute) -> Dispute:
    known = await session.scalar(
        select(Dispute)
        .where(
            Dispute.provider_account_id == payment.provider_account_id,
            Dispute.provider_reference == told.provider_reference,
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if known is not None:
        return known
    amount = _amount(told) or payment.due
    dispute = Dispute(
        id=new_id(),
        payment_id=payment.id,
        store_id=payment.store_id,
        provider_account_id=payment.provider_account_id,
        provider=payment.provider,
        provider_reference=told.provider_reference,
        amount_minor=amount.minor,
        currency=amount.currency,
        reason=told.reason,
        status=told.status.value,
        version=0,
        evidence={},
        is_withdrawal_told=False,
        is_reinstatement_told=False,
    )
    session.add(dispute)
    return dispute


async def _follow(
    session: TenantSession, payment: Payment, dispute: Dispute, told: ToldDispute, now: datetime
) -> None:
    """Only forward: a message that comes late does not open what is decided."""
    order = list(DisputeStatus)
    if order.index(told.status) >= order.index(dispute.state):
        await _correct(session, payment, dispute, told)
    if dispute.state in ENDED:
        if told.status in ENDED and told.status is not dispute.state:
            name = dispute.provider_reference
            await _puzzle(session, payment, f"Dispute {name} was {dispute.status}, and is now {told.status}.")
    elif order.index(told.status) > order.index(dispute.state):
        dispute.status = told.status.value
    if dispute.state in ENDED and dispute.closed_at is None:
        dispute.closed_at = now
    if told.evidence_due_at is not None:
        dispute.evidence_due_at = told.evidence_due_at
    dispute.reason = told.reason or dispute.reason


async def _correct(session: TenantSession, payment: Payment, dispute: Dispute, told: ToldDispute) -> None:
    """Take the latest amount until the money is gone: Paystack says only at the end how much it takes."""
    amount = _amount(told)
    if amount in (None, dispute.amount):
        return
    if amount is not None and dispute.withdrawal_id is None and amount.currency is dispute.currency:
        dispute.amount_minor = amount.minor
        return
    note = f"Dispute {dispute.provider_reference} was about {dispute.amount}, and is now about {amount}."
    await _puzzle(session, payment, note)


def _amount(told: ToldDispute) -> Money | None:
    """A dispute about nothing is one that is settled for nothing: it says no amount."""
    return told.amount if told.amount is not None and told.amount.minor > 0 else None


async def _book(session: TenantSession, payment: Payment, dispute: Dispute) -> None:
    if dispute.is_withdrawal_told and dispute.withdrawal_id is None:
        if payment.state is not SUCCEEDED or dispute.currency is not payment.currency:
            name, paid = dispute.provider_reference, f"a payment of {payment.due} that is {payment.status}"
            note = f"Dispute {name} took {dispute.amount} of {paid} here; the books were left alone."
            await _puzzle(session, payment, note)
            return
        taken = TakenBack(
            dispute.amount,
            # The payer's bank decides it: no refund of ours, and no mistake that a reversal undoes.
            TransferKind.ADJUSTMENT,
            f"dispute:{dispute.id}",
            {"dispute": outside(Kind.DISPUTE, dispute.id)},
        )
        booked = await take_back(session, payment, taken)
        dispute.withdrawal_id = booked.transfer_id
        await _worry(session, payment, booked.trouble)
    if dispute.is_reinstatement_told and dispute.withdrawal_id and dispute.reinstatement_id is None:
        booked = await give_back(session, payment, dispute.withdrawal_id, dispute.amount, DECIDED_FOR_US)
        dispute.reinstatement_id = booked.transfer_id
        await _worry(session, payment, booked.trouble)


async def _book_fee(session: TenantSession, payment: Payment, dispute: Dispute, told: ToldDispute) -> None:
    if payment.state is not SUCCEEDED or told.fee is None or told.fee.minor <= 0:
        return
    if told.fee.currency is not payment.currency:
        name, paid = dispute.provider_reference, f"a payment of {payment.due}"
        note = f"The fee of dispute {name} is {told.fee}, of {paid} here; the books were left alone."
        await _puzzle(session, payment, note)
        return
    await _worry(session, payment, await charge_dispute_fee(session, payment, dispute, told.fee))
    if told.fee_returned is not None and told.fee_returned.minor > 0:
        await _worry(session, payment, await return_dispute_fee(session, dispute, told.fee_returned))


async def _warn(session: TenantSession, dispute: Dispute, *, is_new: bool, was: str) -> None:
    subject = outside(Kind.DISPUTE, dispute.id)
    has_ended = dispute.state in ENDED and (is_new or was != dispute.status)
    if is_new:
        tell_happened(session, dispute, WebhookEvent.DISPUTE_OPENED)
    if has_ended:
        is_won = dispute.state is DisputeStatus.WON
        event = WebhookEvent.DISPUTE_WON if is_won else WebhookEvent.DISPUTE_LOST
        tell_happened(session, dispute, event)
    if is_new and not has_ended:
        due = (
            ""
            if dispute.evidence_due_at is None
            else f" Answer by {dispute.evidence_due_at:%Y-%m-%d %H:%M} UTC."
        )
        message = f"A payer disputes {dispute.amount}: {dispute.reason or 'no reason told'}.{due}"
        await raise_alert(session, AlertKind.DISPUTE_OPENED, subject, message)
    if dispute.state is DisputeStatus.LOST and has_ended:
        message = f"The dispute about {dispute.amount} is lost: the money is gone."
        await raise_alert(session, AlertKind.DISPUTE_LOST, subject, message)


async def _worry(session: TenantSession, payment: Payment, trouble: str | None) -> None:
    if trouble is not None:
        await _puzzle(session, payment, trouble)


async def _puzzle(session: TenantSession, payment: Payment, note: str) -> None:
    question = "A dispute does not fit the payment. What does the provider show?"
    await open_review(
        session, NewReview(ReviewSubject.PAYMENT, payment.id, ReviewCause.DISPUTE, question, note)
    )


def _facts(dispute: Dispute) -> tuple[object, ...]:
    return (
        dispute.status,
        dispute.amount_minor,
        dispute.reason,
        dispute.evidence_due_at,
        dispute.is_withdrawal_told,
        dispute.is_reinstatement_told,
    )
