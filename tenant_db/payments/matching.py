"""Finds the payment that a confirmation tells of, or keeps its money in suspense: never a second credit.

An STK payment to a short code with registered URLs is told twice, by callback and by C2B
confirmation, in any order; the receipt is the same. A payer may also pay by hand.

Source: M-Pesa Daraja, section 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, select

from core.ids import new_id
from core.money import Money
from core.phone import Phone
from tenancy.sessions import TenantSession
from tenant_db.channels.models import Channel
from tenant_db.payments.crediting import park
from tenant_db.payments.ending import succeed
from tenant_db.payments.locking import lock_receipt
from tenant_db.payments.machine import AUTHORIZED, EXPIRED, PENDING, SUBMITTING, SUCCEEDED, UNKNOWN
from tenant_db.payments.models import Confirmation, Payment
from tenant_db.payments.reviewing import flag
from tenant_db.payments.rules import (
    TILL_MATCH_AFTER,
    TILL_MATCH_BEFORE,
    Cause,
    ConfirmationState,
    is_payer,
)
from tenant_db.payments.settling import Settled, Verdict, learn_receipt

CANDIDATES_MAX = 20
"""Payments locked for one confirmation: two are as many too many as twenty."""
PROMPTS_READ_MAX = 5_000
"""Prompts of one amount at one till whose phones are compared; where there are more, nobody's is known."""


@dataclass(frozen=True, slots=True)
class NewConfirmation:
    """Money that came in to a channel, as the provider tells it."""

    channel_id: UUID
    """Of the endpoint it came to."""
    short_code: str
    receipt: str
    amount: Money
    account: str
    """What the payer typed; empty for a till."""
    payer: str
    paid_at: datetime


async def settle_by_confirmation(session: TenantSession, new: NewConfirmation, now: datetime) -> Settled:
    """Credit the one payment this money is for, or put the money in suspense, once per receipt.

    First by receipt (the callback came earlier), then by the reference we gave the payer, then, for
    tills, by amount, masked phone and time among payments that are open, expired, or succeeded
    without a receipt. Holds the receipt's lock, then those of the candidates in id order.
    """
    channel = await session.get(Channel, new.channel_id)
    if channel is None:
        return Settled(Verdict.QUARANTINED, note="its channel was never written")
    if new.short_code not in {channel.short_code, channel.head_office_code}:
        return Settled(Verdict.QUARANTINED, channel_id=channel.id, note="another short code's money")
    await lock_receipt(session, channel.environment, channel.short_code, new.receipt)
    earlier = await _told_before(session, channel, new)
    if earlier is not None:
        return _repeat(earlier, new)
    known = await _by_receipt(session, channel, new)
    if known is not None:
        return _second_telling(session, channel, known, new)
    candidates = await _by_reference(session, new) or await _by_payer(session, new)
    if len(candidates) != 1 or candidates[0].amount != new.amount or not _is_open_for(candidates[0]):
        return await _suspend(session, channel, new, candidates)
    return await _match(session, channel, candidates[0], new, now)


async def _match(
    session: TenantSession, channel: Channel, payment: Payment, new: NewConfirmation, now: datetime
) -> Settled:
    session.add(_row(channel, new, ConfirmationState.MATCHED, payment.id, None))
    if payment.state is SUCCEEDED:
        await learn_receipt(session, payment, new.receipt, Cause.CONFIRMATION)
    else:
        await succeed(session, payment, new.receipt, Cause.CONFIRMATION, now)
    return Settled(Verdict.SETTLED, payment.id, channel.id)


async def _suspend(
    session: TenantSession,
    channel: Channel,
    new: NewConfirmation,
    candidates: Sequence[Payment],
) -> Settled:
    note = _why_not(candidates, new)
    row = _row(channel, new, ConfirmationState.SUSPENSE, None, note)
    session.add(row)
    await park(session, row)
    for payment in candidates:
        flag(session, payment, f"Money with receipt {new.receipt} is in suspense: {note}", Cause.CONFIRMATION)
    return Settled(Verdict.SETTLED, channel_id=channel.id, note=note)


def _why_not(candidates: Sequence[Payment], new: NewConfirmation) -> str:
    if not candidates:
        return "It fits no payment of this channel."
    if len(candidates) > 1:
        return "It fits several payments."
    if candidates[0].amount != new.amount:
        return "The amount differs from the payment's."
    return "The payment was paid before, with another receipt."


