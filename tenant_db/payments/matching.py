"""Finds the payment that a confirmation tells of, or makes one: never a second credit.

An STK payment to a short code with registered URLs is told twice, by callback and by C2B
confirmation, in any order; the receipt is the same. A payer may also pay by hand, which makes a
payment of its own. What nobody can be sure of waits in suspense, and people are told.

Source: M-Pesa Daraja, section 3.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Select, select

from core.alerts import AlertKind
from core.ids import Kind, new_id, outside
from tenancy.sessions import TenantSession
from tenant_db.alerts.raising import raise_alert
from tenant_db.channels.models import Channel
from tenant_db.channels.sharing import channels_named, codes_sharing
from tenant_db.payments.candidates import NewConfirmation, by_payer, by_reference
from tenant_db.payments.crediting import park
from tenant_db.payments.ending import succeed
from tenant_db.payments.locking import lock_receipt
from tenant_db.payments.machine import SUCCEEDED
from tenant_db.payments.models import Confirmation, Payment
from tenant_db.payments.receiving import owner_of, receive
from tenant_db.payments.reviewing import flag
from tenant_db.payments.rules import Cause, ConfirmationState
from tenant_db.payments.settling import Settled, Verdict, learn_receipt
from tenant_db.reviews.opening import NewReview, open_review_at_end
from tenant_db.reviews.rules import ReviewCause, ReviewSubject

__all__ = ["NewConfirmation", "settle_by_confirmation"]

UNKNOWN_SHORT_CODE: Final = "It was paid to a short code that no channel has."
SHARED_SHORT_CODE: Final = "Several channels have this number, and none of them asked for it."
UNKNOWN_ACCOUNT: Final = "Nobody is known by the account that was typed."
PAYER_NOT_TOLD: Final = "It may be one of several prompts, and the payer's number is not told."
WHOSE_IS_IT: Final = "Money came in that fits no payment. Whose is it?"


async def settle_by_confirmation(session: TenantSession, new: NewConfirmation, now: datetime) -> Settled:
    """Credit the one payment this money is for, or put the money in suspense, once per receipt.

    First by receipt (the callback came earlier), then by the reference we gave the payer, then, for
    tills, by amount, masked phone and time among payments that are open, expired, or succeeded
    without a receipt. Holds the receipt's lock, then those of the candidates in id order. Money that
    no prompt asked for becomes a payment of its own, by the order or the account that was typed; not
    so where several channels have the number, for it may be any one's.
    """
    told_to = await session.get(Channel, new.channel_id)
    if told_to is None:
        return Settled(Verdict.QUARANTINED, note="its channel was never written")
    named = await channels_named(session, told_to, new.short_code)
    channel = told_to if not named else named[0]
    await lock_receipt(session, channel.environment, new.receipt)
    codes = codes_sharing(channel.id, *(each.id for each in named))
    earlier = await _told_before(session, channel, codes, new)
    if earlier is not None:
        return _repeat(earlier, new)
    known = await _by_receipt(session, channel, codes, new)
    if known is not None:
        return await _second_telling(session, known, new)
    if not named:
        return await _suspend(session, channel, new, [], UNKNOWN_SHORT_CODE)
    return await _find_owner(session, named, new, now)


async def _find_owner(
    session: TenantSession, named: Sequence[Channel], new: NewConfirmation, now: datetime
) -> Settled:
    """Of money that was not told before."""
    channel, by_id = named[0], {channel.id: channel for channel in named}
    candidates = await by_reference(session, [*by_id], new) or await by_payer(session, [*by_id], new)
    if candidates is None:
        return await _suspend(session, channel, new, [], PAYER_NOT_TOLD)
    if not candidates and len(named) > 1:
        return await _suspend(session, channel, new, [], SHARED_SHORT_CODE)
    if not candidates:
        return await _receive(session, channel, new, now)
    if len(candidates) != 1 or candidates[0].amount != new.amount or not _is_open_for(candidates[0]):
        return await _suspend(session, channel, new, candidates, _why_not(candidates, new))
    paid_to = by_id.get(candidates[0].channel_id or channel.id, channel)
    return await _match(session, paid_to, candidates[0], new, now)


async def _receive(session: TenantSession, channel: Channel, new: NewConfirmation, now: datetime) -> Settled:
    owner = await owner_of(session, channel, new.account, new.amount)
    if owner is None:
        return await _suspend(session, channel, new, [], UNKNOWN_ACCOUNT)
    payment = await receive(session, channel, owner, now, receipt=new.receipt, amount=new.amount)
    session.add(_row(channel, new, ConfirmationState.MATCHED, payment.id, None))
    return Settled(Verdict.SETTLED, payment.id, channel.id)


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
    note: str,
) -> Settled:
    row = _row(channel, new, ConfirmationState.SUSPENSE, None, note)
    session.add(row)
    await park(session, row)
    for payment in candidates:
        flag(session, payment, f"Money with receipt {new.receipt} is in suspense: {note}", Cause.CONFIRMATION)
    about = NewReview(ReviewSubject.CONFIRMATION, row.id, ReviewCause.UNMATCHED_MONEY, WHOSE_IS_IT, note)
    open_review_at_end(session, about)
    details = {"receipt": new.receipt, "amount": str(new.amount)}
    subject = outside(Kind.CHANNEL, channel.id)

    async def tell_people(ending: TenantSession) -> None:
        await raise_alert(ending, AlertKind.MONEY_IN_SUSPENSE, subject, note, details=details)

    # Its row is shared by all of the channel's money, so it is locked for the shortest time.
    session.at_end.append(tell_people)
    return Settled(Verdict.SETTLED, channel_id=channel.id, note=note)


def _why_not(candidates: Sequence[Payment], new: NewConfirmation) -> str:
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


async def _second_telling(session: TenantSession, payment: Payment, new: NewConfirmation) -> Settled:
    channel = await session.get_one(Channel, payment.channel_id)
    if payment.amount != new.amount:
        note = f"The confirmation of {new.receipt} tells another amount than its callback."
        flag(session, payment, note, Cause.CONFIRMATION)
        return Settled(Verdict.QUARANTINED, payment.id, channel.id, note)
    session.add(_row(channel, new, ConfirmationState.MATCHED, payment.id, None))
    return Settled(Verdict.UNCHANGED, payment.id, channel.id)


async def _told_before(
    session: TenantSession, channel: Channel, codes: Select[str], new: NewConfirmation
) -> Confirmation | None:
    return await session.scalar(
        select(Confirmation).where(
            Confirmation.environment == channel.environment,
            Confirmation.short_code.in_(codes),
            Confirmation.receipt == new.receipt,
        )
    )


async def _by_receipt(
    session: TenantSession, channel: Channel, codes: Select[str], new: NewConfirmation
) -> Payment | None:
    return await session.scalar(
        select(Payment)
        .where(
            Payment.environment == channel.environment,
            Payment.short_code.in_(codes),
            Payment.receipt == new.receipt,
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    )


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
