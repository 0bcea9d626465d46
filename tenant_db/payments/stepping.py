"""Writes a payment's step: its event, and the notices that wake subscribers after the commit."""

from tenancy.metrics import PAYMENTS
from tenancy.sessions import Notice, TenantSession
from tenant_db.payments.machine import PaymentStatus
from tenant_db.payments.models import Payment
from tenant_db.payments.rules import Cause


def step(
    session: TenantSession, payment: Payment, to: PaymentStatus, cause: Cause, **details: str | int
) -> None:
    """Advance a locked payment through the machine."""
    session.add(payment.advance(to, cause, dict(details)))
    # Counted before the commit: what is rolled back counts too, which a gauge of trends can bear.
    PAYMENTS.labels(payment.provider, payment.status).inc()
    tell(session, payment)


def remark(session: TenantSession, payment: Payment, cause: Cause, **details: str | int) -> None:
    """Record what was learnt of a locked payment without a step."""
    session.add(payment.remark(cause, dict(details)))
    tell(session, payment)


def tell(session: TenantSession, payment: Payment) -> None:
    """Publish after the commit that the payment has a new version."""
    payload = {"id": str(payment.id), "version": payment.version, "status": payment.status}
    session.after.notices.append(Notice(f"payment:{payment.id}", payload))
    session.after.notices.append(Notice("payments", payload))
