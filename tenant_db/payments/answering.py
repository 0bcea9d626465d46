"""Settles a payment by what its provider answered, or told with proof of its own."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import exists, select

from core.collecting import CaptureMode
from core.money import Money
from tenancy.sessions import TenantSession
from tenant_db.payments.counting import credited_by_people
from tenant_db.payments.crediting import charge_fee, clear_suspense, put_excess_aside
from tenant_db.payments.ending import end_unpaid, succeed
from tenant_db.payments.judging import Ruling, Standing, judge_answer
from tenant_db.payments.locking import lock_account_receipt, lock_money, lock_payment
from tenant_db.payments.machine import AUTHORIZED, CREATED, PENDING, SUBMITTING, SUCCEEDED
from tenant_db.payments.models import Confirmation, Payment
from tenant_db.payments.reviewing import flag
from tenant_db.payments.rules import (
    Answer,
    Authorized,
    Cause,
    ConfirmationState,
    Mismatch,
    NotPaid,
    Paid,
    StillPending,
    SubStatus,
)
from tenant_db.payments.showing import show
from tenant_db.payments.stepping import remark, step
from tenant_db.reviews.rules import ReviewCause

ANOTHERS_RECEIPT: Final = "The provider tells the receipt of another payment."
CREDITED_BY_HAND: Final = (
    "It was paid, but its money was in suspense, and people have credited a store with it."
)


MAY_BE_CREDITED: Final = "It was paid, and {receipt}, which people have credited, may be its money."


class Verdict(StrEnum):
    """What became of something a provider told."""

    SETTLED = "settled"
    UNCHANGED = "unchanged"
    """Told before, or settled meanwhile."""
    WAIT = "wait"
    """Try it again in a moment: our own request is still being answered."""
    ASK = "ask"
    """Ask the provider about the id that was told, and come back with the answer."""
    QUARANTINED = "quarantined"
    """Nothing of it counts."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The verdict, and the payment it is about, where there is one."""

    verdict: Verdict
    payment_id: UUID | None = None
    channel_id: UUID | None = None
    note: str = ""
    """Why it was set aside."""
    is_worth_asking: bool = False
    """Whether the provider can be asked how the payment stands."""


async def settle_by_answer(
    session: TenantSession,
    payment_id: UUID,
    answer: Answer,
    now: datetime,
    *,
    cause: Cause = Cause.QUERY,
    request_reference: str | None = None,
) -> Settled:
    """Rule on what the provider says of the payment's stored id, and carry the ruling out.

    Locks the receipt, then the payment. Whoever comes first settles; again changes nothing.
    `request_reference` is a second id of the provider that it told along.
    """
    await lock_told_receipt(session, payment_id, answer)
    payment = await lock_payment(session, payment_id)
    if request_reference is not None and payment.request_reference is None:
        payment.request_reference = request_reference
    return await carry_out(session, payment, answer, cause, now)


async def lock_told_receipt(session: TenantSession, payment_id: UUID, answer: Answer) -> None:
    """Let one transaction at a time decide what the receipt paid; before the payment's own lock.

    Where no receipt is told, whoever decides about money of that amount waits.
    """
    if not isinstance(answer, Paid):
        return
    payment = await session.get_one(Payment, payment_id)
    if answer.receipt is None:
        await lock_money(session, payment.environment, payment.amount)
    else:
        await lock_account_receipt(session, payment.provider_account_id, answer.receipt)


async def carry_out(
    session: TenantSession, payment: Payment, answer: Answer, cause: Cause, now: datetime
) -> Settled:
    """As `settle_by_answer`, of a payment that is locked, and its receipt with it."""
    claim = await _claim(session, payment, answer.receipt) if isinstance(answer, Paid) else None
    ruling = judge_answer(standing_of(payment), answer, is_claimed=claim is not None)
    match ruling, answer:
        case Ruling.SUCCEED, Paid():
            await _succeed(session, payment, answer, cause, now)
        case ((Ruling.LEARN_RECEIPT | Ruling.NOTHING), Paid()) if payment.state is SUCCEEDED:
            return await _learn(session, payment, answer, cause)
        case Ruling.END_UNPAID, NotPaid():
            end_unpaid(session, payment, answer, cause, now)
        case Ruling.AUTHORIZE, Authorized():
            _authorize(session, payment, answer, cause)
        case Ruling.STAY, StillPending():
            return _stay(session, payment, answer, cause)
        case Ruling.REVIEW, _:
            note = claim or _contradiction(payment, answer)
            about = ReviewCause.MISMATCH if isinstance(answer, Mismatch) else ReviewCause.CONTRADICTION
            flag(session, payment, note, cause, about)
            return Settled(Verdict.QUARANTINED, payment.id, payment.channel_id, note)
        case _:
            return Settled(Verdict.UNCHANGED, payment.id, payment.channel_id)
    return Settled(Verdict.SETTLED, payment.id, payment.channel_id)


