"""Checking the books, and what people do about what does not agree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from core.ids import Kind, new_id, outside
from core.pages import Page, PageRequest
from resolvers.idempotency import once, run_once
from resolvers.pages import page_of
from resolvers.reasons import required_reason
from tenancy.audit import acting, record_audit
from tenancy.context import TenantContext
from tenancy.roles import Scope
from tenancy.sessions import TenantSession
from tenant_db.reconciliation import reconciling, resolving
from tenant_db.reconciliation.models import Finding, Reconciliation
from tenant_db.reconciliation.reconciling import NewReconciliation, plan
from tenant_db.reconciliation.resolving import NewAdjustment, Resolution
from tenant_db.reconciliation.rules import AskedBy, FindingKind, FindingState

FINDINGS_SHOWN_MAX = 100


@dataclass(frozen=True, slots=True)
class FindingFilter:
    """Which findings a page is of; None is all."""

    state: FindingState | None = None
    kind: FindingKind | None = None
    store_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Reconciled:
    """One check, and the first of the open findings it saw."""

    row: Reconciliation
    findings: Sequence[Finding]


async def findings(context: TenantContext, request: PageRequest, only: FindingFilter) -> Page[Finding]:
    """Needs ledger:read."""
    context.require(Scope.LEDGER_READ)
    rows = select(Finding)
    wanted = {Finding.state: only.state, Finding.kind: only.kind, Finding.store_id: only.store_id}
    for column, value in wanted.items():
        if value is not None:
            rows = rows.where(column == value)
    async with context.tenant.reading() as session:
        return await page_of(session, rows, Finding, request)


async def finding(context: TenantContext, id: UUID) -> Finding | None:
    """Needs ledger:read. None: this business has no such finding."""
    context.require(Scope.LEDGER_READ)
    async with context.tenant.reading() as session:
        return await session.get(Finding, id)


async def reconcile_store_balance(context: TenantContext, store_id: UUID, idempotency_key: str) -> Reconciled:
    """Check a store's balances against its entries, holds and payments now. Needs ledger:write.

    Nothing that posts is held up. The same key gives the same check again, as it was.

    Raises:
        NotFound: no such store.
        IdempotencyKeyReused, IdempotencyInProgress: as `run_once`.
    """
    context.require(Scope.LEDGER_WRITE)
    id_ = new_id()

    async def effect(session: TenantSession) -> Reconciled:
        wanted = plan(NewReconciliation(store_id, AskedBy.TENANT), id_)
        row = await reconciling.reconcile(session, wanted, context.services.clock())
        record_audit(
            session,
            acting(context),
            "reconcile_store_balance",
            subject=outside(Kind.STORE, store_id),
            details={"findings": row.finding_count},
        )
        return await reconciled(session, row)

    wanted = once(
        context,
        "reconcile_store_balance",
        idempotency_key,
        input={"store": str(store_id)},
        ids={"reconciliation": id_},
    )
    return await run_once(context.tenant.transaction, wanted, effect, _reload)


async def resolve_finding(
    context: TenantContext, id: UUID, note: str, adjustment: NewAdjustment | None, idempotency_key: str
) -> Finding:
    """Close a finding with a note, and post its adjustment in the same transaction. Needs ledger:write.

    Raises:
        InvalidInput: the note is empty or too long.
        NotFound: no such finding.
        FindingNotOpen: it was resolved before, or is no longer seen.
        IdempotencyKeyReused, IdempotencyInProgress: as `run_once`.
        DomainError: whatever the ledger refuses of the adjustment.
    """
    principal = context.require(Scope.LEDGER_WRITE)
    said = required_reason(note)

    async def effect(session: TenantSession) -> Finding:
        resolution = Resolution(id, said, f"{principal.kind}:{principal.id}", adjustment)
        resolved = await resolving.resolve_finding(session, resolution, context.services.clock())
        transfer_id = resolved.adjustment_id
        record_audit(
            session,
            acting(context),
            "resolve_finding",
            subject=outside(Kind.FINDING, id),
            reason=said,
            details={} if transfer_id is None else {"adjustment": outside(Kind.TRANSFER, transfer_id)},
        )
        return resolved

    input_ = {"finding": str(id), "note": said, "adjustment": _plain(adjustment)}
    wanted = once(context, "resolve_finding", idempotency_key, input=input_, ids={"finding": id})
    return await run_once(context.tenant.transaction, wanted, effect, _reload_finding)


async def reconciled(session: TenantSession, row: Reconciliation) -> Reconciled:
    """A finished check with the open findings that no later check has seen again."""
    found = await session.scalars(
        select(Finding)
        .where(Finding.reconciliation_id == row.id, Finding.state == FindingState.OPEN)
        .order_by(Finding.kind, Finding.subject)
        .limit(FINDINGS_SHOWN_MAX)
    )
    return Reconciled(row, found.all())


async def _reload(session: TenantSession, ids: Mapping[str, UUID]) -> Reconciled:
    return await reconciled(session, await session.get_one(Reconciliation, ids["reconciliation"]))


async def _reload_finding(session: TenantSession, ids: Mapping[str, UUID]) -> Finding:
    return await session.get_one(Finding, ids["finding"])


def _plain(adjustment: NewAdjustment | None) -> list[str] | None:
    if adjustment is None:
        return None
    amount = adjustment.amount
    return [
        str(adjustment.source_id),
        str(adjustment.destination_id),
        str(amount.minor),
        amount.currency.value,
    ]
