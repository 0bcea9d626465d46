"""Tells of a dispute's new version after the commit: subscribers, and the tenant's own systems."""

from core.ids import Kind, outside
from tenancy.sessions import Notice, TenantSession
from tenant_db.disputes.models import Dispute
from tenant_db.webhooks.rules import WebhookEvent
from tenant_db.webhooks.telling import Happened, tell_endpoints


def tell(session: TenantSession, dispute: Dispute) -> None:
    """Publish that the dispute has a new version."""
    payload = {"id": str(dispute.id), "version": dispute.version}
    session.after.notices += [Notice(f"dispute:{dispute.id}", payload), Notice("disputes", payload)]


def tell_happened(session: TenantSession, dispute: Dispute, event: WebhookEvent) -> None:
    """Leave a message for the tenant's own systems."""
    due = dispute.evidence_due_at
    data = {
        "id": outside(Kind.DISPUTE, dispute.id),
        "paymentId": outside(Kind.PAYMENT, dispute.payment_id),
        "amountMinor": str(dispute.amount_minor),
        "currency": dispute.currency.value,
        "status": dispute.status,
        "reason": dispute.reason,
        "providerReference": dispute.provider_reference,
        "evidenceDueAt": None if due is None else due.isoformat(),
        "version": dispute.version,
    }
    tell_endpoints(session, Happened(event, outside(Kind.DISPUTE, dispute.id), dispute.version, data))
