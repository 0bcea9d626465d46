"""Wakes who watches an order, after the commit."""

from uuid import UUID

from core.ids import Kind, outside
from tenancy.sessions import Notice, TenantSession
from tenant_db.orders.models import Order
from tenant_db.payments.models import Payment
from tenant_db.webhooks.rules import WebhookEvent
from tenant_db.webhooks.telling import Happened, tell_endpoints


def tell(session: TenantSession, order: Order) -> None:
    """Publish that the order has a new version."""
    tell_of(session, order.id)


def tell_of(session: TenantSession, order_id: UUID) -> None:
    """Publish that the order, or one of its payments, has changed."""
    session.after.notices.append(Notice(f"order:{order_id}", {"id": str(order_id)}))


def tell_paid(session: TenantSession, order_id: UUID, payment: Payment) -> None:
    """Leave a message for the tenant's own systems: this payment has covered what was due."""
    subject = outside(Kind.ORDER, order_id)
    data = {
        "id": subject,
        "reference": payment.order_reference,
        "paymentId": outside(Kind.PAYMENT, payment.id),
        "currency": payment.currency.value,
    }
    # An order becomes paid once.
    tell_endpoints(session, Happened(WebhookEvent.ORDER_PAID, subject, 1, data))
