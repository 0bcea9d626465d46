"""Disputes: reading, answering and watching them."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry
from strawberry.types import Info

from core.ids import Kind, inside, outside
from resolvers import disputes
from resolvers.disputes import DisputeFilter
from schema.connections import After, Connection, First, Node, connection, page_request
from schema.errors import (
    Error,
    ForbiddenError,
    IdempotencyInProgressError,
    IdempotencyKeyReusedError,
    InvalidInputError,
    NotFoundError,
    Refusal,
)
from schema.scalars import Money, api_enum
from tenancy.context import TenantContext
from tenant_db.disputes.errors import DisputeClosed
from tenant_db.disputes.models import Dispute as DisputeRow
from tenant_db.disputes.rules import DisputeStatus

EVIDENCE = {
    "product_description": "What was sold.",
    "explanation": "What happened, in your own words.",
    "customer_communication": "What you and the customer wrote to each other.",
    "receipt": "The receipt you gave, or where it can be seen.",
    "service_date": "When it was delivered or used.",
    "delivery": "How it was delivered: the carrier, the tracking number, who signed.",
    "refund_policy": "What you had told the customer about refunds.",
}
"""The pieces of evidence, by their names in the database, as they are shown."""

api_enum(
    DisputeStatus,
    "DisputeStatus",
    "Where a dispute stands.",
    {
        DisputeStatus.NEEDS_RESPONSE: "The bank waits for your evidence, until `evidenceDueAt`.",
        DisputeStatus.UNDER_REVIEW: "The bank decides.",
        DisputeStatus.WON: "The bank has decided for you.",
        DisputeStatus.LOST: "The bank has decided for the payer: the money is gone.",
    },
)


@strawberry.type(description="The bank has decided; evidence comes too late.")
class DisputeClosedError(Error):
    dispute_status: DisputeStatus = strawberry.field(description="How it was decided.")


class ClosedRefusal(Refusal[DisputeClosed, DisputeClosedError]):
    """Shows the status as the API's enum."""

    def told(self, refusal: DisputeClosed) -> DisputeClosedError:
        return self._shown(refusal, {"dispute_status": DisputeStatus(refusal.dispute_status)})


REFUSALS = (ClosedRefusal(DisputeClosed, DisputeClosedError),)


@strawberry.type(description="What you say for yourself. Each piece is null until you have sent it.")
class DisputeEvidence:
    product_description: str | None = strawberry.field(description=EVIDENCE["product_description"])
    explanation: str | None = strawberry.field(description=EVIDENCE["explanation"])
    customer_communication: str | None = strawberry.field(description=EVIDENCE["customer_communication"])
    receipt: str | None = strawberry.field(description=EVIDENCE["receipt"])
    service_date: str | None = strawberry.field(description=EVIDENCE["service_date"])
    delivery: str | None = strawberry.field(description=EVIDENCE["delivery"])
    refund_policy: str | None = strawberry.field(description=EVIDENCE["refund_policy"])


@strawberry.input(
    description="What you say for yourself. A piece that is sent again replaces the earlier one."
)
class SubmitDisputeEvidenceInput:
    idempotency_key: str = strawberry.field(
        description="Your own unique name of this request, such as a UUID. Repeat it to repeat safely."
    )
    dispute_id: strawberry.ID = strawberry.field(description="The dispute; starts with dsp_.")
    product_description: str | None = strawberry.field(
        default=None, description=EVIDENCE["product_description"]
    )
    explanation: str | None = strawberry.field(default=None, description=EVIDENCE["explanation"])
    customer_communication: str | None = strawberry.field(
        default=None, description=EVIDENCE["customer_communication"]
    )
    receipt: str | None = strawberry.field(default=None, description=EVIDENCE["receipt"])
    service_date: str | None = strawberry.field(default=None, description=EVIDENCE["service_date"])
    delivery: str | None = strawberry.field(default=None, description=EVIDENCE["delivery"])
    refund_policy: str | None = strawberry.field(default=None, description=EVIDENCE["refund_policy"])

    def evidence(self) -> dict[str, str]:
        given = {name: getattr(self, name) for name in EVIDENCE}
        return {name: text for name, text in given.items() if text is not None}


