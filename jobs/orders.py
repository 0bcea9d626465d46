"""Ends orders whose time is over."""

from typing import Final
from uuid import UUID

from jobs.work import Done, Handler, Later, Result, Work
from tenant_db.orders import ending

EXPIRE_ATTEMPTS_MAX: Final = 100
"""A run that comes early, or finds that a payer is still at it, comes again, and counts."""
EARLY_S: Final = 0.05
"""Added to what is left, so that the clocks' last digits do not bring it back a moment early."""


def order_handlers() -> list[Handler]:
    """The jobs of orders."""
    return [Handler("expire_order", expire_order, attempts_max=EXPIRE_ATTEMPTS_MAX)]


async def expire_order(work: Work) -> Result:
    """Expire an order nobody has paid, or come back when its time is over."""
    now = work.services.clock()
    async with work.tenant.transaction() as session:
        again_at = await ending.expire_order(session, UUID(work.payload["order_id"]), now)
    if again_at is None:
        return Done()
    return Later((again_at - now).total_seconds() + EARLY_S, "it may still be paid")