def standing_of(payment: Payment) -> Standing:
    """What of a locked payment decides."""
    return Standing(
        payment.state,
        payment.amount,
        payment.provider_reference,
        payment.receipt,
        payment.due if payment.state is SUCCEEDED else None,
        payment.capture_mode == CaptureMode.MANUAL,
    )


async def learn_receipt(session: TenantSession, payment: Payment, receipt: str, cause: Cause) -> None:
    """Complete a payment that a query had settled, under the locks of the receipt and of the payment."""
    payment.receipt = receipt
    remark(session, payment, cause, receipt=receipt)
    await clear_suspense(session, payment)


async def _claim(session: TenantSession, payment: Payment, receipt: str | None) -> str | None:
    """Why the money is not this payment's: the receipt is another's, or people have credited it.

    A channel's receipts are told by callbacks alone.
    """
    if payment.channel_id is not None:
        return None if payment.state is SUCCEEDED else await _credited(session, payment)
    if receipt is None:
        return None
    other = exists().where(
        Payment.provider_account_id == payment.provider_account_id,
        Payment.receipt == receipt,
        Payment.channel_id.is_(None),
        Payment.id != payment.id,
    )
    return ANOTHERS_RECEIPT if await session.scalar(select(other)) else None


async def _credited(session: TenantSession, payment: Payment) -> str | None:
    apart = exists().where(
        Confirmation.payment_id == payment.id, Confirmation.state == ConfirmationState.RESOLVED
    )
    if await session.scalar(select(apart)):
        return CREDITED_BY_HAND
    receipt = await credited_by_people(session, payment)
    return None if receipt is None else MAY_BE_CREDITED.format(receipt=receipt)


async def _succeed(session: TenantSession, payment: Payment, paid: Paid, cause: Cause, now: datetime) -> None:
    captured: Money | None = paid.amount if payment.capture_mode == CaptureMode.MANUAL else None
    receipt = paid.receipt or payment.receipt
    await succeed(session, payment, receipt, cause, now, captured=captured, fee=paid.fee)
    if paid.excess is not None:
        await put_excess_aside(session, payment, paid.excess)
        note = f"The payer paid {paid.excess} more than was asked; it is in suspense. Give it back."
        flag(session, payment, note, cause, ReviewCause.DOUBLE_PAYMENT)


async def _learn(session: TenantSession, payment: Payment, paid: Paid, cause: Cause) -> Settled:
    """What was settled before may lack its receipt or its fee."""
    verdict = Verdict.UNCHANGED
    if paid.receipt is not None and payment.receipt is None:
        await learn_receipt(session, payment, paid.receipt, cause)
        verdict = Verdict.SETTLED
    if paid.fee is not None and payment.fee_minor is None:
        await charge_fee(session, payment, paid.fee, cause)
        remark(session, payment, cause, fee=str(paid.fee.minor))
        verdict = Verdict.SETTLED
    return Settled(verdict, payment.id, payment.channel_id)


def _authorize(session: TenantSession, payment: Payment, told: Authorized, cause: Cause) -> None:
    if payment.state is CREATED:
        # It was taken back as surely not sent; the promise says that it was sent after all.
        step(session, payment, SUBMITTING, cause)
    payment.authorized_minor = told.amount.minor
    payment.sub_status = SubStatus.AUTHORIZED.value
    payment.next_action = None
    payment.failure_code = payment.failure_message = None
    step(session, payment, AUTHORIZED, cause)


def _stay(session: TenantSession, payment: Payment, told: StillPending, cause: Cause) -> Settled:
    is_new = show(session, payment, told, cause)
    if payment.state is not PENDING:
        step(session, payment, PENDING, cause)
        is_new = True
    return Settled(Verdict.SETTLED if is_new else Verdict.UNCHANGED, payment.id, payment.channel_id)


def _contradiction(payment: Payment, answer: Answer) -> str:
    if isinstance(answer, Mismatch):
        return f"What the provider has does not fit: {answer.why}"
    if isinstance(answer, Authorized):
        return f"The payer's bank has promised {answer.amount}, which fits nothing that is open."
    if isinstance(answer, Paid) and payment.state is not SUCCEEDED:
        return f"The provider has taken {answer.amount}, not {payment.amount}."
    if isinstance(answer, Paid):
        return "The provider tells a second receipt or another amount of a paid payment."
    return "The provider calls a settled payment not paid."
