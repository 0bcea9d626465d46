"""What the tenant's own systems are told of a payment."""

from typing import Any, Final

from core.ids import Kind, outside
from tenancy.sessions import TenantSession
from tenant_db.payments.machine import AUTHORIZED, CANCELLED, EXPIRED, FAILED, SUCCEEDED, PaymentStatus
from tenant_db.payments.models import Payment
from tenant_db.webhooks.rules import WebhookEvent
from tenant_db.webhooks.telling import Happened, tell_endpoints

EVENTS: Final = {
    AUTHORIZED: WebhookEvent.PAYMENT_AUTHORIZED,
    SUCCEEDED: WebhookEvent.PAYMENT_SUCCEEDED,
    FAILED: WebhookEvent.PAYMENT_FAILED,
    EXPIRED: WebhookEvent.PAYMENT_EXPIRED,
    CANCELLED: WebhookEvent.PAYMENT_CANCELLED,
}
"""Steps that a shop waits for; the others are for screens."""


def tell_of_step(session: TenantSession, payment: Payment, to: PaymentStatus) -> None:
    """Leave a message for the endpoints that want to be told of this step, if any would."""
    event = EVENTS.get(to)
    if event is not None:
        subject = outside(Kind.PAYMENT, payment.id)
        tell_endpoints(session, Happened(event, subject, payment.version, data_of(payment)))


def data_of(payment: Payment) -> dict[str, Any]:
    """The payment as it stands; amounts are whole minor units as text."""
    return {
        "id": outside(Kind.PAYMENT, payment.id),
        "status": payment.status,
        "amountMinor": str(payment.amount_minor),
        "currency": payment.currency.value,
        "provider": payment.provider,
        "environment": payment.environment,
        "storeId": outside(Kind.STORE, payment.store_id),
        "reference": payment.reference,
        "orderReference": payment.order_reference,
        "receipt": payment.receipt,
        "failureCode": payment.failure_code,
        "failureMessage": payment.failure_message,
        "version": payment.version,
    }
