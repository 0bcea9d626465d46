"""Takes back a payment that was not sent to its provider yet."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from core.errors import NotFound
from tenancy.sessions import TenantSession
from tenant_db.payments.errors import PaymentAlreadySent
from tenant_db.payments.machine import CANCELLED, CREATED
from tenant_db.payments.models import Payment
from tenant_db.payments.rules import Cause
from tenant_db.payments.stepping import step


async def cancel_payment(session: TenantSession, payment_id: UUID, now: datetime) -> Payment:
    """Cancel under the row's lock; the job that was to send it finds it cancelled. Again changes nothing.

    Raises:
        NotFound: no such payment.
        PaymentAlreadySent: it has left `created`, so the payer may have been asked.
    """
    payment = await session.scalar(
        select(Payment)
        .where(Payment.id == payment_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if payment is None:
        raise NotFound("payment")
    if payment.state is CANCELLED:
        return payment
    if payment.state is not CREATED:
        raise PaymentAlreadySent(payment.status)
    payment.settled_at = now
    step(session, payment, CANCELLED, Cause.API)
    return payment
