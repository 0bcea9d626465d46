"""Disputes: reading them, and keeping what the business says for itself."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from core.errors import NotFound
from core.ids import Kind, outside
from core.pages import Page, PageRequest
from resolvers.idempotency import once, run_once
from resolvers.pages import page_of
from tenancy.audit import acting, record_audit
from tenancy.context import TenantContext
from tenancy.roles import Scope
from tenancy.sessions import TenantSession
from tenant_db.disputes.answering import submit_evidence
from tenant_db.disputes.models import Dispute
from tenant_db.disputes.rules import DisputeStatus


@dataclass(frozen=True, slots=True)
class DisputeFilter:
    """Which disputes a page is of; None is all."""

    status: DisputeStatus | None = None
    payment_id: UUID | None = None
    store_id: UUID | None = None


async def disputes(context: TenantContext, request: PageRequest, only: DisputeFilter) -> Page[Dispute]:
    """Needs payments:read."""
    context.require(Scope.PAYMENTS_READ)
    rows = select(Dispute)
    wanted = {
        Dispute.status: only.status,
        Dispute.payment_id: only.payment_id,
        Dispute.store_id: only.store_id,
    }
    for column, value in wanted.items():
        if value is not None:
            rows = rows.where(column == value)
    async with context.tenant.reading() as session:
        return await page_of(session, rows, Dispute, request)


async def dispute(context: TenantContext, id: UUID) -> Dispute | None:
    """Needs payments:read. None: this business has no such dispute."""
    context.require(Scope.PAYMENTS_READ)
    async with context.tenant.reading() as session:
        return await session.get(Dispute, id)


async def submit_dispute_evidence(
    context: TenantContext, id: UUID, evidence: Mapping[str, str], idempotency_key: str
) -> Dispute:
    """Keep evidence with a dispute. Needs payments:refund.

    Raises:
        NotFound: no such dispute.
        DisputeClosed: the bank has decided.
        InvalidInput: nothing was sent, or a field is empty or too long.
        IdempotencyKeyReused, IdempotencyInProgress: as `run_once`.
    """
    context.require(Scope.PAYMENTS_REFUND)

    async def effect(session: TenantSession) -> Dispute:
        row = await submit_evidence(session, id, evidence, context.services.clock())
        record_audit(
            session,
            acting(context),
            "submit_dispute_evidence",
            subject=outside(Kind.DISPUTE, id),
            details={"fields": sorted(evidence)},
        )
        return row

    wanted = once(
        context,
        "submit_dispute_evidence",
        idempotency_key,
        input={"dispute": str(id), "evidence": dict(evidence)},
        ids={"dispute": id},
    )
    return await run_once(context.tenant.transaction, wanted, effect, _reload)


async def dispute_updates(context: TenantContext, id: UUID) -> AsyncGenerator[Dispute, None]:
    """One dispute now, and again after each change. Needs payments:read.

    Raises:
        NotFound: this business has no such dispute.
    """
    context.require(Scope.PAYMENTS_READ)
    async with context.services.feed.subscribe(context.tenant.id, {f"dispute:{id}"}) as notices:
        shown = await dispute(context, id)
        if shown is None:
            raise NotFound("dispute")
        yield shown
        async for _ in notices:
            newer = await dispute(context, id)
            if newer is not None and newer.version > shown.version:
                shown = newer
                yield shown


async def _reload(session: TenantSession, ids: Mapping[str, UUID]) -> Dispute:
    return await session.get_one(Dispute, ids["dispute"])
