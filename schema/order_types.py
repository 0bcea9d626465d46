"""An order as clients see it, and what may be refused about one."""

from datetime import datetime
from uuid import UUID

import strawberry
from strawberry.dataloader import DataLoader
from strawberry.types import Info

from core.ids import Kind, outside
from core.money import Money as CoreMoney
from resolvers import loaders, orders
from resolvers.payments import PaymentView
from schema.channel_types import shown_store
from schema.connections import Node
from schema.errors import Error, Refusal
from schema.payment_types import Payment
from schema.scalars import Money, api_enum
from schema.stores import Store
from tenancy.context import TenantContext
from tenant_db.orders.errors import AmountNotDue, OrderNotOpen, OrderReferenceTaken
from tenant_db.orders.machine import OrderRefundStatus, OrderStatus
from tenant_db.orders.models import Order as OrderRow
from tenant_db.orders.models import OrderItem as OrderItemRow

api_enum(
    OrderStatus,
    "OrderStatus",
    "Where an order stands.",
    {
        OrderStatus.OPEN: "It waits to be paid.",
        OrderStatus.PAID: "It is paid in full.",
        OrderStatus.CANCELLED: "You took it back. What was paid all the same is shown as `overpaid`.",
        OrderStatus.EXPIRED: "Its time is over. Money that still comes counts, and is flagged.",
    },
)
api_enum(
    OrderRefundStatus,
    "OrderRefundStatus",
    "How much of what was paid went back to the payer.",
    {
        OrderRefundStatus.NONE: "Nothing but what was too much.",
        OrderRefundStatus.PARTIALLY_REFUNDED: "A part of the order's total.",
        OrderRefundStatus.REFUNDED: "Everything that was paid.",
    },
)


@strawberry.type(description="An order or payment of this business has this reference.")
class OrderReferenceTakenError(Error):
    order_reference: str = strawberry.field(description="The reference that is taken.")


@strawberry.type(description="The order is paid, cancelled or expired.")
class OrderNotOpenError(Error):
    status: str = strawberry.field(description="Where the order stands, in lower case.")


@strawberry.type(description="An attempt to collect an order is for exactly what is still due.")
class AmountNotDueError(Error):
    due: Money = strawberry.field(description="What is still due.")


class NotDueRefusal(Refusal[AmountNotDue, AmountNotDueError]):
    """Shows what is due as the API's Money."""

    def told(self, refusal: AmountNotDue) -> AmountNotDueError:
        return self._shown(refusal, {"due": Money.of(refusal.due)})


REFUSALS = (
    Refusal(OrderReferenceTaken, OrderReferenceTakenError),
    Refusal(OrderNotOpen, OrderNotOpenError),
    NotDueRefusal(AmountNotDue, AmountNotDueError),
)


@strawberry.type(description="One line of an order.")
class OrderItem:
    name: str = strawberry.field(description="What was ordered.")
    quantity: int = strawberry.field(description="How many.")
    unit_price: Money = strawberry.field(description="What one costs.")
    total: Money = strawberry.field(description="What the line comes to.")

    @classmethod
    def of(cls, row: OrderItemRow, order: OrderRow) -> "OrderItem":
        return cls(
            name=row.name,
            quantity=row.quantity,
            unit_price=Money.of(CoreMoney(row.unit_price_minor, order.currency)),
            total=Money.of(CoreMoney(row.total_minor, order.currency)),
        )


@strawberry.type(description="What a payer owes for some items. Its payments are the attempts to collect it.")
class Order(Node):
    reference: str = strawberry.field(
        description="Your own name of it: the `orderReference` of its payments, and what a payer may type."
    )
    description: str = strawberry.field(description="What it is for, as the payer sees it.")
    status: OrderStatus = strawberry.field(description="Where it stands.")
    refund_status: OrderRefundStatus = strawberry.field(description="How much of it went back.")
    total: Money = strawberry.field(description="What its items come to.")
    paid: Money = strawberry.field(description="What its payments have brought in all.")
    due: Money = strawberry.field(description="What an attempt to collect it must be for.")
    overpaid: Money = strawberry.field(
        description="What came in and should go back: too much, twice, or for an order that was taken back."
    )
    refunded: Money = strawberry.field(description="What went back for good.")
    customer_name: str | None = strawberry.field(description="Who pays, if known.")
    customer_phone: str | None = strawberry.field(description="Their phone in E.164, if known.")
    customer_email: str | None = strawberry.field(description="Their e-mail address, if known.")
    version: int = strawberry.field(
        description="Grows with every change: of two states, the one with the higher version is newer."
    )
    created_at: datetime = strawberry.field(description="When you made it.")
    expires_at: datetime = strawberry.field(description="From then on no attempt to collect it begins.")
    paid_at: datetime | None = strawberry.field(description="When it was paid in full.")
    ended_at: datetime | None = strawberry.field(description="When it was cancelled or expired.")
    store_id: strawberry.ID = strawberry.field(description="Whose balance grows.")
    _row: strawberry.Private[OrderRow]

    @strawberry.field(description="The store of `storeId`; null without the scope stores:read.")
    async def store(self, info: Info[TenantContext, None]) -> Store | None:
        return await shown_store(info.context, self._row.store_id)

    @strawberry.field(description="What was ordered, in order.")
    async def items(self, info: Info[TenantContext, None]) -> list[OrderItem]:
        rows = await info.context.loader(item_loader).load(self._row.id)
        return [OrderItem.of(row, self._row) for row in rows]

    @strawberry.field(description="The attempts to collect it, newest first, at most 20.")
    async def payments(self, info: Info[TenantContext, None]) -> list[Payment]:
        views = await info.context.loader(payment_loader).load(self._row.reference)
        return [Payment.of(view) for view in views]

    @strawberry.field(
        description="The page where the payer can pay it; null unless it is open. Whoever has the link "
        "sees this order and may pay it, and nothing else."
    )
    def payment_link(self, info: Info[TenantContext, None]) -> str | None:
        return orders.payment_link(info.context, self._row)

    @classmethod
    def of(cls, row: OrderRow) -> "Order":
        sums = row.sums
        return cls(
            id=strawberry.ID(outside(Kind.ORDER, row.id)),
            reference=row.reference,
            description=row.description,
            status=sums.status,
            refund_status=sums.refund_status,
            total=Money.of(sums.total),
            paid=Money.of(sums.paid),
            due=Money.of(sums.due),
            overpaid=Money.of(sums.overpaid),
            refunded=Money.of(sums.refunded),
            customer_name=row.customer_name,
            customer_phone=row.customer_phone,
            customer_email=row.customer_email,
            version=row.version,
            created_at=row.created_at,
            expires_at=row.expires_at,
            paid_at=row.paid_at,
            ended_at=row.ended_at,
            store_id=strawberry.ID(outside(Kind.STORE, row.store_id)),
            _row=row,
        )


def item_loader(context: TenantContext) -> DataLoader[UUID, list[OrderItemRow]]:
    """The lines of orders, in one query for each level of a document."""

    async def load(ids: list[UUID]) -> list[list[OrderItemRow]]:
        return await orders.items_of(context, ids)

    return DataLoader(load_fn=load, max_batch_size=loaders.BATCH_MAX)


def payment_loader(context: TenantContext) -> DataLoader[str, list[PaymentView]]:
    """The attempts to collect orders, by their references."""

    async def load(references: list[str]) -> list[list[PaymentView]]:
        return await orders.payments_of(context, references)

    # A stream keeps its context, and what it has shown before is not what there is now.
    return DataLoader(load_fn=load, max_batch_size=loaders.BATCH_MAX, cache=False)