def _is_open_for(payment: Payment) -> bool:
    """Whether this money can be this payment's: it has no receipt yet."""
    return payment.receipt is None


def _repeat(earlier: Confirmation, new: NewConfirmation) -> Settled:
    if earlier.amount_minor == new.amount.minor:
        return Settled(Verdict.UNCHANGED, earlier.payment_id, earlier.channel_id)
    note = "a confirmation of the same receipt told another amount"
    return Settled(Verdict.QUARANTINED, earlier.payment_id, earlier.channel_id, note)


def _second_telling(
    session: TenantSession, channel: Channel, payment: Payment, new: NewConfirmation
) -> Settled:
    if payment.amount != new.amount:
        note = f"The confirmation of {new.receipt} tells another amount than its callback."
        flag(session, payment, note, Cause.CONFIRMATION)
        return Settled(Verdict.QUARANTINED, payment.id, channel.id, note)
    session.add(_row(channel, new, ConfirmationState.MATCHED, payment.id, None))
    return Settled(Verdict.UNCHANGED, payment.id, channel.id)


async def _told_before(session: TenantSession, channel: Channel, new: NewConfirmation) -> Confirmation | None:
    return await session.scalar(
        select(Confirmation).where(
            Confirmation.environment == channel.environment,
            Confirmation.short_code == channel.short_code,
            Confirmation.receipt == new.receipt,
        )
    )


async def _by_receipt(session: TenantSession, channel: Channel, new: NewConfirmation) -> Payment | None:
    return await session.scalar(
        select(Payment)
        .where(
            Payment.environment == channel.environment,
            Payment.short_code == channel.short_code,
            Payment.receipt == new.receipt,
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    )


async def _by_reference(session: TenantSession, new: NewConfirmation) -> list[Payment]:
    account = new.account.strip().upper()
    if not account:
        return []
    return await _locked(session, and_(Payment.channel_id == new.channel_id, Payment.reference == account))


async def _by_payer(session: TenantSession, new: NewConfirmation) -> list[Payment]:
    """Only where nothing was typed: a PayBill's unknown account is somebody's own business."""
    if new.account.strip():
        return []
    sent_at = func.coalesce(Payment.submitted_at, Payment.created_at)
    fits = and_(
        Payment.channel_id == new.channel_id,
        Payment.amount_minor == new.amount.minor,
        Payment.created_at.between(new.paid_at - 2 * TILL_MATCH_AFTER, new.paid_at + TILL_MATCH_BEFORE),
        sent_at.between(new.paid_at - TILL_MATCH_AFTER, new.paid_at + TILL_MATCH_BEFORE),
        Payment.receipt.is_(None),
        Payment.status.in_([SUBMITTING, UNKNOWN, PENDING, AUTHORIZED, EXPIRED, SUCCEEDED]),
    )
    # Phones first, for a list that is cut off before them could make one of several look like the only one.
    found = await session.execute(select(Payment.id, Payment.phone).where(fits).limit(PROMPTS_READ_MAX + 1))
    prompts = found.all()
    if len(prompts) > PROMPTS_READ_MAX:
        return []
    theirs = [id_ for id_, phone in prompts if phone and is_payer(new.payer, Phone(phone))]
    return await _locked(session, and_(Payment.id.in_(theirs), fits)) if theirs else []


async def _locked(session: TenantSession, condition: ColumnElement[bool]) -> list[Payment]:
    found = await session.scalars(
        select(Payment)
        .where(condition)
        .order_by(Payment.id)
        .limit(CANDIDATES_MAX)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return list(found)


def _row(
    channel: Channel,
    new: NewConfirmation,
    state: ConfirmationState,
    payment_id: UUID | None,
    note: str | None,
) -> Confirmation:
    return Confirmation(
        id=new_id(),
        channel_id=channel.id,
        payment_id=payment_id,
        environment=channel.environment,
        short_code=channel.short_code,
        receipt=new.receipt,
        amount_minor=new.amount.minor,
        currency=new.amount.currency,
        account=new.account,
        payer=new.payer,
        paid_at=new.paid_at,
        state=state.value,
        note=note,
    )
