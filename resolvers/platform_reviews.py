"""The platform's look into one business's queue, and its decisions there."""

from uuid import UUID

from core.ids import Kind, outside
from core.pages import Page, PageRequest
from resolvers.idempotency import once, run_once
from resolvers.reviews import (
    ReviewFilter,
    as_input,
    asking_for_receipts,
    carry_out,
    evidence,
    prepared,
    reload,
    reviews_in,
)
from tenancy.audit import acting, record_audit
from tenancy.context import OwnerContext
from tenancy.roles import Scope
from tenancy.sessions import TenantSession
from tenant_db.reviews.commands import Decided
from tenant_db.reviews.evidence import Evidence
from tenant_db.reviews.models import Review


async def tenant_reviews(
    context: OwnerContext, tenant_id: UUID, request: PageRequest, only: ReviewFilter
) -> Page[Review]:
    """Questions that wait in one business. Needs platform:read.

    Raises:
        TenantNotServed: the business can't be reached.
    """
    context.require(Scope.PLATFORM_READ)
    return await reviews_in(await context.services.tenants.settling(tenant_id), request, only)


async def tenant_review_evidence(context: OwnerContext, tenant_id: UUID, id: UUID) -> Evidence | None:
    """What stands beside a question; the look stands in the platform's audit log. Needs platform:read.

    None: the business has no such question.

    Raises:
        TenantNotServed: the business can't be reached.
    """
    context.require(Scope.PLATFORM_READ)
    tenant = await context.services.tenants.settling(tenant_id)
    async with context.owner.transaction() as session:
        record_audit(
            session,
            acting(context),
            "review_evidence",
            subject=outside(Kind.REVIEW, id),
            details={"tenant": outside(Kind.TENANT, tenant_id)},
        )
    async with tenant.reading() as session:
        row = await session.get(Review, id)
    return None if row is None else await evidence(tenant, row)


async def decide_tenant_review(
    context: OwnerContext, tenant_id: UUID, decided: Decided, idempotency_key: str
) -> Review:
    """Decide a question of a business. Needs platform:money. It stands in both audit logs.

    Raises:
        InvalidInput: no reason was given, or a proof or store is missing.
        DomainError: whatever `deciding.decide_review` refuses.
        TenantNotServed: the business can't be reached.
        IdempotencyKeyReused, IdempotencyInProgress: as `run_once`.
    """
    context.require(Scope.PLATFORM_MONEY)
    tenant = await context.services.tenants.settling(tenant_id)
    command = await prepared(context, tenant, decided)

    async def effect(session: TenantSession) -> Review:
        row = await carry_out(session, command, acting(context), context)
        # Last, so that a refusal leaves nothing there. A crash in between leaves a decision not made.
        async with context.owner.transaction() as own:
            record_audit(
                own,
                acting(context),
                "decide_tenant_review",
                subject=outside(Kind.REVIEW, row.id),
                reason=command.reason,
                details={"tenant": outside(Kind.TENANT, tenant_id), "decision": command.decision.value},
            )
        return row

    wanted = once(
        context,
        "decide_tenant_review",
        idempotency_key,
        input=as_input(command),
        ids={"review": decided.review_id},
    )
    async with asking_for_receipts(tenant):
        return await run_once(tenant.transaction, wanted, effect, reload)
