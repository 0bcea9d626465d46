"""Shows a payment to a person, because something about it contradicts."""

import structlog

from tenancy.sessions import TenantSession
from tenant_db.payments.models import Payment
from tenant_db.payments.rules import Cause
from tenant_db.payments.stepping import remark

log = structlog.get_logger()


def flag(session: TenantSession, payment: Payment, note: str, cause: Cause) -> None:
    """Mark a locked payment for review; saying the same again changes nothing."""
    if payment.needs_review and note in (payment.review_note or "").split("\n"):
        return
    payment.review_note = "\n".join(filter(None, [payment.review_note, note]))
    payment.needs_review = True
    remark(session, payment, cause, review=note)
    log.warning("payment_needs_review", payment_id=str(payment.id), note=note)
