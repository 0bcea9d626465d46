"""Hands a payment to its provider, once: claim it, and record how the call ended."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, select

from core.collecting import Method
from tenancy.sessions import TenantSession
from tenant_db.payments.answering import carry_out, lock_told_receipt
from tenant_db.payments.attempts import Attempt, attempt_of
from tenant_db.payments.ending import NEVER_SENT, ORDER_PAID, end_unpaid, expire_unsent, is_order_paid
from tenant_db.payments.locking import lock_payment
from tenant_db.payments.machine import CREATED, PENDING, SUBMITTING, UNKNOWN, PaymentStatus
from tenant_db.payments.models import Payment
from tenant_db.payments.reviewing import flag
from tenant_db.payments.rules import (
    MPESA,
    PAYER_WINDOWS,
    SEND_WINDOW,
    Answer,
    Cause,
    FailureReason,
    NotPaid,
    StillPending,
    SubStatus,
)
from tenant_db.payments.stepping import remark, step


@dataclass(frozen=True, slots=True)
class Claim:
    """A payment that is this run's to send."""

    attempt: Attempt
    item_hash: bytes
    """Names this claim among those of its payment."""
    is_first: bool
    """Whether it was never claimed before, so that nothing polls for it yet."""

    @property
    def payment_id(self) -> UUID:
        return self.attempt.payment_id


async def claim(
    session: TenantSession, payment_id: UUID, item_hash: bytes, now: datetime
) -> Claim | PaymentStatus:
    """Take the payment for sending: commit before the call, so that a crash leaves a trace.

    `item_hash` is the SHA-256 of the callback URL's secret part, made for this call alone.
    Anything but a Claim means that nothing may be sent, and says where the payment stands. One that
    was found `submitting` was claimed by a run that died after its commit: whether it had sent the
    prompt nobody knows, so it becomes `unknown`. One that could not be sent within its window has
    `expired`: no phone rings for an order that was long given up. Nor for one that was paid meanwhile.
    """
    payment = await lock_payment(session, payment_id)
    if payment.state is SUBMITTING:
        step(session, payment, UNKNOWN, Cause.JOB, why="a run was cut off while it sent the prompt")
        return payment.state
    if payment.state is not CREATED:
        return payment.state
    if now >= payment.expires_at:
        expire_unsent(session, payment, now)
        return payment.state
    if await is_order_paid(session, payment):
        end_unpaid(session, payment, NotPaid(FailureReason.NOT_SENT, "", ORDER_PAID), Cause.JOB, now)
        return payment.state
    is_first = payment.item_hash is None
    payment.item_hash = item_hash
    payment.submitted_at = now
    payment.expires_at = now + PAYER_WINDOWS[Method(payment.method)]
    payment.polls = 0
    step(session, payment, SUBMITTING, Cause.JOB)
    return Claim(await attempt_of(session, payment), item_hash, is_first)


async def release(
    session: TenantSession, payment_id: UUID, item_hash: bytes, why: str, now: datetime
) -> PaymentStatus:
    """Surely nothing was sent: back to `created`, to be tried within the rest of its window.

    The callback's hash stays on the row until the next claim, so that a callback that should not
    exist still finds its payment and stops the second prompt. Where another run has called this
    one cut off, the payment can't go back, and ends. `item_hash` is that of the claim that sent
    nothing: what a later claim may have sent is not for a straggler to take back.
    """
    payment = await lock_payment(session, payment_id)
    if payment.item_hash != item_hash:
        return payment.state
    if payment.state is SUBMITTING:
        payment.expires_at = payment.created_at + SEND_WINDOW
        payment.submitted_at = None
        step(session, payment, CREATED, Cause.JOB, why=why)
    elif payment.state is UNKNOWN:
        end_unpaid(session, payment, NotPaid(FailureReason.NOT_SENT, "", NEVER_SENT), Cause.JOB, now)
    return payment.state


async def doubt(session: TenantSession, payment_id: UUID, why: str) -> PaymentStatus:
    """It was sent and no answer came: `unknown`, and never sent again."""
    payment = await lock_payment(session, payment_id)
    if payment.state is SUBMITTING:
        step(session, payment, UNKNOWN, Cause.JOB, why=why)
    return payment.state


async def reject(session: TenantSession, payment_id: UUID, refusal: NotPaid, now: datetime) -> PaymentStatus:
    """The provider refused to prompt the payer, which is final."""
    payment = await lock_payment(session, payment_id)
    if payment.state in (SUBMITTING, UNKNOWN):
        end_unpaid(session, payment, refusal, Cause.JOB, now)
    return payment.state


async def refuse(session: TenantSession, payment_id: UUID, refusal: NotPaid, now: datetime) -> PaymentStatus:
    """Fail a payment that can't be sent at all, because its channel lacks something; nothing was sent."""
    payment = await lock_payment(session, payment_id)
    if payment.state is CREATED:
        end_unpaid(session, payment, refusal, Cause.JOB, now)
    return payment.state


async def confirm(
    session: TenantSession, payment_id: UUID, provider_reference: str, request_reference: str | None
) -> PaymentStatus:
    """The prompt is on its way: `pending` under the provider's own id.

    A re-run that called itself cut off may have made it `unknown` meanwhile, and a confirmation may
    have settled it: the id is kept in every case. An id that already belongs to another payment of
    the channel proves nothing any more: it is left out, and a person must look.
    """
    payment = await lock_payment(session, payment_id)
    if payment.provider_reference is not None:
        return payment.state
    if await _is_taken(session, payment, provider_reference):
        flag(session, payment, "The provider gave the id of another payment.", Cause.JOB)
        if payment.state is SUBMITTING:
            step(session, payment, UNKNOWN, Cause.JOB)
        return payment.state
    payment.provider_reference = provider_reference
    payment.request_reference = request_reference
    if payment.state in (SUBMITTING, UNKNOWN):
        payment.sub_status = SubStatus.STK_INITIATED.value if payment.provider == MPESA else None
        step(session, payment, PENDING, Cause.JOB)
    else:
        remark(session, payment, Cause.JOB, learnt="provider_reference")
    return payment.state


async def never_arrived(session: TenantSession, payment_id: UUID, now: datetime) -> PaymentStatus:
    """The provider surely never got an attempt whose answer was lost: the payer was not asked."""
    payment = await lock_payment(session, payment_id)
    if payment.state is UNKNOWN and payment.provider_reference is None:
        end_unpaid(session, payment, NotPaid(FailureReason.NOT_SENT, "", NEVER_SENT), Cause.QUERY, now)
    return payment.state


async def accept(
    session: TenantSession, payment_id: UUID, ids: tuple[str, str | None], answer: Answer, now: datetime
) -> PaymentStatus:
    """The provider took the attempt under `ids`, and `answer` says how it stands there.

    Locks the receipt, where one is told, then the payment.
    """
    await lock_told_receipt(session, payment_id, answer)
    state = await confirm(session, payment_id, *ids)
    if answer == StillPending():
        return state
    payment = await lock_payment(session, payment_id)
    if payment.provider_reference == ids[0]:
        await carry_out(session, payment, answer, Cause.JOB, now)
    return payment.state


async def _is_taken(session: TenantSession, payment: Payment, provider_reference: str) -> bool:
    place = (
        Payment.channel_id == payment.channel_id
        if payment.channel_id is not None
        else and_(Payment.channel_id.is_(None), Payment.provider_account_id == payment.provider_account_id)
    )
    rival = select(Payment.id).where(
        place,
        Payment.provider_reference == provider_reference,
        Payment.id != payment.id,
    )
    return await session.scalar(rival) is not None
