"""Refunds: reading, asking for, and watching them."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated
from uuid import UUID

import strawberry
from strawberry.types import Info

from core.ids import Kind, inside
from resolvers import refunds, refunds_feed
from resolvers.refunds import RefundFilter
from schema.connections import After, Connection, First, connection, page_request
from schema.errors import (
    ForbiddenError,
    IdempotencyInProgressError,
    IdempotencyKeyReusedError,
    InvalidInputError,
    NotFoundError,
)
from schema.ledger_posting_types import (
    AmountNotPositiveError,
    CurrencyMismatchError,
    InsufficientFundsError,
    LedgerAccountClosedError,
)
from schema.refund_types import (
    PartialRefundNotOfferedError,
    PaymentNotCapturedError,
    PaymentNotRefundableError,
    Refund,
    RefundNotOfferedError,
    RefundTooMuchError,
)
from schema.scalars import MoneyInput
from tenancy.context import TenantContext
from tenant_db.refunds.machine import RefundStatus
from tenant_db.refunds.requesting import NewRefund


@strawberry.input(description="Which payment to give back, and how much of it.")
class RefundPaymentInput:
    idempotency_key: str = strawberry.field(
        description="Your own unique name of this request, such as a UUID. Repeat it to repeat safely."
    )
    payment_id: strawberry.ID = strawberry.field(description="The payment; starts with pay_.")
    reason: str = strawberry.field(description="Why: 1 to 200 characters. Some providers show it.")
    amount: MoneyInput | None = strawberry.field(
        default=None, description="How much; left out, all that is left of the payment."
    )

    def to_domain(self) -> NewRefund:
        """Raises InvalidInput, AmountNotPositive."""
        return NewRefund(
            payment_id=inside(Kind.PAYMENT, self.payment_id),
            amount=None if self.amount is None else self.amount.to_domain(),
            reason=self.reason,
        )


@strawberry.type(description="The money is set aside and the refund on its way. Subscribe to refundUpdated.")
class RefundPaymentSuccess:
    refund: Refund = strawberry.field(description="The refund now.")


RefundPaymentResult = Annotated[
    RefundPaymentSuccess
    | PaymentNotRefundableError
    | PaymentNotCapturedError
    | RefundNotOfferedError
    | PartialRefundNotOfferedError
    | RefundTooMuchError
    | InsufficientFundsError
    | LedgerAccountClosedError
    | AmountNotPositiveError
    | CurrencyMismatchError
    | IdempotencyKeyReusedError
    | IdempotencyInProgressError
    | NotFoundError
    | InvalidInputError
    | ForbiddenError,
    strawberry.union("RefundPaymentResult", description="Whether the refund is on its way."),
]

RefundId = Annotated[strawberry.ID, strawberry.argument(description="Starts with rfd_.")]
OnlyStatus = Annotated[RefundStatus | None, strawberry.argument(description="Only refunds that stand there.")]
OnlyPayment = Annotated[
    strawberry.ID | None, strawberry.argument(description="Only refunds of this payment.")
]
OnlyStore = Annotated[strawberry.ID | None, strawberry.argument(description="Only refunds of this store.")]


async def refund_node(context: TenantContext, id: UUID) -> Refund | None:
    row = await refunds.refund(context, id)
    return None if row is None else Refund.of(row)


@strawberry.type(description="Money given back.")
class RefundQueries:
    @strawberry.field(description="Your refunds, newest first. Needs payments:read.")
    async def refunds(  # noqa: PLR0917 - GraphQL arguments are named by the client
        self,
        info: Info[TenantContext, None],
        first: First = 20,
        after: After = None,
        status: OnlyStatus = None,
        payment_id: OnlyPayment = None,
        store_id: OnlyStore = None,
    ) -> Connection[Refund]:
        scope = info.context.tenant.id
        only = RefundFilter(
            status,
            None if payment_id is None else inside(Kind.PAYMENT, payment_id),
            None if store_id is None else inside(Kind.STORE, store_id),
        )
        page = await refunds.refunds(info.context, page_request(first, after, scope), only)
        return connection(page, Refund.of, scope, after=after)

    @strawberry.field(description="One refund; null if there is no such refund. Needs payments:read.")
    async def refund(self, info: Info[TenantContext, None], id: RefundId) -> Refund | None:
        return await refund_node(info.context, inside(Kind.REFUND, id))


@strawberry.type(description="Giving money back.")
class RefundMutations:
    @strawberry.mutation(
        description="Gives all or a part of a payment back, the way it came. The amount is set aside at once "
        "and leaves your balance when the provider says that it is done. A payment that is authorized and "
        "not captured is cancelled instead. Needs payments:refund."
    )
    async def refund_payment(
        self,
        info: Info[TenantContext, None],
        input: Annotated[RefundPaymentInput, strawberry.argument(description="What to give back.")],
    ) -> RefundPaymentResult:
        row = await refunds.refund_payment(info.context, input.to_domain(), input.idempotency_key)
        return RefundPaymentSuccess(refund=Refund.of(row))


@strawberry.type(description="Refunds as they change.")
class RefundSubscriptions:
    @strawberry.subscription(
        description="One refund now, and again after each change. Keep the highest version you have seen. "
        "Needs payments:read."
    )
    async def refund_updated(
        self, info: Info[TenantContext, None], id: RefundId
    ) -> AsyncGenerator[Refund, None]:
        updates = refunds_feed.refund_updates(info.context, inside(Kind.REFUND, id))
        async with aclosing(updates):
            async for row in updates:
                yield Refund.of(row)
