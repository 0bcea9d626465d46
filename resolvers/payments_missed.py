"""Payments that changed since a moment: what a stream of many missed while it was not told."""

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Final
from uuid import UUID

from core.ids import lowest_id
from resolvers.missed import OVERLAP
from resolvers.payments import PaymentFilter, PaymentView, payments_named
from tenancy.context import TenantContext
from tenancy.errors import FeedInterrupted

STEPS_PER_LOOK: Final = 500
STEPS_MAX: Final = 20_000
"""Steps of payments that one stream makes up for: a minute at 330 a second."""


async def missed_payments(
    context: TenantContext, only: PaymentFilter, since: datetime
) -> AsyncGenerator[list[PaymentView], None]:
    """The payments that took a step since then, as they are now, page by page, in order of their steps.

    Every step is a row whose id tells its time, so the table's own key finds them. Reads nothing
    further until the page is taken. Needs payments:read.

    Raises:
        FeedInterrupted: there are more than STEPS_MAX of them; nothing was given.
    """
    after = lowest_id(since - OVERLAP)
    if await context.tenant.rows(_IS_TOO_MUCH, after, STEPS_MAX):
        raise FeedInterrupted
    has_more = True
    while has_more:
        steps = await context.tenant.rows(_STEPS, after, STEPS_PER_LOOK)
        has_more = len(steps) == STEPS_PER_LOOK
        after = steps[-1]["id"] if has_more else after
        # By its last step, so that each comes once and in the order in which they changed.
        order: dict[UUID, int] = {step["payment_id"]: place for place, step in enumerate(steps)}
        views = await payments_named(context, order)
        wanted = [view for view in views if only.store_id in {None, view.store_id}]
        yield sorted(wanted, key=lambda view: order[view.id])


_IS_TOO_MUCH: Final = "SELECT id FROM payment_events WHERE id > $1 ORDER BY id OFFSET $2 LIMIT 1"
_STEPS: Final = "SELECT id, payment_id FROM payment_events WHERE id > $1 ORDER BY id LIMIT $2"
