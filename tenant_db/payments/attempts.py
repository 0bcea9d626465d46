"""What a provider must be told about one attempt to collect."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from core.collecting import CaptureMode, Method
from core.money import Money
from core.phone import Phone
from tenancy.sessions import TenantSession
from tenant_db.customers.models import Customer
from tenant_db.payments.models import Payment


@dataclass(frozen=True, slots=True)
class Attempt:
    """The same for each time it is sent: what a provider compares under one idempotency key."""

    payment_id: UUID
    account_id: UUID
    attempt_key: str
    amount: Money
    reference: str
    description: str
    method: Method
    capture: CaptureMode
    phone: Phone | None
    email: str | None
    payer_name: str | None
    return_url: str | None
    sent_at: datetime | None


async def attempt_of(session: TenantSession, payment: Payment) -> Attempt:
    """The attempt that a payment is at now."""
    customer = None
    if payment.customer_id is not None:
        customer = await session.get(Customer, payment.customer_id)
    return Attempt(
        payment_id=payment.id,
        account_id=payment.provider_account_id,
        attempt_key=payment.attempt_key,
        amount=payment.amount,
        reference=payment.reference,
        description=payment.description,
        method=Method(payment.method),
        capture=CaptureMode(payment.capture_mode),
        phone=Phone(payment.phone) if payment.phone else None,
        email=payment.email,
        payer_name=None if customer is None else customer.name,
        return_url=payment.return_url,
        sent_at=payment.submitted_at,
    )
