"""Brings a locked payment to its end, and the money it brought into the books."""

from datetime import datetime
from typing import Final

from sqlalchemy import and_, exists, not_, or_, select

from core.money import Money
from tenancy.sessions import TenantSession
from tenant_db.orders.paying import PAID_TWICE, Reception, is_over, is_still_open, note_paid
from tenant_db.payments.crediting import charge_fee, credit
from tenant_db.payments.locking import lock_order
from tenant_db.payments.machine import (
    AUTHORIZED,
    CREATED,
    EXPIRED,
    FAILED,
    PENDING,
    SUBMITTING,
    SUCCEEDED,
    UNKNOWN,
)
from tenant_db.payments.models import Payment
from tenant_db.payments.reviewing import answered, flag
from tenant_db.payments.rules import MPESA, Cause, FailureReason, NotPaid, SubStatus, ended_as
from tenant_db.payments.stepping import step
from tenant_db.reviews.rules import ReviewCause

ORDER_PAID: Final = "Another attempt has paid the order meanwhile; the payer was not asked again."
NEVER_SENT: Final = "The provider could not be reached in time; the payer was never asked."


async def succeed(
    session: TenantSession,
    payment: Payment,
    receipt: str | None,
    cause: Cause,
    now: datetime,
    *,
    captured: Money | None = None,
    fee: Money | None = None,
) -> None:
    """Settle a payment that is proven paid, and credit its store, once.

    `receipt` must be free: unused by any other payment of the place, under its lock. `captured` is what
    was taken of authorised money, and `fee` what the provider kept; None where nobody says.
    A second payment of one order is shown to a person.
    """
    # Before the ledger's locks, for those are shared by many.
    is_second = await is_order_paid(session, payment)
    was = payment.state
    payment.receipt = receipt
    payment.sub_status = (SubStatus.STK_SUCCESS if payment.provider == MPESA else SubStatus.PAID).value
    payment.next_action = None
    if captured is not None:
        payment.captured_minor = captured.minor
    payment.failure_code = payment.failure_message = None
    payment.settled_at = now
    answered(session, payment)
    if was is CREATED:
        # It was taken back as surely not sent; the money says that it was sent after all.
        step(session, payment, SUBMITTING, cause)
    step(session, payment, SUCCEEDED, cause, **({"receipt": receipt} if receipt else {}))
    # Its order's row is this order's alone, so it is locked before the books, too.
    taken = await note_paid(session, payment, cause, now)
    await credit(session, payment, cause)
    if fee is not None:
        await charge_fee(session, payment, fee, cause)
    if is_second and taken is Reception.NO_ORDER:
        flag(session, payment, PAID_TWICE, cause, ReviewCause.DOUBLE_PAYMENT)


def end_unpaid(session: TenantSession, payment: Payment, told: NotPaid, cause: Cause, now: datetime) -> None:
    """End an open payment without money, as `rules.ended_as` says.

    Where we gave it up because the payer's time was over, what the payer was told last stays the reason.
    """
    # What was authorised did not wait for the payer any more.
    is_over = payment.state is not AUTHORIZED and now >= payment.expires_at
    to = ended_as(told.reason, window_over=is_over)
    payment.sub_status = (SubStatus.STK_FAILED if payment.provider == MPESA else SubStatus.NOT_PAID).value
    payment.next_action = None
    is_given_up = is_over and told.reason is FailureReason.CANCELLED_BY_MERCHANT
    if payment.failure_code is None or not is_given_up:
        payment.failure_code, payment.failure_message = told.reason.value, told.message
    payment.settled_at = now
    answered(session, payment)
    if payment.state is UNKNOWN and to is not FAILED:
        # The provider knows it, so it was pending all along.
        step(session, payment, PENDING, cause)
    step(session, payment, to, cause, code=told.code)


def expire_unsent(session: TenantSession, payment: Payment, now: datetime) -> None:
    """Give up a locked payment that could not be sent within its window: nothing was asked of anybody."""
    payment.failure_code = FailureReason.NOT_SENT.value
    payment.failure_message = NEVER_SENT
    payment.settled_at = now
    step(session, payment, EXPIRED, Cause.JOB)


async def is_order_paid(session: TenantSession, payment: Payment) -> bool:
    """Whether this one's order waits for no money any more; until the transaction ends, that stays so.

    Another attempt has paid it, or it is cancelled or expired. An order that was paid in part still waits.
    """
    reference = payment.order_reference
    if reference is None:
        return False
    # Two attempts that are paid at the same moment must not overlook each other.
    await lock_order(session, reference)
    rival = exists().where(
        Payment.order_reference == reference,
        Payment.status == SUCCEEDED,
        Payment.id != payment.id,
    )
    is_settled = or_(is_over(reference), and_(rival, not_(is_still_open(reference))))
    return bool(await session.scalar(select(is_settled)))
