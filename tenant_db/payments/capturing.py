"""Asks for authorised money to be taken; a job tells the provider."""

from uuid import UUID

from core.errors import InvalidInput
from core.money import Money
from tenancy.outbox import announce
from tenancy.sessions import TenantSession
from tenant_db.payments.errors import CaptureTooMuch, NotWaiting, WrongCurrency
from tenant_db.payments.locking import find_and_lock, lock_payment
from tenant_db.payments.machine import AUTHORIZED
from tenant_db.payments.models import Payment
from tenant_db.payments.rules import Cause, SubStatus
from tenant_db.payments.stepping import remark


async def request_capture(session: TenantSession, payment_id: UUID, amount: Money | None) -> Payment:
    """Have all of an authorised payment taken, or a part; the rest goes back to the payer.

    Once it was asked for, it can't be asked for again, unless the provider has refused it.

    Raises:
        NotFound: no such payment.
        NotWaiting: it is not authorised, or is being captured or cancelled.
        WrongCurrency, CaptureTooMuch, InvalidInput: the amount can't be taken.
    """
    payment = await find_and_lock(session, payment_id)
    if payment.state is not AUTHORIZED:
        raise NotWaiting(payment.status, "to be captured")
    if payment.sub_status in {SubStatus.CAPTURING, SubStatus.CANCELLING}:
        raise NotWaiting(payment.sub_status, "to be captured")
    promised = Money(payment.authorized_minor or payment.amount_minor, payment.currency)
    taken = amount or promised
    if taken.currency is not promised.currency:
        raise WrongCurrency(promised.currency, taken.currency)
    if taken.minor <= 0:
        raise InvalidInput("amount", "Capture more than nothing, or cancel the payment.")
    if taken.minor > promised.minor:
        raise CaptureTooMuch(promised)
    payment.captured_minor = taken.minor
    payment.sub_status = SubStatus.CAPTURING.value
    remark(session, payment, Cause.API, capture=str(taken.minor))
    announce(session, "capture_payment", queue="payments", payment_id=str(payment.id))
    return payment


async def wanted_capture(session: TenantSession, payment_id: UUID) -> Money | None:
    """What is to be taken now; None where it was taken, or is not to be taken any more."""
    payment = await session.get_one(Payment, payment_id)
    is_wanted = payment.state is AUTHORIZED and payment.sub_status == SubStatus.CAPTURING
    return payment.due if is_wanted else None


async def refuse_capture(session: TenantSession, payment_id: UUID, why: str) -> None:
    """The provider would not take it: the payment is authorised as before, and may be captured again."""
    payment = await lock_payment(session, payment_id)
    if payment.state is AUTHORIZED and payment.sub_status == SubStatus.CAPTURING:
        payment.captured_minor = None
        payment.sub_status = SubStatus.AUTHORIZED.value
        remark(session, payment, Cause.JOB, refused=why)
