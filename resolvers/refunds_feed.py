"""Refunds as they change: the present state first, then each newer version."""

from collections.abc import AsyncGenerator
from uuid import UUID

from core.errors import NotFound
from resolvers.refunds import refund
from tenancy.context import TenantContext
from tenancy.feed import RESYNC
from tenancy.roles import Scope
from tenant_db.refunds.models import Refund


async def refund_updates(context: TenantContext, id: UUID) -> AsyncGenerator[Refund, None]:
    """One refund now and after each change; steps in quick succession may come as one.

    Needs payments:read.

    Raises:
        NotFound: this business has no such refund.
    """
    context.require(Scope.PAYMENTS_READ)
    # Subscribed before it is read: what changes in between is told, not lost.
    async with context.services.feed.subscribe(context.tenant.id, {f"refund:{id}"}) as notices:
        shown = await refund(context, id)
        if shown is None:
            raise NotFound("refund")
        yield shown
        async for notice in notices:
            if notice.topic != RESYNC.topic and notice.payload["version"] <= shown.version:
                continue
            newer = await refund(context, id)
            if newer is not None and newer.version > shown.version:
                shown = newer
                yield shown
