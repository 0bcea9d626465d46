"""Writes a refund's step: its event, and who is told of it after the commit."""

from collections.abc import Mapping
from typing import Final

from core.ids import Kind, outside
from tenancy.sessions import Notice, TenantSession
from tenant_db.refunds.machine import RefundStatus
from tenant_db.refunds.models import Refund
from tenant_db.refunds.rules import RefundCause
from tenant_db.webhooks.rules import WebhookEvent
from tenant_db.webhooks.telling import Happened, tell_endpoints

_EVENTS: Final[Mapping[RefundStatus, WebhookEvent]] = {
    RefundStatus.SUCCEEDED: WebhookEvent.REFUND_SUCCEEDED,
    RefundStatus.FAILED: WebhookEvent.REFUND_FAILED,
    RefundStatus.REVERSED: WebhookEvent.REFUND_REVERSED,
}


def step(
    session: TenantSession, refund: Refund, to: RefundStatus, cause: RefundCause, **details: str | int
) -> None:
    """Advance a locked refund through the machine."""
    session.add(refund.advance(to, cause, dict(details)))
    tell(session, refund)
    tell_end(session, refund)


def remark(session: TenantSession, refund: Refund, cause: RefundCause, **details: str | int) -> None:
    """Record what was learnt of a locked refund without a step."""
    session.add(refund.remark(cause, dict(details)))
    tell(session, refund)


def tell(session: TenantSession, refund: Refund) -> None:
    """Publish after the commit that the refund has a new version."""
    payload = {"id": str(refund.id), "version": refund.version, "status": refund.status}
    session.after.notices += [Notice(f"refund:{refund.id}", payload), Notice("refunds", payload)]


def tell_end(session: TenantSession, refund: Refund) -> None:
    """Leave a message for the tenant's own systems where the refund has come to an end."""
    event = _EVENTS.get(refund.state)
    if event is None:
        return
    data = {
        "id": outside(Kind.REFUND, refund.id),
        "paymentId": outside(Kind.PAYMENT, refund.payment_id),
        "amountMinor": str(refund.amount_minor),
        "currency": refund.currency.value,
        "status": refund.status,
        "origin": refund.origin,
        "reason": refund.reason,
        "providerReference": refund.provider_reference,
        "failureMessage": refund.failure_message,
        "version": refund.version,
    }
    tell_endpoints(session, Happened(event, outside(Kind.REFUND, refund.id), refund.version, data))
