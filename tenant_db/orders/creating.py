"""Writes an order with its items."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, insert, select
from sqlalchemy.dialects.postgresql import insert as insert_unless

from core.currency import Currency
from core.errors import NotFound
from core.ids import new_id
from core.money import Money
from core.phone import Phone
from tenancy.sessions import TenantSession
from tenant_db.orders import rules
from tenant_db.orders.errors import OrderReferenceTaken
from tenant_db.orders.machine import OPEN
from tenant_db.orders.models import Order, OrderItem
from tenant_db.orders.rules import NewItem, new_link_key
from tenant_db.orders.telling import tell
from tenant_db.payments.errors import StoreClosed
from tenant_db.payments.locking import lock_order
from tenant_db.payments.models import Payment
from tenant_db.stores.models import Store


@dataclass(frozen=True, slots=True)
class NewOrder:
    """What a shop wants to be paid for."""

    store_id: UUID
    currency: Currency
    items: Sequence[NewItem]
    description: str | None = None
    """None is made from the reference."""
    reference: str | None = None
    """None has one made."""
    total: Money | None = None
    """What the caller says the items come to; None does not say."""
    customer_name: str | None = None
    customer_phone: Phone | None = None
    customer_email: str | None = None
    expires_at: datetime | None = None
    id: UUID = field(default_factory=new_id)
    """Known before it is written, so that an idempotency key can stand for it."""


async def create_order(session: TenantSession, new: NewOrder, now: datetime) -> Order:
    """Write the order, open to be paid. The caller announces `expire_order` and owns the transaction.

    Raises:
        InvalidInput: an item, text or time that makes no sense, or a total that is another.
        NotFound: no such store.
        StoreClosed: it takes no payments any more.
        OrderReferenceTaken: an order has the reference, or a payment that belongs to no order.
    """
    total = rules.total_of(new.items, new.currency, new.total)
    expires_at = rules.expiry(new.expires_at, now)
    _require_texts(new)
    await _require_open(session, new.store_id)
    reference = new.reference or rules.make_reference()
    # A payment for the same reference may be on its way to be written.
    await lock_order(session, reference)
    if await session.scalar(select(exists().where(Payment.order_reference == reference))):
        raise OrderReferenceTaken(reference)
    values = _values(new, reference, total, expires_at, now)
    statement = insert_unless(Order).values(values).on_conflict_do_nothing().returning(Order.id)
    if await session.scalar(statement) is None:
        raise OrderReferenceTaken(reference)
    await session.execute(insert(OrderItem), _lines(new, now))
    order = await session.get_one(Order, new.id)
    tell(session, order)
    return order


def _values(
    new: NewOrder, reference: str, total: Money, expires_at: datetime, now: datetime
) -> dict[str, object]:
    return {
        "id": new.id,
        "created_at": now,
        "store_id": new.store_id,
        "reference": reference,
        "description": new.description or f"Order {reference}",
        "currency": new.currency,
        "total_minor": total.minor,
        "customer_name": new.customer_name,
        "customer_phone": None if new.customer_phone is None else new.customer_phone.e164,
        "customer_email": new.customer_email,
        "status": OPEN.value,
        "link_key": new_link_key(),
        "expires_at": expires_at,
    }


def _lines(new: NewOrder, now: datetime) -> list[dict[str, object]]:
    return [
        {
            "id": new_id(),
            "created_at": now,
            "order_id": new.id,
            "position": position,
            "name": item.name,
            "quantity": item.quantity,
            "unit_price_minor": item.unit_price_minor,
            "total_minor": item.total_minor,
        }
        for position, item in enumerate(new.items)
    ]


def _require_texts(new: NewOrder) -> None:
    if new.reference is not None:
        rules.require_reference(new.reference)
    if new.description is not None:
        rules.require_text("description", new.description, rules.DESCRIPTION_CHARACTERS_MAX)
    if new.customer_name is not None:
        rules.require_text("customerName", new.customer_name, rules.NAME_CHARACTERS_MAX)
    if new.customer_email is not None:
        rules.require_email(new.customer_email)


async def _require_open(session: TenantSession, store_id: UUID) -> None:
    store = await session.get(Store, store_id)
    if store is None:
        raise NotFound("store")
    if store.closed_at is not None:
        raise StoreClosed
