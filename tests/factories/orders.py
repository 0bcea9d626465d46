"""Orders, and attempts to collect them."""

from datetime import datetime
from typing import Final
from uuid import UUID

from core.clock import utc_now
from core.currency import Currency
from tenancy.sessions import Tenant
from tenant_db.orders.creating import NewOrder, create_order
from tenant_db.orders.models import Order
from tenant_db.orders.rules import NewItem
from tenant_db.payments.ending import succeed
from tenant_db.payments.locking import lock_payment
from tenant_db.payments.models import Payment
from tenant_db.payments.rules import Cause
from tests.factories.payments import AMOUNT, Shop, pend

ITEMS: Final = (NewItem("Ugali na sukuma", 3, 40_000), NewItem("Chai", 2, 15_000))
"""They come to AMOUNT."""


def new_order(shop: Shop, **changes: object) -> NewOrder:
    """An ordinary order, but for what the test is about."""
    values: dict[str, object] = {
        "store_id": shop.store_id,
        "currency": Currency.KES,
        "items": ITEMS,
        "reference": "order-1042",
        **changes,
    }
    return NewOrder(**values)  # type: ignore[arg-type]  # the names are checked when it is made


async def make_order(tenant: Tenant, shop: Shop, *, now: datetime | None = None, **changes: object) -> Order:
    async with tenant.transaction() as session:
        return await create_order(session, new_order(shop, **changes), now or utc_now())


async def attempt(tenant: Tenant, shop: Shop, order: Order, **changes: object) -> Payment:
    """An attempt whose prompt was accepted."""
    values = {"order_reference": order.reference, "amount": AMOUNT, **changes}
    payment, _ = await pend(tenant, shop, **values)  # type: ignore[arg-type]  # as above
    return payment


async def settle(tenant: Tenant, payment: Payment, receipt: str, *, now: datetime | None = None) -> None:
    """The provider proves that it was paid."""
    async with tenant.transaction() as session:
        locked = await lock_payment(session, payment.id)
        await succeed(session, locked, receipt, Cause.CALLBACK, now or utc_now())


async def read_order(tenant: Tenant, order_id: UUID) -> Order:
    async with tenant.reading() as session:
        return await session.get_one(Order, order_id)
