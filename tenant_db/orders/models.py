"""Rows about orders."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from core.currency import Currency
from core.money import Money
from tenancy.columns import Keyed, MinorUnits, TenantModel, one_of
from tenant_db.orders.machine import NEXT, OrderStatus
from tenant_db.orders.rules import Sums


class Order(Keyed, TenantModel):
    """What a payer owes for some items. Its payments carry its reference: the attempts to collect it."""

    __tablename__ = "orders"
    __table_args__ = (
        one_of("status", OrderStatus),
        CheckConstraint("total_minor > 0", name="total_positive"),
        CheckConstraint("paid_minor >= 0 AND refunded_minor >= 0", name="sums_not_negative"),
        # Paid is what the total is covered by, whoever writes it.
        CheckConstraint("status <> 'paid' OR paid_minor >= total_minor", name="paid_in_full"),
        UniqueConstraint("reference"),
        # A payer types it on a phone, in capital or small letters.
        Index("uq_orders_typed", text("upper(reference)"), unique=True),
        Index("ix_orders_page", "created_at", "id"),
        Index("ix_orders_store_page", "store_id", "created_at", "id"),
    )

    store_id: Mapped[UUID] = mapped_column(ForeignKey("stores.id"))
    reference: Mapped[str]
    """The tenant's own name of it: the `order_reference` of its payments."""
    description: Mapped[str]
    """What it is for, as the payer sees it."""
    currency: Mapped[Currency]
    total_minor: Mapped[int] = mapped_column(MinorUnits)
    paid_minor: Mapped[int] = mapped_column(MinorUnits, default=0)
    """By all its succeeded payments: more than the total where it was paid twice."""
    refunded_minor: Mapped[int] = mapped_column(MinorUnits, default=0)
    """Of that, what went back for good."""
    customer_name: Mapped[str | None]
    customer_phone: Mapped[str | None]
    """In E.164."""
    customer_email: Mapped[str | None]
    status: Mapped[str]
    version: Mapped[int] = mapped_column(default=1)
    """Grows with every change, so that a client can drop what it has seen."""
    link_key: Mapped[bytes]
    """Proves the links to its page; opens nothing but them."""
    expires_at: Mapped[datetime]
    """From then on no attempt is begun; money that comes later still counts."""
    paid_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    """When it was cancelled or expired."""

    @property
    def state(self) -> OrderStatus:
        return OrderStatus(self.status)

    @property
    def sums(self) -> Sums:
        currency = self.currency
        return Sums(
            self.state,
            Money(self.total_minor, currency),
            Money(self.paid_minor, currency),
            Money(self.refunded_minor, currency),
        )

    def advance(self, to: OrderStatus) -> None:
        """Take one step of the machine under the order's lock."""
        if to not in NEXT[self.state]:
            raise ValueError(f"an order never goes from {self.status} to {to}")
        self.status = to.value
        self.version += 1


class OrderItem(Keyed, TenantModel):
    """One line of an order. Insert-only."""

    __tablename__ = "order_items"
    __table_args__ = (
        UniqueConstraint("order_id", "position"),
        CheckConstraint("quantity > 0 AND unit_price_minor >= 0", name="line_sensible"),
        CheckConstraint("total_minor = quantity * unit_price_minor", name="line_adds_up"),
    )

    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"))
    position: Mapped[int]
    name: Mapped[str]
    quantity: Mapped[int]
    unit_price_minor: Mapped[int] = mapped_column(MinorUnits)
    """In the order's currency."""
    total_minor: Mapped[int] = mapped_column(MinorUnits)
