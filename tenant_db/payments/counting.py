"""Whether money may be in the books under another name: the query of a prompt tells no receipt.

So a payment that a query calls paid may be the one whose receipt people have credited from suspense,
or written to another payment. Whoever decides about either holds `lock_money`, and sees what the other
has done. Two are taken for one where place, amount and time agree and the payer's number does not say
otherwise; what the payer typed is a hint, and no proof.

Source: M-Pesa Daraja, sections 2, 3 and 6.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select

from core.phone import Phone
from tenancy.sessions import TenantSession
from tenant_db.channels.sharing import codes_sharing
from tenant_db.payments.candidates import DOUBT, PROMPTS_READ_MAX, rules_out
from tenant_db.payments.machine import AUTHORIZED, PENDING, SUBMITTING, SUCCEEDED, UNKNOWN
from tenant_db.payments.models import Confirmation, Payment
from tenant_db.payments.rules import REVIEW_AFTER, ConfirmationState, is_payer
from tenant_db.reviews.models import Review
from tenant_db.reviews.rules import ReviewDecision, ReviewState

_ASKED: Final = (SUBMITTING, UNKNOWN, PENDING, AUTHORIZED)


async def credited_by_people(session: TenantSession, payment: Payment) -> str | None:
    """The receipt of money that people have credited, and that may be this payment's.

    Holds for as long as the caller has `lock_money`, of a payment on a channel that has no receipt yet.
    """
    decided = and_(
        Review.state == ReviewState.DECIDED.value,
        # Nobody can decide about money before it came, which is after the prompt; clocks may be wrong.
        Review.created_at >= payment.created_at - DOUBT,
    )
    return await _from_suspense(session, payment, decided) or await _as_anothers(session, payment, decided)


async def whose_it_may_be(
    session: TenantSession, told: Confirmation, now: datetime, *, but: UUID | None = None
) -> UUID | None:
    """A payment without a receipt, other than `but`, that has been paid with this money or may yet be.

    What is still open counts until people are asked about it. Holds as `credited_by_people` does.
    """
    is_its = and_(
        Payment.environment == told.environment,
        Payment.short_code.in_(codes_sharing(told.channel_id)),
        Payment.currency == told.currency,
        Payment.amount_minor == told.amount_minor,
        Payment.created_at.between(told.paid_at - DOUBT, told.paid_at + DOUBT),
    )
    found = await session.execute(
        select(Payment.id, Payment.phone)
        .where(is_its, _is_open_for_money(now), Payment.id != but)
        .order_by(Payment.id)
        .limit(PROMPTS_READ_MAX)
    )
    return next((row.id for row in found if _can_be(told.payer, row.phone)), None)


async def paid_in_its_place(session: TenantSession, payment: Payment, now: datetime) -> UUID | None:
    """As `whose_it_may_be`, of money that only a person has seen, and takes for this payment's."""
    return await session.scalar(
        select(Payment.id)
        .where(
            _is_alike(payment),
            Payment.phone == payment.phone,
            Payment.created_at.between(payment.created_at - DOUBT, payment.created_at + DOUBT),
            _is_open_for_money(now),
            Payment.id != payment.id,
        )
        .order_by(Payment.id)
        .limit(1)
    )


async def _from_suspense(
    session: TenantSession, payment: Payment, decided: ColumnElement[bool]
) -> str | None:
    rows = await session.execute(
        select(Confirmation.receipt, Confirmation.payer)
        .join(Review, Review.confirmation_id == Confirmation.id)
        .where(
            decided,
            Review.decision == ReviewDecision.CREDIT_STORE.value,
            Confirmation.state == ConfirmationState.RESOLVED.value,
            _is_told_of(payment),
            Confirmation.currency == payment.currency,
            Confirmation.amount_minor == payment.amount_minor,
            Confirmation.paid_at.between(payment.created_at - DOUBT, payment.created_at + DOUBT),
        )
        .limit(PROMPTS_READ_MAX)
    )
    return next((row.receipt for row in rows if _can_be(row.payer, payment.phone)), None)


async def _as_anothers(session: TenantSession, payment: Payment, decided: ColumnElement[bool]) -> str | None:
    """Of money that people took for another payment's, whose reference its payer had not typed."""
    is_told = and_(_is_told_of(payment), Confirmation.receipt == Payment.receipt)
    rows = await session.execute(
        select(Payment.receipt, Payment.phone, Confirmation.payer)
        .join(Review, Review.payment_id == Payment.id)
        .outerjoin(Confirmation, is_told)
        .where(
            decided,
            Review.decision == ReviewDecision.MARK_PAID.value,
            func.upper(func.btrim(Review.proof)) == func.upper(Payment.receipt),
            Payment.id != payment.id,
            _is_alike(payment),
            Payment.created_at.between(payment.created_at - DOUBT, payment.created_at + DOUBT),
            or_(Confirmation.id.is_(None), func.upper(func.btrim(Confirmation.account)) != Payment.reference),
        )
        .limit(PROMPTS_READ_MAX)
    )
    for receipt, phone, payer in rows:
        if phone == payment.phone if payer is None else _can_be(payer, payment.phone):
            return receipt
    return None


def _is_told_of(payment: Payment) -> ColumnElement[bool]:
    return and_(
        Confirmation.environment == payment.environment,
        Confirmation.short_code.in_(codes_sharing(payment.channel_id)),
    )


def _is_alike(payment: Payment) -> ColumnElement[bool]:
    """Other payments of the same amount at the same place."""
    return and_(
        Payment.environment == payment.environment,
        Payment.short_code.in_(codes_sharing(payment.channel_id)),
        Payment.currency == payment.currency,
        Payment.amount_minor == payment.amount_minor,
    )


def _is_open_for_money(now: datetime) -> ColumnElement[bool]:
    """Whether a query has settled it without a receipt, or may do so before people are asked about it.

    A query needs the provider's id. A prompt that is being sent is about to get it, and the callback
    brings it where the answer was lost.
    """
    is_young = Payment.created_at > now - REVIEW_AFTER
    return and_(
        Payment.receipt.is_(None),
        or_(Payment.status == SUCCEEDED, and_(Payment.status.in_(_ASKED), is_young)),
    )


def _can_be(payer: str, phone: str | None) -> bool:
    return phone is None or not rules_out(payer) or is_payer(payer, Phone(phone))
