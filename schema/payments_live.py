"""Payments of one store, as they change: what a till or a shop's screen shows."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

import strawberry
from strawberry.types import Info

from core.ids import Kind, inside
from resolvers import payments_feed
from schema.payment_types import INTERRUPTION, Payment, Since
from tenancy.context import TenantContext

StoreId = Annotated[strawberry.ID, strawberry.argument(description="Starts with store_.")]


@strawberry.type(description="Payments of one store, as they change.")
class StorePaymentSubscriptions:
    @strawberry.subscription(
        description="The newest 20 payments of one store, oldest first, then every payment of it that "
        "changes. Needs payments:read. Whoever connects again gets the present state first; keep the highest "
        "version of each payment. " + INTERRUPTION
    )
    async def store_payments(
        self, info: Info[TenantContext, None], store_id: StoreId, since: Since = None
    ) -> AsyncGenerator[Payment, None]:
        views = payments_feed.store_payments_updates(info.context, inside(Kind.STORE, store_id), since)
        async with aclosing(views):
            async for view in views:
                yield Payment.of(view)
