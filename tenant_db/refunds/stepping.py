"""Writes a refund's step: its event, and the notices that wake subscribers after the commit."""

from tenancy.sessions import Notice, TenantSession
from tenant_db.refunds.machine import RefundStatus
from tenant_db.refunds.models import Refund
from tenant_db.refunds.rules import RefundCause


def step(
    session: TenantSession, refund: Refund, to: RefundStatus, cause: RefundCause, **details: str | int
) -> None:
    """Advance a locked refund through the machine."""
    session.add(refund.advance(to, cause, dict(details)))
    tell(session, refund)


def remark(session: TenantSession, refund: Refund, cause: RefundCause, **details: str | int) -> None:
    """Record what was learnt of a locked refund without a step."""
    session.add(refund.remark(cause, dict(details)))
    tell(session, refund)


def tell(session: TenantSession, refund: Refund) -> None:
    """Publish after the commit that the refund has a new version."""
    payload = {"id": str(refund.id), "version": refund.version, "status": refund.status}
    session.after.notices += [Notice(f"refund:{refund.id}", payload), Notice("refunds", payload)]
