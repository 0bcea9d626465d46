"""Hands a refund to its provider, once: claim it, and record a call that did not answer."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from core.money import Money
from tenancy.sessions import TenantSession
from tenant_db.payments.models import Payment
from tenant_db.refunds.locking import Locked, lock_refund
from tenant_db.refunds.machine import PENDING, REQUESTED, SUBMITTING, UNKNOWN, RefundStatus
from tenant_db.refunds.models import Refund
from tenant_db.refunds.rules import SEND_WINDOW, NotDone, RefundCause
from tenant_db.refunds.settling import settle_locked
from tenant_db.refunds.stepping import step

NEVER_SENT = "The provider could not be reached for a day; nothing was sent."


@dataclass(frozen=True, slots=True)
class Order:
    """What a provider must be told about a refund, and what it may be asked."""

    refund_id: UUID
    amount: Money
    reason: str
    provider_reference: str | None
    """The refund's."""
    payment_id: UUID
    paid: Money
    """What the payment was for."""
    payment_reference: str
    """The provider's id of the payment; empty where only its receipt is known."""
    request_reference: str | None
    receipt: str | None
    sent_at: datetime | None
    """When it was last claimed for sending."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A refund that this run, and no other, may send."""

    order: Order
    is_first: bool
    """Whether it was never claimed before, so that nothing asks for it yet."""


def order_of(payment: Payment, refund: Refund) -> Order:
    """The order that a refund is for its provider."""
    return Order(
        refund.id,
        refund.amount,
        refund.reason,
        refund.provider_reference,
        payment.id,
        payment.amount,
        payment.provider_reference or "",
        payment.request_reference,
        payment.receipt,
        refund.submitted_at,
    )


async def claim(
    session: TenantSession, refund_id: UUID, item_hash: bytes | None, now: datetime
) -> Claim | RefundStatus:
    """Take the refund for sending: commit before the call, so that a crash leaves a trace.

    `item_hash` is the SHA-256 of the secret part of the URL that the result comes to, if it comes so.
    Anything but a Claim means that nothing may be sent. One found `submitting` was claimed by a run that
    died: whether it was sent nobody knows, so it becomes `unknown`. One that could not be sent for a day
    fails, and its money is free.
    """
    locked = await lock_refund(session, refund_id)
    refund = locked.refund
    if refund.state is SUBMITTING:
        step(session, refund, UNKNOWN, RefundCause.JOB, why="a run was cut off while it was sent")
        return refund.state
    if refund.state is not REQUESTED:
        return refund.state
    if now - refund.created_at > SEND_WINDOW:
        await give_up(session, locked, now)
        return refund.state
    is_first = refund.submitted_at is None
    if item_hash is not None:
        refund.item_hash = item_hash
    refund.submitted_at = now
    step(session, refund, SUBMITTING, RefundCause.JOB)
    return Claim(order_of(locked.payment, refund), is_first)


async def release(session: TenantSession, refund_id: UUID, why: str) -> RefundStatus:
    """Surely nothing was sent: back to `requested`, to be tried again.

    Where another run has called this one cut off meanwhile, the provider is asked first.
    """
    refund = (await lock_refund(session, refund_id)).refund
    if refund.state is SUBMITTING:
        step(session, refund, REQUESTED, RefundCause.JOB, why=why)
    return refund.state


async def doubt(session: TenantSession, refund_id: UUID, why: str) -> RefundStatus:
    """It was sent and no answer came: `unknown`, and asked about before anything else."""
    refund = (await lock_refund(session, refund_id)).refund
    if refund.state is SUBMITTING:
        step(session, refund, UNKNOWN, RefundCause.JOB, why=why)
    return refund.state


async def reject(session: TenantSession, refund_id: UUID, told: NotDone, now: datetime) -> RefundStatus:
    """The provider refused this call: the refund fails, unless an earlier call has been heard of meanwhile.

    Then that one stands: the refusal tells nothing of it.
    """
    locked = await lock_refund(session, refund_id)
    if locked.refund.state in (SUBMITTING, UNKNOWN):
        await settle_locked(session, locked, told, RefundCause.JOB, now)
    return locked.refund.state


async def repeats(session: TenantSession, refund_id: UUID, attention: str | None) -> RefundStatus:
    """The provider says that this request repeats an earlier one: what became of that one is unknown.

    The request's own id is forgotten, for its end says nothing of the money. `attention` is set where the
    provider says that the money went back already: then it is never sent again.
    """
    refund = (await lock_refund(session, refund_id)).refund
    if refund.state is PENDING:
        step(session, refund, UNKNOWN, RefundCause.CALLBACK, why="the provider has had this request before")
    if refund.state is UNKNOWN:
        refund.provider_reference = None
        refund.attention = attention
    return refund.state


async def send_again(session: TenantSession, refund_id: UUID, asked_at: datetime) -> RefundStatus:
    """The provider surely never got it, so it may be sent again.

    `asked_at` is the claim that the question was about: what a later one may have sent stays in doubt.
    """
    refund = (await lock_refund(session, refund_id)).refund
    if refund.state is UNKNOWN and refund.submitted_at == asked_at and refund.attention is None:
        step(session, refund, REQUESTED, RefundCause.QUERY, why="the provider never got it")
    return refund.state


async def give_up(session: TenantSession, locked: Locked, now: datetime) -> None:
    """Fail a refund that was not sent and can't be any more."""
    await settle_locked(session, locked, NotDone("not_sent", NEVER_SENT), RefundCause.JOB, now)


async def expire_unsent(session: TenantSession, refund_id: UUID, now: datetime) -> RefundStatus:
    """Fail a refund that waits to be sent for longer than a day."""
    locked = await lock_refund(session, refund_id)
    if locked.refund.state is REQUESTED and now - locked.refund.created_at > SEND_WINDOW:
        await give_up(session, locked, now)
    return locked.refund.state
