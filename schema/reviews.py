"""The people's queue: reading, deciding and watching it."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated
from uuid import UUID

import strawberry
from strawberry.types import Info

from core.ids import Kind, inside
from resolvers import reviews
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
from schema.scalars import MoneyInput
from tenancy.context import TenantContext
from tenant_db.reviews.commands import Decided
from tenant_db.reviews.rules import ReviewCause, ReviewDecision, ReviewState


@strawberry.input(description="What you decide, and why.")
class DecideReviewInput:
    idempotency_key: str = strawberry.field(
        description="Your own unique name of this request, such as a UUID. Repeat it to repeat safely."
    )
    review_id: strawberry.ID = strawberry.field(description="The question; starts with rev_.")
    decision: ReviewDecision = strawberry.field(description="What is to be done: one of its `options`.")
    reason: str = strawberry.field(description="Why, for the audit log: 1 to 500 characters.")
    proof: str | None = strawberry.field(
        default=None,
        description="The receipt or reference that the provider shows: for MARK_PAID and MARK_REFUNDED.",
    )
    store_id: strawberry.ID | None = strawberry.field(
        default=None, description="Whose balance grows: for CREDIT_STORE of money that fits no payment."
    )
    amount: MoneyInput | None = strawberry.field(
        default=None,
        description=(
            "How much to refund: for REFUND; left out, what was paid beyond the amount and still is in "
            "suspense, or else all that is left."
        ),
    )

    def to_domain(self) -> Decided:
        """Raises InvalidInput."""
        return Decided(
            review_id=inside(Kind.REVIEW, self.review_id),
            decision=self.decision,
            reason=self.reason,
            proof=self.proof,
            store_id=None if self.store_id is None else inside(Kind.STORE, self.store_id),
            amount=None if self.amount is None else self.amount.to_domain(),
        )


@strawberry.type(description="It is decided, and what was decided is done or on its way.")
class DecideReviewSuccess:
    review: Review = strawberry.field(description="The question now.")


DecideReviewResult = Annotated[
    DecideReviewSuccess
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
    | IdempotencyKeyReusedError
    | IdempotencyInProgressError
    | NotFoundError
    | InvalidInputError
    | ForbiddenError,
    strawberry.union("DecideReviewResult", description="Whether it is decided."),
]

ReviewId = Annotated[strawberry.ID, strawberry.argument(description="Starts with rev_.")]
OnlyState = Annotated[ReviewState | None, strawberry.argument(description="Only questions in this state.")]
OnlyCause = Annotated[
    ReviewCause | None, strawberry.argument(description="Only questions that are asked for this reason.")
]


async def review_node(context: TenantContext, id: UUID) -> Review | None:
    row = await reviews.review(context, id)
    return None if row is None else Review.of(row)


@strawberry.type(description="Questions that wait for a person.")
class ReviewQueries:
    @strawberry.field(
        description="Questions about payments, refunds and messages that are ambiguous, contradict "
        "themselves or stay unknown; newest first. Needs payments:read."
    )
    async def reviews(
        self,
        info: Info[TenantContext, None],
        first: First = 20,
        after: After = None,
        state: OnlyState = None,
        cause: OnlyCause = None,
    ) -> Connection[Review]:
        scope = info.context.tenant.id
        page = await reviews.reviews(
            info.context, page_request(first, after, scope), ReviewFilter(state, cause)
        )
        return connection(page, Review.of, scope, after=after)

    @strawberry.field(description="One question; null if there is no such question. Needs payments:read.")
    async def review(self, info: Info[TenantContext, None], id: ReviewId) -> Review | None:
        return await review_node(info.context, inside(Kind.REVIEW, id))

    @strawberry.field(
        description="Everything that is known about a question: what happened, what the provider was asked "
        "and answered, what it told. Null if there is no such question. Needs payments:read."
    )
    async def review_evidence(self, info: Info[TenantContext, None], id: ReviewId) -> ReviewEvidence | None:
        row = await reviews.review(info.context, inside(Kind.REVIEW, id))
        return None if row is None else ReviewEvidence.of(await reviews.evidence(info.context.tenant, row))


@strawberry.type(description="Deciding questions.")
class ReviewMutations:
    @strawberry.mutation(
        description="Decides a question, once, and does what was decided in the same transaction. It stands "
        "in the audit log with your reason. Needs ledger:write."
    )
    async def decide_review(
        self,
        info: Info[TenantContext, None],
        input: Annotated[DecideReviewInput, strawberry.argument(description="What you decide.")],
    ) -> DecideReviewResult:
        row = await reviews.decide(info.context, input.to_domain(), input.idempotency_key)
        return DecideReviewSuccess(review=Review.of(row))


@strawberry.type(description="The queue as it changes.")
class ReviewSubscriptions:
    @strawberry.subscription(
        description="The newest open questions, then each that is asked, added to or closed. Keep the "
        "highest version of each. What changed while our own feed was away is made up for, up to 1,000 of "
        "them; beyond that the stream ends with the error FEED_INTERRUPTED. Needs payments:read."
    )
    async def review_updated(self, info: Info[TenantContext, None]) -> AsyncGenerator[Review, None]:
        updates = reviews.review_updates(info.context)
        async with aclosing(updates):
            async for row in updates:
                yield Review.of(row)
