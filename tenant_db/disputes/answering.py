"""Keeps what a business says for itself in a dispute."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from core.errors import InvalidInput, NotFound
from tenancy.sessions import TenantSession
from tenant_db.disputes.errors import DisputeClosed
from tenant_db.disputes.models import Dispute
from tenant_db.disputes.rules import ENDED, EVIDENCE_CHARACTERS_MAX
from tenant_db.disputes.stepping import tell


async def submit_evidence(
    session: TenantSession, dispute_id: UUID, evidence: Mapping[str, str], now: datetime
) -> Dispute:
    """Add to a dispute's evidence; a field that is sent again replaces what it held.

    It is a record for people: whoever answers the bank at the provider finds all of it in one place.

    Raises:
        NotFound: no such dispute.
        DisputeClosed: the bank has decided.
        InvalidInput: nothing was sent, or a field is empty or too long.
    """
    if not evidence:
        raise InvalidInput("evidence", "Send at least one piece of evidence.")
    for name, text in evidence.items():
        if not 1 <= len(text.strip()) <= EVIDENCE_CHARACTERS_MAX:
            raise InvalidInput(name, f"Send 1 to {EVIDENCE_CHARACTERS_MAX} characters.")
    dispute = await session.get(Dispute, dispute_id, with_for_update=True, populate_existing=True)
    if dispute is None:
        raise NotFound("dispute")
    if dispute.state in ENDED:
        raise DisputeClosed(dispute.status)
    dispute.evidence = {**dispute.evidence, **{name: text.strip() for name, text in evidence.items()}}
    dispute.evidence_submitted_at = now
    dispute.version += 1
    tell(session, dispute)
    return dispute
