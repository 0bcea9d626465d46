"""Orders: what payers owe, made, read and taken back here; and the links to pay them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import func, select

from core.errors import NotFound
from core.ids import Kind, outside
from core.pages import Page, PageRequest
from resolvers.idempotency import once, run_once
from resolvers.pages import page_of
from resolvers.payments import PaymentView
from tenancy.audit import acting, record_audit
from tenancy.checkout_tokens import CheckoutToken
from tenancy.context import TenantContext
from tenancy.outbox import announce
from tenancy.roles import Scope
from tenancy.sessions import TenantSession
from tenant_db.orders import creating, ending, linking
from tenant_db.orders.creating import NewOrder
from tenant_db.orders.errors import OrderNotOpen
from tenant_db.orders.machine import OrderStatus
from tenant_db.orders.models import Order, OrderItem
from tenant_db.payments.models import Payment

QUEUE: Final = "payments"
PAYMENTS_SHOWN_MAX: Final = 20
"""Of one order, the newest: nobody tries oftener before it expires."""


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which orders a page is of; None is all."""

    status: OrderStatus | None = None
    store_id: UUID | None = None
    reference: str | None = None
    """In capital or small letters."""


async def create_order(context: TenantContext, new: NewOrder, key: str) -> Order:
    """Write an order, and leave its expiry to a job. Needs payments:write.

    Raises:
        What `creating.create_order` and `run_once` raise.
    """
    context.require(Scope.PAYMENTS_WRITE)
    actor, now = acting(context), context.services.clock()

    async def effect(session: TenantSession) -> Order:
        order = await creating.create_order(session, new, now)
        record_audit(session, actor, "create_order", subject=outside(Kind.ORDER, order.id))
        left_s = (order.expires_at - now).total_seconds()
        announce(session, "expire_order", queue=QUEUE, after_s=left_s, order_id=str(order.id))
        return order

    async def reload(session: TenantSession, ids: Mapping[str, UUID]) -> Order:
        return await session.get_one(Order, ids["order"])

    asked = once(context, "create_order", key, input=_input(new), ids={"order": new.id})
    return await run_once(context.tenant.transaction, asked, effect, reload)


async def cancel_order(context: TenantContext, id: UUID) -> Order:
    """Take an open order back; its links lead nowhere from then on. Needs payments:write.

    Raises:
        NotFound: no such order.
        OrderNotOpen: it is paid or expired.
    """
    context.require(Scope.PAYMENTS_WRITE)
    async with context.tenant.transaction() as session:
        order = await ending.cancel_order(session, id, context.services.clock())
        record_audit(session, acting(context), "cancel_order", subject=outside(Kind.ORDER, id))
    return order


async def create_pay_link(
    context: TenantContext, id: UUID, expires_at: datetime | None
) -> tuple[str, datetime]:
    """A link for the payer of an open order, and when it ends. Needs payments:write.

    Raises:
        NotFound: no such order.
        OrderNotOpen: it is paid, cancelled or expired.
        InvalidInput: that is no time for it to end.
    """
    context.require(Scope.PAYMENTS_WRITE)
    async with context.tenant.transaction() as session:
        order = await session.get(Order, id)
        if order is None:
            raise NotFound("order")
        token = linking.pay_link(context.tenant.id, order, expires_at, context.services.clock())
        record_audit(session, acting(context), "create_pay_link", subject=outside(Kind.ORDER, id))
    return pay_url(context, token), token.expires_at


async def revoke_pay_link(context: TenantContext, id: UUID) -> Order:
    """End every link to an order's page that was given out so far. Needs payments:write.

    Raises:
        NotFound: no such order.
    """
    context.require(Scope.PAYMENTS_WRITE)
    async with context.tenant.transaction() as session:
        order = await linking.revoke_links(session, id)
        record_audit(session, acting(context), "revoke_pay_link", subject=outside(Kind.ORDER, id))
    return order


def pay_url(context: TenantContext, token: CheckoutToken) -> str:
    return f"{context.services.policy.public_url}/pay/{token}"


def payment_link(context: TenantContext, order: Order) -> str | None:
    """The link to pay an order, which is the same at each reading; None where it isn't open.

    The caller has checked that the order may be read.
    """
    try:
        token = linking.pay_link(context.tenant.id, order, None, context.services.clock())
    except OrderNotOpen:
        return None
    return pay_url(context, token)


async def orders(context: TenantContext, request: PageRequest, only: OrderFilter) -> Page[Order]:
    """Needs payments:read."""
    context.require(Scope.PAYMENTS_READ)
    wanted = select(Order)
    if only.status is not None:
        wanted = wanted.where(Order.status == only.status)
    if only.store_id is not None:
        wanted = wanted.where(Order.store_id == only.store_id)
    if only.reference is not None:
        wanted = wanted.where(func.upper(Order.reference) == only.reference.strip().upper())
    async with context.tenant.reading() as session:
        return await page_of(session, wanted, Order, request)


async def order(context: TenantContext, id: UUID) -> Order | None:
    """Needs payments:read. None: this business has no such order."""
    context.require(Scope.PAYMENTS_READ)
    async with context.tenant.reading() as session:
        return await session.get(Order, id)


async def items_of(context: TenantContext, order_ids: Sequence[UUID]) -> list[list[OrderItem]]:
    """The lines of each order. The caller has checked that orders may be read."""
    async with context.tenant.reading() as session:
        found = await session.scalars(
            select(OrderItem)
            .where(OrderItem.order_id.in_(order_ids))
            .order_by(OrderItem.order_id, OrderItem.position)
        )
        lines = list(found)
    by_order: dict[UUID, list[OrderItem]] = {id_: [] for id_ in order_ids}
    for line in lines:
        by_order[line.order_id].append(line)
    return [by_order[id_] for id_ in order_ids]


async def payments_of(context: TenantContext, references: Sequence[str]) -> list[list[PaymentView]]:
    """The newest payments of each order, by its reference. The caller has checked that they may be read."""
    async with context.tenant.reading() as session:
        rows = await newest_payments(session, references, PAYMENTS_SHOWN_MAX)
    by_order: dict[str, list[PaymentView]] = {reference: [] for reference in references}
    for row in rows:
        by_order[row.order_reference or ""].append(PaymentView.of(row))
    return [by_order[reference] for reference in references]


async def newest_payments(session: TenantSession, references: Sequence[str], most: int) -> list[Payment]:
    """Of each reference the newest payments, newest first."""
    place = (
        func.row_number()
        .over(partition_by=Payment.order_reference, order_by=Payment.id.desc())
        .label("place")
    )
    numbered = select(Payment.id, place).where(Payment.order_reference.in_(references)).subquery()
    found = await session.scalars(
        select(Payment)
        .join(numbered, numbered.c.id == Payment.id)
        .where(numbered.c.place <= most)
        .order_by(Payment.id.desc())
    )
    return list(found)


def _input(new: NewOrder) -> dict[str, object]:
    """All that decides what the order says."""
    return {
        "store": str(new.store_id),
        "currency": new.currency.value,
        "items": [[item.name, item.quantity, str(item.unit_price_minor)] for item in new.items],
        "description": new.description,
        "reference": new.reference,
        "total": None if new.total is None else [str(new.total.minor), new.total.currency.value],
        "customer": [
            new.customer_name,
            None if new.customer_phone is None else new.customer_phone.e164,
            new.customer_email,
        ],
        "expires": new.expires_at,
    }
