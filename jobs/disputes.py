"""Follows what providers tell of disputes."""

from uuid import UUID

import structlog

from core.alerts import AlertKind
from integrations.webhooks import DisputeTold
from jobs.work import Done, Result, Work
from tenant_db.alerts.raising import raise_alert
from tenant_db.disputes.rules import DisputeStatus
from tenant_db.disputes.telling import ToldDispute, tell_dispute
from tenant_db.refunds.finding import payment_named

log = structlog.get_logger()


async def dispute_told(work: Work, account_id: UUID, event: DisputeTold) -> Result:
    """Bring a dispute to where a proven message says it is; again, and in any order, is harmless."""
    async with work.tenant.transaction() as session:
        payment_id = await payment_named(session, account_id, event.payment_reference, event.receipt)
        if payment_id is None:
            message = f"A payment that is not known here is disputed: {event.reason or 'no reason told'}."
            details = {"account": str(account_id), "receipt": event.receipt or ""}
            subject = event.provider_reference
            await raise_alert(session, AlertKind.DISPUTE_OPENED, subject, message, details=details)
            return Done()
        told = ToldDispute(
            payment_id,
            event.provider_reference,
            event.amount,
            event.reason,
            DisputeStatus(event.status.value),
            event.evidence_due_at,
            event.is_withdrawn,
            event.fee,
            event.fee_returned,
        )
        await tell_dispute(session, told, work.services.clock())
    return Done()
