"""Orders: making, reading, taking back and watching them, and the links to pay them."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry
from strawberry.types import Info

from core.currency import Currency
from core.ids import Kind, inside
from core.phone import Phone
from resolvers import orders, orders_feed
from resolvers.orders import OrderFilter
from schema.connections import After, Connection, First, connection, page_request
from schema.errors import (
    ForbiddenError,
    IdempotencyInProgressError,
    IdempotencyKeyReusedError,
    InvalidInputError,
    NotFoundError,
)
from schema.order_types import Order, OrderNotOpenError, OrderReferenceTakenError
from schema.payment_refusals import (
    StoreClosedError,
)
from schema.scalars import BigInt, MoneyInput
from tenancy.context import TenantContext
from tenant_db.orders.creating import NewOrder
from tenant_db.orders.machine import OrderStatus
from tenant_db.orders.rules import NewItem


@strawberry.input(description="One line of an order.")
class OrderItemInput:
    name: str = strawberry.field(description="What is ordered: 1 to 120 characters.")
    quantity: int = strawberry.field(description="How many: 1 or more.")
    unit_price_minor: BigInt = strawberry.field(
        description='What one costs, in the smallest unit of the order\'s currency: "1250" is KES 12.50.'
    )

    def to_domain(self) -> NewItem:
        return NewItem(self.name, self.quantity, int(self.unit_price_minor))


@strawberry.input(description="What a payer is to pay for.")
class CreateOrderInput:
    idempotency_key: str = strawberry.field(
        description="Your own unique name of this request, such as a UUID. Repeat it to repeat safely."
    )
    store_id: strawberry.ID = strawberry.field(description="Whose balance grows; starts with store_.")
    currency: Currency = strawberry.field(description="Of all its prices.")
    items: list[OrderItemInput] = strawberry.field(description="1 to 100 lines.")
    total: MoneyInput | None = strawberry.field(
        default=None, description="What you have computed; another sum of the items is refused."
    )
    reference: str | None = strawberry.field(
        default=None,
        description="Your own name of it, 1 to 64 characters, unique in the business however it is typed; "
        "left out, one is made.",
    )
    description: str | None = strawberry.field(
        default=None, description="What it is for: 1 to 100 characters; left out, made from the reference."
    )
    customer_name: str | None = strawberry.field(default=None, description="Who pays, if known.")
    customer_phone: str | None = strawberry.field(default=None, description="Their phone, if known.")
    customer_email: str | None = strawberry.field(default=None, description="Their e-mail, if known.")
    expires_at: datetime | None = strawberry.field(
        default=None, description="Until when it can be paid: up to 366 days; left out, seven days from now."
    )

    def to_domain(self) -> NewOrder:
        """Raises InvalidInput."""
        return NewOrder(
            store_id=inside(Kind.STORE, self.store_id),
            currency=self.currency,
            items=[item.to_domain() for item in self.items],
            description=self.description,
            reference=self.reference,
            total=None if self.total is None else self.total.to_domain(),
            customer_name=self.customer_name,
            customer_phone=None if self.customer_phone is None else Phone.parse(self.customer_phone),
            customer_email=self.customer_email,
            expires_at=self.expires_at,
        )


@strawberry.input(description="The order to take back.")
class CancelOrderInput:
    id: strawberry.ID = strawberry.field(description="The order's id; starts with ord_.")


@strawberry.input(description="The order that a link is for.")
class CreatePayLinkInput:
    order_id: strawberry.ID = strawberry.field(description="The order's id; starts with ord_.")
    expires_at: datetime | None = strawberry.field(
        default=None, description="When the link ends; left out, 30 days after the order expires."
    )


@strawberry.input(description="The order whose links are to end.")
class RevokePayLinkInput:
    order_id: strawberry.ID = strawberry.field(description="The order's id; starts with ord_.")


@strawberry.type(description="The order is open to be paid.")
class CreateOrderSuccess:
    order: Order = strawberry.field(description="The new order.")


@strawberry.type(description="The order is cancelled; its links lead nowhere any more.")
class CancelOrderSuccess:
    order: Order = strawberry.field(description="The order now.")


@strawberry.type(description="A link that you can send to the payer.")
class CreatePayLinkSuccess:
    url: str = strawberry.field(description="The page where this order is paid.")
    expires_at: datetime = strawberry.field(description="When the link ends.")


@strawberry.type(description="No link given out so far leads to the order any more.")
class RevokePayLinkSuccess:
    order: Order = strawberry.field(description="The order now; its paymentLink is a new one.")


CreateOrderResult = Annotated[
    CreateOrderSuccess
    | OrderReferenceTakenError
    | StoreClosedError
    | IdempotencyKeyReusedError
    | IdempotencyInProgressError
    | NotFoundError
    | InvalidInputError
    | ForbiddenError,
    strawberry.union("CreateOrderResult", description="Whether the order was made."),
]
CancelOrderResult = Annotated[
    CancelOrderSuccess | OrderNotOpenError | NotFoundError | InvalidInputError | ForbiddenError,
    strawberry.union("CancelOrderResult", description="Whether the order was taken back."),
]
CreatePayLinkResult = Annotated[
    CreatePayLinkSuccess | OrderNotOpenError | NotFoundError | InvalidInputError | ForbiddenError,
    strawberry.union("CreatePayLinkResult", description="Whether there is a link."),
]
RevokePayLinkResult = Annotated[
    RevokePayLinkSuccess | NotFoundError | InvalidInputError | ForbiddenError,
    strawberry.union("RevokePayLinkResult", description="Whether its links have ended."),
]

OrderId = Annotated[strawberry.ID, strawberry.argument(description="Starts with ord_.")]
OnlyStatus = Annotated[OrderStatus | None, strawberry.argument(description="Only orders that stand there.")]
OnlyStore = Annotated[strawberry.ID | None, strawberry.argument(description="Only orders of this store.")]
OnlyReference = Annotated[
    str | None, strawberry.argument(description="Only the order of this reference, however it is typed.")
]


async def order_node(context: TenantContext, id: UUID) -> Order | None:
    row = await orders.order(context, id)
    return None if row is None else Order.of(row)


@strawberry.type(description="Orders.")
class OrderQueries:
    @strawberry.field(description="The orders of your business, newest first. Needs payments:read.")
    async def orders(  # noqa: PLR0917 - GraphQL arguments are named by the client
        self,
        info: Info[TenantContext, None],
        first: First = 20,
        after: After = None,
        status: OnlyStatus = None,
        store_id: OnlyStore = None,
        reference: OnlyReference = None,
    ) -> Connection[Order]:
        scope = info.context.tenant.id
        only = OrderFilter(status, None if store_id is None else inside(Kind.STORE, store_id), reference)
        page = await orders.orders(info.context, page_request(first, after, scope), only)
        return connection(page, Order.of, scope, after=after)

    @strawberry.field(description="One order; null if there is no such order. Needs payments:read.")
    async def order(self, info: Info[TenantContext, None], id: OrderId) -> Order | None:
        return await order_node(info.context, inside(Kind.ORDER, id))


@strawberry.type(description="Making orders.")
class OrderMutations:
    @strawberry.mutation(
        description="Makes an order, to be collected by `initiatePayment` with its reference, or by the "
        "payer on the page of its `paymentLink`. Needs payments:write."
    )
    async def create_order(
        self,
        info: Info[TenantContext, None],
        input: Annotated[CreateOrderInput, strawberry.argument(description="The order to make.")],
    ) -> CreateOrderResult:
        row = await orders.create_order(info.context, input.to_domain(), input.idempotency_key)
        return CreateOrderSuccess(order=Order.of(row))

    @strawberry.mutation(
        description="Takes an open order back. What a payer approves at this moment still counts, and is "
        "shown as overpaid. Needs payments:write."
    )
    async def cancel_order(
        self,
        info: Info[TenantContext, None],
        input: Annotated[CancelOrderInput, strawberry.argument(description="Which order.")],
    ) -> CancelOrderResult:
        row = await orders.cancel_order(info.context, inside(Kind.ORDER, input.id))
        return CancelOrderSuccess(order=Order.of(row))

    @strawberry.mutation(
        description="Gives a link to the page where an open order is paid, with an end of its own. Needs "
        "payments:write. revokePayLink, and cancelling the order, end all its links."
    )
    async def create_pay_link(
        self,
        info: Info[TenantContext, None],
        input: Annotated[CreatePayLinkInput, strawberry.argument(description="For which order.")],
    ) -> CreatePayLinkResult:
        id_ = inside(Kind.ORDER, input.order_id)
        url, expires_at = await orders.create_pay_link(info.context, id_, input.expires_at)
        return CreatePayLinkSuccess(url=url, expires_at=expires_at)

    @strawberry.mutation(
        description="Ends every link to an order's page that was given out so far, such as one sent to the "
        "wrong person: who opens it, or has it open, is told that it is no longer valid. The order stays as "
        "it is, a payment on its way goes on, and createPayLink gives a new link. Needs payments:write."
    )
    async def revoke_pay_link(
        self,
        info: Info[TenantContext, None],
        input: Annotated[RevokePayLinkInput, strawberry.argument(description="Of which order.")],
    ) -> RevokePayLinkResult:
        row = await orders.revoke_pay_link(info.context, inside(Kind.ORDER, input.order_id))
        return RevokePayLinkSuccess(order=Order.of(row))


@strawberry.type(description="Orders as they change.")
class OrderSubscriptions:
    @strawberry.subscription(
        description="An order's state now, then after each change of it or of one of its payments. Needs "
        "payments:read. Steps in quick succession may come as one."
    )
    async def order_updated(
        self, info: Info[TenantContext, None], id: OrderId
    ) -> AsyncGenerator[Order, None]:
        rows = orders_feed.order_updates(info.context, inside(Kind.ORDER, id))
        async with aclosing(rows):
            async for row in rows:
                yield Order.of(row)
