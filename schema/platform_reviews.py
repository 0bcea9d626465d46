"""The owner schema's look into the queue of one business."""

from typing import Annotated

import strawberry
from strawberry.types import Info

from core.ids import Kind, inside
from resolvers import platform_reviews
from resolvers.reviews import ReviewFilter
from schema.connections import After, Connection, First, connection, page_request
from schema.errors import (
    ForbiddenError,
    IdempotencyInProgressError,
    IdempotencyKeyReusedError,
    InvalidInputError,
    NotFoundError,
)
from schema.evidence_types import ReviewEvidence
from schema.ledger_posting_types import (
    CurrencyMismatchError,
    InsufficientFundsError,
    LedgerAccountClosedError,
)
from schema.platform import TenantIdArgument, TenantUnknownError
from schema.refund_types import (
    PartialRefundNotOfferedError,
    PaymentNotCapturedError,
    PaymentNotRefundableError,
    RefundNotOfferedError,
    RefundTooMuchError,
)
from schema.review_types import (
    DecisionNotPossibleError,
    MoneyMayBeAnothersError,
    ReceiptTakenError,
    Review,
    ReviewClosedError,
)
from schema.reviews import DecideReviewInput, OnlyCause, OnlyState, ReviewId
from tenancy.context import OwnerContext


@strawberry.input(description="What staff decides about a question of a business, and why.")
class DecideTenantReviewInput(DecideReviewInput):
    tenant_id: strawberry.ID = strawberry.field(description="The business; starts with ten_.")


@strawberry.type(description="It is decided, and what was decided is done or on its way.")
class DecideTenantReviewSuccess:
    review: Review = strawberry.field(description="The question now.")


DecideTenantReviewResult = Annotated[
    DecideTenantReviewSuccess
    | ReviewClosedError
    | DecisionNotPossibleError
    | ReceiptTakenError
    | MoneyMayBeAnothersError
    | PaymentNotRefundableError
    | PaymentNotCapturedError
    | RefundNotOfferedError
    | PartialRefundNotOfferedError
    | RefundTooMuchError
    | InsufficientFundsError
    | LedgerAccountClosedError
    | CurrencyMismatchError
    | TenantUnknownError
    | IdempotencyKeyReusedError
    | IdempotencyInProgressError
    | NotFoundError
    | InvalidInputError
    | ForbiddenError,
    strawberry.union("DecideTenantReviewResult", description="Whether it is decided."),
]


@strawberry.type(description="Questions that wait in businesses.")
class PlatformReviewQueries:
    @strawberry.field(
        description="Questions that wait for a person in one business, newest first; `alerts` of the kind "
        "REVIEW_NEEDED says which businesses have some. Needs platform:read."
    )
    async def tenant_reviews(  # noqa: PLR0917 - GraphQL arguments are named by the client
        self,
        info: Info[OwnerContext, None],
        tenant_id: TenantIdArgument,
        first: First = 20,
        after: After = None,
        state: OnlyState = None,
        cause: OnlyCause = None,
    ) -> Connection[Review]:
        scope = inside(Kind.TENANT, tenant_id)
        page = await platform_reviews.tenant_reviews(
            info.context, scope, page_request(first, after, scope), ReviewFilter(state, cause)
        )
        return connection(page, Review.of, scope, after=after)

    @strawberry.field(
        description="Everything that is known about a question of a business; null if there is no such "
        "question. The look stands in the platform's audit log. Needs platform:read."
    )
    async def tenant_review_evidence(
        self, info: Info[OwnerContext, None], tenant_id: TenantIdArgument, id: ReviewId
    ) -> ReviewEvidence | None:
        found = await platform_reviews.tenant_review_evidence(
            info.context, inside(Kind.TENANT, tenant_id), inside(Kind.REVIEW, id)
        )
        return None if found is None else ReviewEvidence.of(found)


@strawberry.type(description="Deciding questions of businesses.")
class PlatformReviewMutations:
    @strawberry.mutation(
        description="Decides a question of a business, once, and does what was decided. It stands in both "
        "audit logs with the reason. Needs platform:money."
    )
    async def decide_tenant_review(
        self,
        info: Info[OwnerContext, None],
        input: Annotated[DecideTenantReviewInput, strawberry.argument(description="What is decided.")],
    ) -> DecideTenantReviewResult:
        row = await platform_reviews.decide_tenant_review(
            info.context, inside(Kind.TENANT, input.tenant_id), input.to_domain(), input.idempotency_key
        )
        return DecideTenantReviewSuccess(review=Review.of(row))
