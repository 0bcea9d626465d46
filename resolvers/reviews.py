"""The people's queue of a business: questions with the evidence beside them, and what was decided."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from sqlalchemy import select

from core.ids import Kind, inside, outside
from core.pages import Page, PageRequest
from resolvers.idempotency import once, run_once
from resolvers.missed import missed_rows
from resolvers.pages import page_of
from resolvers.reasons import required_reason
from resolvers.refunds import offer_for
from tenancy.audit import Actor, acting, record_audit
from tenancy.context import OwnerContext, TenantContext
from tenancy.feed import RESYNC
from tenancy.roles import Scope
from tenancy.sessions import Tenant, TenantSession
from tenant_db.payments.locking import lock_payment
from tenant_db.payments.reviewing import ask_for_receipt
from tenant_db.reviews.commands import Decided
from tenant_db.reviews.deciding import decide_review
from tenant_db.reviews.errors import MoneyMayBeAnothers
from tenant_db.reviews.evidence import Evidence, evidence_of
from tenant_db.reviews.models import Review
from tenant_db.reviews.rules import ReviewCause, ReviewDecision, ReviewState

RECENT_MAX: Final = 20
"""Open reviews that a stream begins with."""
_TIMES: Final = (Review.last_at, Review.decided_at)
"""One of them moves with every change."""


@dataclass(frozen=True, slots=True)
class ReviewFilter:
    """Which reviews a page is of; None is all."""

    state: ReviewState | None = None
    cause: ReviewCause | None = None


async def reviews(context: TenantContext, request: PageRequest, only: ReviewFilter) -> Page[Review]:
    """Needs payments:read."""
    context.require(Scope.PAYMENTS_READ)
    return await reviews_in(context.tenant, request, only)


async def review(context: TenantContext, id: UUID) -> Review | None:
    """Needs payments:read. None: this business has no such review."""
    context.require(Scope.PAYMENTS_READ)
    async with context.tenant.reading() as session:
        return await session.get(Review, id)


async def evidence(tenant: Tenant, review: Review) -> Evidence:
    """What stands beside a question. The caller has checked the scope."""
    async with tenant.reading() as session:
        return await evidence_of(session, review)


async def decide(context: TenantContext, decided: Decided, idempotency_key: str) -> Review:
    """Decide a question, and carry the decision out in the same transaction. Needs ledger:write.

    Raises:
        InvalidInput: no reason was given, or a proof or store is missing.
        DomainError: whatever `deciding.decide_review` refuses.
        IdempotencyKeyReused, IdempotencyInProgress: as `run_once`.
    """
    context.require(Scope.LEDGER_WRITE)
    command = await prepared(context, context.tenant, decided)
    actor = acting(context)

    async def effect(session: TenantSession) -> Review:
        return await carry_out(session, command, actor, context)

    wanted = once(
        context, "decide_review", idempotency_key, input=as_input(command), ids={"review": decided.review_id}
    )
    async with asking_for_receipts(context.tenant):
        return await run_once(context.tenant.transaction, wanted, effect, reload)


async def review_updates(context: TenantContext) -> AsyncGenerator[Review, None]:
    """The newest open questions, then every one that is opened, added to or closed. Needs payments:read.

    A version may come twice: whoever shows them keeps the highest of each review.

    Raises:
        FeedInterrupted: too much has changed while the feed was away.
    """
    context.require(Scope.PAYMENTS_READ)
    async with context.services.feed.subscribe(context.tenant.id, {"reviews"}) as notices:
        for row in await _recent(context):
            yield row
        async for notice in notices:
            if notice.topic == RESYNC.topic and notices.missed_since is not None:
                for row in await missed_rows(context, Review, _TIMES, notices.missed_since):
                    yield row
                continue
            changed = await review(context, UUID(notice.payload["id"]))
            if changed is not None:
                yield changed


async def reviews_in(tenant: Tenant, request: PageRequest, only: ReviewFilter) -> Page[Review]:
    """One page of a business's questions. The caller has checked the scope."""
    rows = select(Review)
    if only.state is not None:
        rows = rows.where(Review.state == only.state)
    if only.cause is not None:
        rows = rows.where(Review.cause == only.cause)
    async with tenant.reading() as session:
        return await page_of(session, rows, Review, request)


async def prepared(context: TenantContext | OwnerContext, tenant: Tenant, decided: Decided) -> Decided:
    """The caller's command, its reason checked, with what the provider can give back if that matters."""
    principal = context.signed_in()
    by = f"{principal.kind}:{principal.id}"
    command = replace(decided, reason=required_reason(decided.reason), by=by)
    if command.decision is not ReviewDecision.REFUND:
        return command
    async with tenant.reading() as session:
        found = await session.get(Review, decided.review_id)
    if found is None or found.payment_id is None:
        return command
    return replace(command, offer=await offer_for(context, tenant, found.payment_id))


async def carry_out(
    session: TenantSession, command: Decided, actor: Actor, context: TenantContext | OwnerContext
) -> Review:
    """Decide within the caller's transaction, and leave the audit row there."""
    row = await decide_review(session, command, context.services.clock())
    record_audit(
        session,
        actor,
        "decide_review",
        subject=outside(Kind.REVIEW, row.id),
        reason=command.reason,
        details={"decision": command.decision.value, "proof": command.proof, **row.outcome},
    )
    return row


@asynccontextmanager
async def asking_for_receipts(tenant: Tenant) -> AsyncGenerator[None, None]:
    """Where a decision is refused because a paid payment may have that money, ask which receipt it has.

    What was refused is rolled back as a whole, so the question is put in a transaction of its own.
    """
    try:
        yield
    except MoneyMayBeAnothers as refusal:
        async with tenant.transaction() as session:
            payment = await lock_payment(session, inside(Kind.PAYMENT, refusal.payment_id))
            await ask_for_receipt(session, payment)
        raise


def as_input(command: Decided) -> Mapping[str, object]:
    amount = command.amount
    parts: Sequence[str] | None = None if amount is None else [str(amount.minor), amount.currency.value]
    return {
        "review": str(command.review_id),
        "decision": command.decision.value,
        "reason": command.reason,
        "proof": command.proof,
        "store": None if command.store_id is None else str(command.store_id),
        "amount": parts,
    }


async def reload(session: TenantSession, ids: Mapping[str, UUID]) -> Review:
    return await session.get_one(Review, ids["review"])


async def _recent(context: TenantContext) -> list[Review]:
    """Oldest first, as they would have come."""
    page = await reviews(context, PageRequest(RECENT_MAX), ReviewFilter(ReviewState.OPEN))
    return list(reversed(page.rows))
