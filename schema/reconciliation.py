"""Checking the books, and resolving what does not agree."""

from typing import Annotated
from uuid import UUID

import strawberry
from strawberry.types import Info

from core.ids import Kind, inside
from resolvers import reconciliation
from resolvers.reconciliation import FindingFilter
from schema.connections import After, Connection, First, connection, page_request
from schema.errors import (
    ForbiddenError,
    IdempotencyInProgressError,
    IdempotencyKeyReusedError,
    InvalidInputError,
    NotFoundError,
)
from schema.finding_types import Finding, FindingNotOpenError, Reconciliation
from schema.ledger_posting_types import (
    AmountNotPositiveError,
    AmountTooLargeError,
    CeilingExceededError,
    CurrencyMismatchError,
    CustodyMixedError,
    InsufficientFundsError,
    LedgerAccountClosedError,
    LedgerAccountUnknownError,
    SameAccountError,
)
from schema.scalars import MoneyInput
from tenancy.context import TenantContext
from tenant_db.reconciliation.resolving import NewAdjustment
from tenant_db.reconciliation.rules import FindingKind, FindingState


@strawberry.input(description="Which store's books to check.")
class ReconcileStoreBalanceInput:
    idempotency_key: str = strawberry.field(
        description="Your own unique name of this request; the same again gives the same check."
    )
    store_id: strawberry.ID = strawberry.field(description="The store; starts with store_.")


@strawberry.input(description="One transfer that corrects the books.")
class AdjustmentInput:
    source_id: strawberry.ID = strawberry.field(
        description="The ledger account that is debited; starts with lacc_."
    )
    destination_id: strawberry.ID = strawberry.field(
        description="The ledger account that is credited; starts with lacc_."
    )
    amount: MoneyInput = strawberry.field(description="How much.")

    def to_domain(self) -> NewAdjustment:
        """Raises InvalidInput."""
        return NewAdjustment(
            inside(Kind.LEDGER_ACCOUNT, self.source_id),
            inside(Kind.LEDGER_ACCOUNT, self.destination_id),
            self.amount.to_domain(),
        )


@strawberry.input(description="What was done about a finding.")
class ResolveFindingInput:
    idempotency_key: str = strawberry.field(
        description="Your own unique name of this request, such as a UUID. Repeat it to repeat safely."
    )
    finding_id: strawberry.ID = strawberry.field(description="The finding; starts with fnd_.")
    note: str = strawberry.field(description="What was done and why: 1 to 500 characters.")
    adjustment: AdjustmentInput | None = strawberry.field(
        default=None, description="The transfer that corrects the books, if one does."
    )


@strawberry.type(description="The books were checked.")
class ReconcileStoreBalanceSuccess:
    reconciliation: Reconciliation = strawberry.field(description="What the check saw.")


@strawberry.type(description="The finding is resolved, and its adjustment is posted.")
class ResolveFindingSuccess:
    finding: Finding = strawberry.field(description="The finding now.")


ReconcileStoreBalanceResult = Annotated[
    ReconcileStoreBalanceSuccess
    | IdempotencyKeyReusedError
    | IdempotencyInProgressError
    | NotFoundError
    | InvalidInputError
    | ForbiddenError,
    strawberry.union("ReconcileStoreBalanceResult", description="What the check saw."),
]
ResolveFindingResult = Annotated[
    ResolveFindingSuccess
    | FindingNotOpenError
    | AmountNotPositiveError
    | SameAccountError
    | LedgerAccountUnknownError
    | CurrencyMismatchError
    | CustodyMixedError
    | LedgerAccountClosedError
    | AmountTooLargeError
    | InsufficientFundsError
    | CeilingExceededError
    | IdempotencyKeyReusedError
    | IdempotencyInProgressError
    | NotFoundError
    | InvalidInputError
    | ForbiddenError,
    strawberry.union("ResolveFindingResult", description="Whether the finding is resolved."),
]

FindingId = Annotated[strawberry.ID, strawberry.argument(description="Starts with fnd_.")]
OnlyState = Annotated[FindingState | None, strawberry.argument(description="Only findings that are there.")]
OnlyKind = Annotated[FindingKind | None, strawberry.argument(description="Only findings of this kind.")]
OnlyStore = Annotated[strawberry.ID | None, strawberry.argument(description="Only findings of this store.")]


async def finding_node(context: TenantContext, id: UUID) -> Finding | None:
    row = await reconciliation.finding(context, id)
    return None if row is None else Finding.of(row)


@strawberry.type(description="What does not agree in the books.")
class ReconciliationQueries:
    @strawberry.field(description="The findings of all checks, newest first. Needs ledger:read.")
    async def findings(  # noqa: PLR0917 - GraphQL arguments are named by the client
        self,
        info: Info[TenantContext, None],
        first: First = 20,
        after: After = None,
        state: OnlyState = None,
        kind: OnlyKind = None,
        store_id: OnlyStore = None,
    ) -> Connection[Finding]:
        scope = info.context.tenant.id
        only = FindingFilter(state, kind, None if store_id is None else inside(Kind.STORE, store_id))
        page = await reconciliation.findings(info.context, page_request(first, after, scope), only)
        return connection(page, Finding.of, scope, after=after)

    @strawberry.field(description="One finding; null if there is no such finding. Needs ledger:read.")
    async def finding(self, info: Info[TenantContext, None], id: FindingId) -> Finding | None:
        return await finding_node(info.context, inside(Kind.FINDING, id))


@strawberry.type(description="Checking the books, and resolving what was found.")
class ReconciliationMutations:
    @strawberry.mutation(
        description="Adds up a store's entries again and compares them with its balances, its holds and its "
        "payments, and what lies at its channels with whose it is. Nothing is changed but the list of "
        "findings. Needs ledger:write."
    )
    async def reconcile_store_balance(
        self,
        info: Info[TenantContext, None],
        input: Annotated[ReconcileStoreBalanceInput, strawberry.argument(description="Which store.")],
    ) -> ReconcileStoreBalanceResult:
        store_id = inside(Kind.STORE, input.store_id)
        done = await reconciliation.reconcile_store_balance(info.context, store_id, input.idempotency_key)
        return ReconcileStoreBalanceSuccess(reconciliation=Reconciliation.of(done))

    @strawberry.mutation(
        description="Resolves an open finding with a note and, if you give one, an adjustment that is posted "
        "in the same transaction. Needs ledger:write."
    )
    async def resolve_finding(
        self,
        info: Info[TenantContext, None],
        input: Annotated[ResolveFindingInput, strawberry.argument(description="What was done.")],
    ) -> ResolveFindingResult:
        row = await reconciliation.resolve_finding(
            info.context,
            inside(Kind.FINDING, input.finding_id),
            input.note,
            None if input.adjustment is None else input.adjustment.to_domain(),
            input.idempotency_key,
        )
        return ResolveFindingSuccess(finding=Finding.of(row))
