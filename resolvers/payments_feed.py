"""Payments as they change: the present state first, then each newer version."""

from collections.abc import AsyncGenerator
from typing import Final
from uuid import UUID

from core.errors import NotFound
from core.pages import PageRequest
from resolvers.payments import PaymentFilter, PaymentView, payment, payments
from tenancy.context import TenantContext
from tenancy.feed import RESYNC
from tenancy.roles import Scope

RECENT_MAX: Final = 20
"""Payments that a stream of all payments begins with, and repeats where it may have missed some."""


async def payment_updates(context: TenantContext, id: UUID) -> AsyncGenerator[PaymentView, None]:
    """One payment now and after each change; steps in quick succession may come as one.

    Needs payments:read. Nothing is asked of the database while nothing happens.

    Raises:
        NotFound: this business has no such payment.
    """
    context.require(Scope.PAYMENTS_READ)
    # Subscribed before it is read: what changes in between is told, not lost.
    async with context.services.feed.subscribe(context.tenant.id, {f"payment:{id}"}) as notices:
        shown = await payment(context, id)
        if shown is None:
            raise NotFound("payment")
        yield shown
        async for notice in notices:
            if notice.topic != RESYNC.topic and notice.payload["version"] <= shown.version:
                continue
            newer = await payment(context, id)
            if newer is not None and newer.version > shown.version:
                shown = newer
                yield shown


async def payments_updates(context: TenantContext) -> AsyncGenerator[PaymentView, None]:
    """The newest payments, then every payment that changes. Needs payments:read.

    A version may come twice: whoever shows them keeps the highest of each payment.
    """
    context.require(Scope.PAYMENTS_READ)
    async with context.services.feed.subscribe(context.tenant.id, {"payments"}) as notices:
        for view in await _recent(context):
            yield view
        async for notice in notices:
            if notice.topic == RESYNC.topic:
                for view in await _recent(context):
                    yield view
                continue
            changed = await payment(context, UUID(notice.payload["id"]))
            if changed is not None:
                yield changed


async def _recent(context: TenantContext) -> list[PaymentView]:
    """Oldest first, as they would have come."""
    page = await payments(context, PageRequest(RECENT_MAX), PaymentFilter())
    return list(reversed(page.rows))
