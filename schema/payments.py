"""Payments: reading, asking for, taking back, and watching them."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated
from uuid import UUID

import strawberry
from strawberry.types import Info

from core.collecting import CaptureMode, Method
from core.errors import InvalidInput
from core.ids import Kind, inside
from core.phone import Phone
from resolvers import payments, payments_feed
from resolvers.payments import PaymentFilter
from schema.connections import After, Connection, First, connection, page_request
from schema.errors import (
    ForbiddenError,
    IdempotencyInProgressError,
    IdempotencyKeyReusedError,
    InvalidInputError,
    NotFoundError,
    RateLimitedError,
)
from schema.order_types import AmountNotDueError, OrderNotOpenError
from schema.payment_refusals import (
    AccountNotEnabledError,
    AmountNotWholeError,
    AmountOutOfRangeError,
    ChannelNotActiveError,
    MethodNotOfferedError,
    NobodyCollectsError,
    OrderAlreadyPaidError,
    PaymentAlreadySentError,
    PaymentInProgressError,
    PhoneNotServedError,
    StoreClosedError,
    TextNotUsableError,
    WrongCurrencyError,
)
from schema.payment_types import INTERRUPTION, Payment, Since
from schema.scalars import MoneyInput
from tenancy.context import TenantContext
from tenant_db.payments.initiating import NewPayment
from tenant_db.payments.machine import PaymentStatus


@strawberry.input(description="What to collect from whom.")
class InitiatePaymentInput:
    idempotency_key: str = strawberry.field(
        description="Your own unique name of this request, such as a UUID. Repeat it to repeat safely."
    )
    amount: MoneyInput = strawberry.field(description="How much. M-Pesa takes whole shillings.")
    channel_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="Which channel collects; starts with chan_. Without it and providerAccountId, the "
        "account is chosen for you, and another where that one does not answer.",
    )
    provider_account_id: strawberry.ID | None = strawberry.field(
        default=None, description="Which provider account collects; starts with pacc_. Not with channelId."
    )
    method: Method = strawberry.field(default=Method.MOBILE_MONEY, description="How the payer pays.")
    capture_mode: CaptureMode = strawberry.field(
        default=CaptureMode.AUTOMATIC,
        description="MANUAL only authorises: capturePayment takes the money. For providers that can.",
    )
    phone: str | None = strawberry.field(
        default=None,
        description="Who is asked to pay: +254700000001 or 0700 000 001. Needed for mobile money.",
    )
    return_url: str | None = strawberry.field(
        default=None,
        description="Where a payer who was sent to the provider's page comes back to: https only.",
    )
    description: str = strawberry.field(description="What it is for: 1 to 100 characters.")
    store_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="Whose balance grows; left out, the channel's own store. Needed without a channel.",
    )
    order_reference: str | None = strawberry.field(
        default=None,
        description="Your own name of the order, 1 to 64 characters. An order is collected once. Where "
        "`createOrder` made it, the amount must be what is due, and its store's balance grows.",
    )
    customer_name: str | None = strawberry.field(default=None, description="The payer's name, if known.")
    customer_email: str | None = strawberry.field(
        default=None, description="The payer's e-mail address, if known."
    )

    def to_domain(self) -> NewPayment:
        """Raises InvalidInput."""
        if self.channel_id is not None and self.provider_account_id is not None:
            raise InvalidInput("channelId", "Name a channel or a provider account, not both.")
        return NewPayment(
            channel_id=_id(Kind.CHANNEL, self.channel_id),
            provider_account_id=_id(Kind.PROVIDER_ACCOUNT, self.provider_account_id),
            amount=self.amount.to_domain(),
            phone=None if self.phone is None else Phone.parse(self.phone),
            method=self.method,
            capture=self.capture_mode,
            return_url=self.return_url,
            description=self.description,
            store_id=_id(Kind.STORE, self.store_id),
            order_reference=self.order_reference,
            customer_name=self.customer_name,
            customer_email=self.customer_email,
        )


def _id(kind: Kind, told: strawberry.ID | None) -> UUID | None:
    return None if told is None else inside(kind, told)


@strawberry.input(description="The payment to take back.")
class CancelPaymentInput:
    id: strawberry.ID = strawberry.field(description="The payment's id; starts with pay_.")
    idempotency_key: str | None = strawberry.field(
        default=None,
        description="Your own unique name of this request, such as a UUID. Repeat it to repeat safely: the "
        "first answer comes again.",
    )


@strawberry.type(description="The payment is stored and on its way. Subscribe to paymentUpdated.")
class InitiatePaymentSuccess:
    payment: Payment = strawberry.field(description="The payment now.")


@strawberry.type(description="The payment is cancelled, or its provider is being told; see its status.")
class CancelPaymentSuccess:
    payment: Payment = strawberry.field(description="The payment now.")


InitiatePaymentResult = Annotated[
    InitiatePaymentSuccess
    | ChannelNotActiveError
    | AccountNotEnabledError
    | MethodNotOfferedError
    | NobodyCollectsError
    | StoreClosedError
    | WrongCurrencyError
    | AmountNotWholeError
    | AmountOutOfRangeError
    | PhoneNotServedError
    | TextNotUsableError
    | PaymentInProgressError
    | OrderAlreadyPaidError
    | OrderNotOpenError
    | AmountNotDueError
    | RateLimitedError
    | IdempotencyKeyReusedError
    | IdempotencyInProgressError
    | NotFoundError
    | InvalidInputError
    | ForbiddenError,
    strawberry.union("InitiatePaymentResult", description="Whether the payment is on its way."),
]
CancelPaymentResult = Annotated[
    CancelPaymentSuccess
    | PaymentAlreadySentError
    | IdempotencyKeyReusedError
    | IdempotencyInProgressError
    | NotFoundError
    | InvalidInputError
    | ForbiddenError,
    strawberry.union("CancelPaymentResult", description="Whether the payment was taken back."),
]

PaymentId = Annotated[strawberry.ID, strawberry.argument(description="Starts with pay_.")]
OnlyStatus = Annotated[
    PaymentStatus | None, strawberry.argument(description="Only payments that stand there.")
]
OnlyStore = Annotated[strawberry.ID | None, strawberry.argument(description="Only payments of this store.")]
OnlyChannel = Annotated[
    strawberry.ID | None, strawberry.argument(description="Only payments on this channel.")
]


async def payment_node(context: TenantContext, id: UUID) -> Payment | None:
    view = await payments.payment(context, id)
    return None if view is None else Payment.of(view)


@strawberry.type(description="Payments.")
class PaymentQueries:
    @strawberry.field(description="The payments of your business, newest first. Needs payments:read.")
    async def payments(  # noqa: PLR0917 - GraphQL arguments are named by the client
        self,
        info: Info[TenantContext, None],
        first: First = 20,
        after: After = None,
        status: OnlyStatus = None,
        store_id: OnlyStore = None,
        channel_id: OnlyChannel = None,
    ) -> Connection[Payment]:
        scope = info.context.tenant.id
        only = PaymentFilter(
            status,
            None if store_id is None else inside(Kind.STORE, store_id),
            None if channel_id is None else inside(Kind.CHANNEL, channel_id),
        )
        page = await payments.payments(info.context, page_request(first, after, scope), only)
        return connection(page, Payment.of, scope, after=after)

    @strawberry.field(description="One payment; null if there is no such payment. Needs payments:read.")
    async def payment(self, info: Info[TenantContext, None], id: PaymentId) -> Payment | None:
        return await payment_node(info.context, inside(Kind.PAYMENT, id))


@strawberry.type(description="Asking for payments.")
class PaymentMutations:
    @strawberry.mutation(
        description="Asks a payer for money: stores the payment; a phone is prompted, or `nextAction` says "
        "what the payer does. Needs payments:write."
    )
    async def initiate_payment(
        self,
        info: Info[TenantContext, None],
        input: Annotated[InitiatePaymentInput, strawberry.argument(description="What to collect.")],
    ) -> InitiatePaymentResult:
        view = await payments.initiate_payment(info.context, input.to_domain(), input.idempotency_key)
        return InitiatePaymentSuccess(payment=Payment.of(view))

    @strawberry.mutation(
        description="Takes a payment back: at once where it was not sent yet. Else its provider is told to "
        "take no money, if it can be, and the payment ends when it has answered. Needs payments:write."
    )
    async def cancel_payment(
        self,
        info: Info[TenantContext, None],
        input: Annotated[CancelPaymentInput, strawberry.argument(description="Which payment.")],
    ) -> CancelPaymentResult:
        id_ = inside(Kind.PAYMENT, input.id)
        view = await payments.cancel_payment(info.context, id_, input.idempotency_key)
        return CancelPaymentSuccess(payment=Payment.of(view))


@strawberry.type(description="Payments as they change.")
class PaymentSubscriptions:
    @strawberry.subscription(
        description="A payment's state now, then each newer one. Needs payments:read. Steps in quick "
        "succession may come as one; the stream stays open after the payment has ended."
    )
    async def payment_updated(
        self, info: Info[TenantContext, None], id: PaymentId
    ) -> AsyncGenerator[Payment, None]:
        views = payments_feed.payment_updates(info.context, inside(Kind.PAYMENT, id))
        async with aclosing(views):
            async for view in views:
                yield Payment.of(view)

    @strawberry.subscription(
        description="The newest 20 payments, oldest first, then every payment that changes. Needs "
        "payments:read. A version may come twice: keep the highest of each payment. " + INTERRUPTION
    )
    async def payments_updated(
        self, info: Info[TenantContext, None], since: Since = None
    ) -> AsyncGenerator[Payment, None]:
        views = payments_feed.payments_updates(info.context, since)
        async with aclosing(views):
            async for view in views:
                yield Payment.of(view)
