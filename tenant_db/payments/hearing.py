"""Settles a payment by what a provider account's webhook tells, which has proven where it comes from."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import or_, select

from tenancy.sessions import TenantSession
from tenant_db.payments.answering import Settled, Verdict, carry_out, lock_told_receipt
from tenant_db.payments.locking import lock_payment
from tenant_db.payments.machine import CREATED, SUBMITTING, SUCCEEDED, UNKNOWN
from tenant_db.payments.models import Payment
from tenant_db.payments.reviewing import flag
from tenant_db.payments.rules import Answer, Cause, NotPaid, Paid

UUID_CHARACTERS: Final = 36


@dataclass(frozen=True, slots=True)
class Heard:
    """What a webhook tells of one payment."""

    account_id: UUID
    """Of the endpoint it came to."""
    provider_reference: str | None
    request_reference: str | None
    payment_id: UUID | None
    """Ours, where it carries it."""
    answer: Answer | None
    """None where it proves nothing, and the provider must be asked."""


async def settle_by_webhook(
    session: TenantSession, heard: Heard, now: datetime, answered: Answer | None = None
) -> Settled:
    """Rule on what was told under the locks of its receipt and of its payment, and carry the ruling out.

    `answered` is what the provider said when it was asked, on the second pass after Verdict.ASK.
    Whoever comes first settles; running it again changes nothing.
    """
    payment_id = await _find(session, heard)
    if payment_id is None:
        return Settled(Verdict.QUARANTINED, note="It tells of a payment that is not known here.")
    answer = answered or heard.answer
    if answer is not None:
        await lock_told_receipt(session, payment_id, answer)
    payment = await lock_payment(session, payment_id)
    if payment.state is SUBMITTING:
        return Settled(Verdict.WAIT, payment.id)
    strange = _strange(payment, heard)
    if strange:
        return _set_aside(session, payment, answer, strange)
    if answered is None and _needs_word(payment, answer):
        return Settled(Verdict.ASK, payment.id)
    if answer is None:
        return Settled(Verdict.UNCHANGED, payment.id)
    _adopt(payment, heard)
    settled = await carry_out(session, payment, answer, Cause.CALLBACK, now)
    # A message does not tell the fee; the provider does, once it is asked.
    lacks_fee = payment.state is SUCCEEDED and payment.fee_minor is None and answered is None
    is_new = settled.verdict is Verdict.SETTLED
    return replace(settled, is_worth_asking=True) if is_new and lacks_fee else settled


async def _find(session: TenantSession, heard: Heard) -> UUID | None:
    """By the provider's id, by ours, or by the attempt's key, which some providers call their reference."""
    named = [heard.payment_id, of_attempt(heard.provider_reference)]
    ids = [id_ for id_ in named if id_ is not None]
    of_account = Payment.provider_account_id == heard.account_id
    by_reference = of_account & (Payment.provider_reference == heard.provider_reference)
    theirs = or_(by_reference, Payment.id.in_(ids)) if ids else by_reference
    found = await session.execute(
        select(Payment.id, of_account.label("is_here")).where(theirs).order_by(Payment.id)
    )
    rows = found.all()
    here = [row.id for row in rows if row.is_here]
    return next(iter([*here, *(row.id for row in rows)]), None)


def of_attempt(reference: str | None) -> UUID | None:
    """The payment whose attempt's key this is; None where it is none."""
    try:
        return UUID((reference or "")[:UUID_CHARACTERS])
    except ValueError:
        return None


def _strange(payment: Payment, heard: Heard) -> str:
    if payment.provider_account_id != heard.account_id:
        return "A provider account tells of a payment that is not with it."
    if payment.provider_reference not in {None, heard.provider_reference}:
        return "The provider tells of this payment under another id."
    if heard.payment_id not in {None, payment.id}:
        return "The provider tells of this payment by another one's name."
    return ""


def _set_aside(session: TenantSession, payment: Payment, answer: Answer | None, why: str) -> Settled:
    if answer is None or isinstance(answer, Paid):
        # It may be money; a person must look where it is.
        flag(session, payment, why, Cause.CALLBACK)
    return Settled(Verdict.QUARANTINED, payment.id, note=why)


def _needs_word(payment: Payment, answer: Answer | None) -> bool:
    if answer is None:
        return payment.state is not SUCCEEDED or payment.receipt is None
    return isinstance(answer, NotPaid) and not answer.is_sure


def _adopt(payment: Payment, heard: Heard) -> None:
    """Keep the provider's id where the answer that should have told it was lost."""
    if payment.provider_reference is None and payment.state in {CREATED, UNKNOWN}:
        payment.provider_reference = heard.provider_reference
        payment.request_reference = payment.request_reference or heard.request_reference
