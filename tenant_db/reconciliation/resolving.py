"""Resolves a finding: a person's note, and the adjustment that corrects the books, if there is one."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from core.errors import NotFound
from core.ids import Kind, outside
from core.money import Money
from tenancy.sessions import TenantSession
from tenant_db.ledger.locking import lock_known_accounts
from tenant_db.ledger.posting import NewTransfer, post
from tenant_db.ledger.rules import TransferKind, guard_custody
from tenant_db.reconciliation.errors import FindingNotOpen
from tenant_db.reconciliation.models import Finding
from tenant_db.reconciliation.rules import FindingState


@dataclass(frozen=True, slots=True)
class NewAdjustment:
    """The command to correct the books by one transfer."""

    source_id: UUID
    """Is debited."""
    destination_id: UUID
    """Is credited."""
    amount: Money


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a person decided about a finding."""

    finding_id: UUID
    note: str
    by: str
    """`{kind}:{id}` of the actor."""
    adjustment: NewAdjustment | None = None


async def resolve_finding(session: TenantSession, resolution: Resolution, now: datetime) -> Finding:
    """Resolve an open finding, once, and post its adjustment in the caller's transaction.

    Raises:
        NotFound: no such finding.
        FindingNotOpen: it was resolved before, or is no longer seen.
        CustodyMixed: people may not post between these accounts.
        DomainError: whatever `posting.post` refuses of the adjustment.
    """
    finding = await session.get(Finding, resolution.finding_id, with_for_update=True, populate_existing=True)
    if finding is None:
        raise NotFound("finding")
    if finding.state != FindingState.OPEN:
        raise FindingNotOpen(finding.state)
    if resolution.adjustment is not None:
        finding.adjustment_id = await _adjust(session, resolution, resolution.adjustment)
    finding.state = FindingState.RESOLVED.value
    finding.resolved_at = now
    finding.resolved_by = resolution.by
    finding.note = resolution.note
    return finding


async def _adjust(session: TenantSession, resolution: Resolution, adjustment: NewAdjustment) -> UUID:
    ids = (adjustment.source_id, adjustment.destination_id)
    accounts = await lock_known_accounts(session, set(ids))
    guard_custody(*(accounts[id_] for id_ in ids))
    posted = await post(
        session,
        NewTransfer(
            source_id=adjustment.source_id,
            destination_id=adjustment.destination_id,
            amount=adjustment.amount,
            kind=TransferKind.ADJUSTMENT,
            reference=outside(Kind.FINDING, resolution.finding_id),
            idempotency_key=f"adjustment:{resolution.finding_id}",
            details={"reason": resolution.note},
        ),
    )
    return posted.id