@strawberry.type(description="A case that a payer's bank has opened about one payment.")
class Dispute(Node):
    payment_id: strawberry.ID = strawberry.field(description="The disputed payment.")
    store_id: strawberry.ID = strawberry.field(description="Whose balance it touches.")
    amount: Money = strawberry.field(description="What is disputed.")
    status: DisputeStatus = strawberry.field(description="Where it stands.")
    reason: str = strawberry.field(description="The provider's word, such as `fraudulent`.")
    provider: str = strawberry.field(description="Who tells of it: `stripe`.")
    provider_reference: str = strawberry.field(description="The provider's own id.")
    is_withdrawn: bool = strawberry.field(
        description="Whether its money is taken from your balance at this time."
    )
    evidence: DisputeEvidence = strawberry.field(
        description="What you have sent. It is kept for people; answer the bank at the provider with it."
    )
    evidence_due_at: datetime | None = strawberry.field(
        description="Until when the bank waits; null if it does not say."
    )
    evidence_submitted_at: datetime | None = strawberry.field(
        description="When you last sent evidence here; null if never."
    )
    version: int = strawberry.field(description="Grows with every change: the highest is the newest.")
    created_at: datetime = strawberry.field(description="When it became known.")
    closed_at: datetime | None = strawberry.field(description="When it was decided.")

    @classmethod
    def of(cls, row: DisputeRow) -> "Dispute":
        return cls(
            id=strawberry.ID(outside(Kind.DISPUTE, row.id)),
            payment_id=strawberry.ID(outside(Kind.PAYMENT, row.payment_id)),
            store_id=strawberry.ID(outside(Kind.STORE, row.store_id)),
            amount=Money.of(row.amount),
            status=DisputeStatus(row.status),
            reason=row.reason,
            provider=row.provider,
            provider_reference=row.provider_reference,
            is_withdrawn=row.withdrawal_id is not None and row.reinstatement_id is None,
            evidence=DisputeEvidence(**{name: row.evidence.get(name) for name in EVIDENCE}),
            evidence_due_at=row.evidence_due_at,
            evidence_submitted_at=row.evidence_submitted_at,
            version=row.version,
            created_at=row.created_at,
            closed_at=row.closed_at,
        )


@strawberry.type(description="The evidence is kept with the dispute.")
class SubmitDisputeEvidenceSuccess:
    dispute: Dispute = strawberry.field(description="The dispute now.")


SubmitDisputeEvidenceResult = Annotated[
    SubmitDisputeEvidenceSuccess
    | DisputeClosedError
    | IdempotencyKeyReusedError
    | IdempotencyInProgressError
    | NotFoundError
    | InvalidInputError
    | ForbiddenError,
    strawberry.union("SubmitDisputeEvidenceResult", description="Whether the evidence is kept."),
]

DisputeId = Annotated[strawberry.ID, strawberry.argument(description="Starts with dsp_.")]
OnlyStatus = Annotated[
    DisputeStatus | None, strawberry.argument(description="Only disputes that stand there.")
]
OnlyPayment = Annotated[
    strawberry.ID | None, strawberry.argument(description="Only disputes of this payment.")
]
OnlyStore = Annotated[strawberry.ID | None, strawberry.argument(description="Only disputes of this store.")]


async def dispute_node(context: TenantContext, id: UUID) -> Dispute | None:
    row = await disputes.dispute(context, id)
    return None if row is None else Dispute.of(row)


@strawberry.type(description="What payers have called into question.")
class DisputeQueries:
    @strawberry.field(description="Your disputes, newest first. Needs payments:read.")
    async def disputes(  # noqa: PLR0917 - GraphQL arguments are named by the client
        self,
        info: Info[TenantContext, None],
        first: First = 20,
        after: After = None,
        status: OnlyStatus = None,
        payment_id: OnlyPayment = None,
        store_id: OnlyStore = None,
    ) -> Connection[Dispute]:
        scope = info.context.tenant.id
        only = DisputeFilter(
            status,
            None if payment_id is None else inside(Kind.PAYMENT, payment_id),
            None if store_id is None else inside(Kind.STORE, store_id),
        )
        page = await disputes.disputes(info.context, page_request(first, after, scope), only)
        return connection(page, Dispute.of, scope, after=after)

    @strawberry.field(description="One dispute; null if there is no such dispute. Needs payments:read.")
    async def dispute(self, info: Info[TenantContext, None], id: DisputeId) -> Dispute | None:
        return await dispute_node(info.context, inside(Kind.DISPUTE, id))


@strawberry.type(description="Answering disputes.")
class DisputeMutations:
    @strawberry.mutation(
        description="Keeps your evidence with a dispute until it is decided, for whoever answers the bank at "
        "the provider. Needs payments:refund."
    )
    async def submit_dispute_evidence(
        self,
        info: Info[TenantContext, None],
        input: Annotated[SubmitDisputeEvidenceInput, strawberry.argument(description="The evidence.")],
    ) -> SubmitDisputeEvidenceResult:
        row = await disputes.submit_dispute_evidence(
            info.context, inside(Kind.DISPUTE, input.dispute_id), input.evidence(), input.idempotency_key
        )
        return SubmitDisputeEvidenceSuccess(dispute=Dispute.of(row))


@strawberry.type(description="Disputes as they change.")
class DisputeSubscriptions:
    @strawberry.subscription(
        description="One dispute now, and again after each change. Keep the highest version you have seen. "
        "Needs payments:read."
    )
    async def dispute_updated(
        self, info: Info[TenantContext, None], id: DisputeId
    ) -> AsyncGenerator[Dispute, None]:
        updates = disputes.dispute_updates(info.context, inside(Kind.DISPUTE, id))
        async with aclosing(updates):
            async for row in updates:
                yield Dispute.of(row)
