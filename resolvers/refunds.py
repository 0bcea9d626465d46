"""Refunds: reading them, and giving money back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import func, select

from core.collecting import Feature
from core.errors import NotFound
from core.ids import Kind, outside
from core.money import Money
from core.pages import Page, PageRequest
from owner_db.catalog.errors import ProviderUnknown
from owner_db.catalog.providers import known_provider
from resolvers.idempotency import once, run_once
from resolvers.pages import page_of
from tenancy.audit import acting, record_audit
from tenancy.context import OwnerContext, TenantContext
from tenancy.outbox import announce
from tenancy.roles import Scope
from tenancy.sessions import Tenant, TenantSession
from tenant_db.disputes.models import Dispute
from tenant_db.disputes.rules import DisputeState, DisputeStatus, dispute_state
from tenant_db.payments.models import Payment
from tenant_db.refunds.machine import SUCCEEDED, RefundStatus
from tenant_db.refunds.models import Refund, RefundEvent
from tenant_db.refunds.requesting import NewRefund, request_refund
from tenant_db.refunds.rules import NOTHING_OFFERED, Offer, RefundState, refund_state

QUEUE = "payments"
STEPS_MAX = 100


@dataclass(frozen=True, slots=True)
class RefundFilter:
    """Which refunds a page is of; None is all."""

    status: RefundStatus | None = None
    payment_id: UUID | None = None
    store_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class GivenBack:
    """How the refunds and disputes of one payment stand."""

    paid_minor: int
    """What its store was, or would be, credited with."""
    refunds: Sequence[Refund]
    """The oldest first."""
    disputes: Sequence[DisputeStatus]

    @property
    def refunded_minor(self) -> int:
        return sum(refund.amount_minor for refund in self.refunds if refund.state is SUCCEEDED)

    @property
    def state(self) -> RefundState:
        return refund_state(self.paid_minor, [(refund.state, refund.amount_minor) for refund in self.refunds])

    @property
    def disputed(self) -> DisputeState:
        return dispute_state(self.disputes)


async def refunds(context: TenantContext, request: PageRequest, only: RefundFilter) -> Page[Refund]:
    """Needs payments:read."""
    context.require(Scope.PAYMENTS_READ)
    rows = select(Refund)
    wanted = {
        Refund.status: only.status,
        Refund.payment_id: only.payment_id,
        Refund.store_id: only.store_id,
    }
    for column, value in wanted.items():
        if value is not None:
            rows = rows.where(column == value)
    async with context.tenant.reading() as session:
        return await page_of(session, rows, Refund, request)


async def refund(context: TenantContext, id: UUID) -> Refund | None:
    """Needs payments:read. None: this business has no such refund."""
    context.require(Scope.PAYMENTS_READ)
    async with context.tenant.reading() as session:
        return await session.get(Refund, id)


async def steps_of_refunds(context: TenantContext, ids: Sequence[UUID]) -> list[Sequence[RefundEvent]]:
    """What happened to each refund, the oldest first, in one query. The caller has checked the scope."""
    found: dict[UUID, list[RefundEvent]] = {id_: [] for id_ in ids}
    events = select(RefundEvent).where(RefundEvent.refund_id.in_(ids)).order_by(RefundEvent.version)
    async with context.tenant.reading() as session:
        for event in await session.scalars(events):
            found[event.refund_id].append(event)
    return [found[id_][-STEPS_MAX:] for id_ in ids]


async def given_back(context: TenantContext, payment_ids: Sequence[UUID]) -> list[GivenBack]:
    """How the refunds and disputes of payments stand, in three queries. The caller has checked the scope."""
    given: dict[UUID, list[Refund]] = {id_: [] for id_ in payment_ids}
    disputed: dict[UUID, list[DisputeStatus]] = {id_: [] for id_ in payment_ids}
    due = func.coalesce(Payment.captured_minor, Payment.amount_minor)
    async with context.tenant.reading() as session:
        amounts = await session.execute(select(Payment.id, due).where(Payment.id.in_(payment_ids)))
        paid = {id_: int(minor) for id_, minor in amounts}
        rows = select(Refund).where(Refund.payment_id.in_(payment_ids)).order_by(Refund.id)
        for row in await session.scalars(rows):
            given[row.payment_id].append(row)
        cases = select(Dispute.payment_id, Dispute.status).where(Dispute.payment_id.in_(payment_ids))
        for payment_id, status in await session.execute(cases):
            disputed[payment_id].append(DisputeStatus(status))
    return [GivenBack(paid.get(id_, 0), given[id_], disputed[id_]) for id_ in payment_ids]


async def refund_payment(context: TenantContext, new: NewRefund, idempotency_key: str) -> Refund:
    """Set the money aside and leave the provider to a job; nothing outside is called here.

    Needs payments:refund.

    Raises:
        IdempotencyKeyReused, IdempotencyInProgress: as `run_once`.
        DomainError: whatever `requesting.request_refund` refuses.
    """
    principal = context.require(Scope.PAYMENTS_REFUND)
    offer = await offer_for(context, context.tenant, new.payment_id)
    command = replace(new, requested_by=f"{principal.kind}:{principal.id}")

    async def effect(session: TenantSession) -> Refund:
        made = await request_refund(session, command, offer, context.services.clock())
        announce(session, "submit_refund", queue=QUEUE, refund_id=str(made.id))
        record_audit(
            session,
            acting(context),
            "refund_payment",
            subject=outside(Kind.REFUND, made.id),
            reason=made.reason,
            details={"payment": outside(Kind.PAYMENT, made.payment_id), "amount": str(made.amount)},
        )
        return made

    wanted = once(context, "refund_payment", idempotency_key, input=_input(new), ids={"refund": new.id})
    return await run_once(context.tenant.transaction, wanted, effect, _reload)


async def offer_for(context: TenantContext | OwnerContext, tenant: Tenant, payment_id: UUID) -> Offer:
    """What the provider of a payment can give back, as the catalog says.

    Raises:
        NotFound: no such payment.
    """
    async with tenant.reading() as session:
        code = await session.scalar(select(Payment.provider).where(Payment.id == payment_id))
    if code is None:
        raise NotFound("payment")
    async with context.services.owner.reading() as owner:
        try:
            features = (await known_provider(owner, code)).features
        except ProviderUnknown:
            return NOTHING_OFFERED
    return Offer(refunds=Feature.REFUND in features, parts=Feature.PARTIAL_REFUND in features)


async def _reload(session: TenantSession, ids: Mapping[str, UUID]) -> Refund:
    return await session.get_one(Refund, ids["refund"])


def _input(new: NewRefund) -> dict[str, object]:
    return {"payment": str(new.payment_id), "amount": _plain(new.amount), "reason": new.reason}


def _plain(amount: Money | None) -> list[str] | None:
    return None if amount is None else [str(amount.minor), amount.currency.value]
