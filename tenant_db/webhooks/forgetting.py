"""Deletes what endpoints were told long ago."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, select

from core.ids import lowest_id
from tenancy.sessions import TenantSession
from tenant_db.webhooks.models import WebhookAttempt, WebhookDelivery
from tenant_db.webhooks.rules import DeliveryState

KEPT_FOR: Final = timedelta(days=30)
"""The log of a delivered message, from its delivery on. The database refuses to delete younger tries."""
AT_ONCE: Final = 500
"""Messages deleted in one transaction."""


async def forget_deliveries(session: TenantSession, now: datetime) -> int:
    """Delete the oldest messages that were delivered KEPT_FOR ago, and their tries; gives how many.

    At most AT_ONCE. What was not delivered stays: it waits for its next try, or for a person.
    """
    before = now - KEPT_FOR
    if not await session.scalar(select(func.has_table_privilege("webhook_attempts", "DELETE"))):
        # One revision behind: its log waits for a night after its upgrade.
        return 0
    rows = await session.scalars(
        select(WebhookDelivery.id)
        .where(
            WebhookDelivery.id < lowest_id(before),
            WebhookDelivery.state == DeliveryState.DELIVERED,
            WebhookDelivery.delivered_at < before,
        )
        .order_by(WebhookDelivery.id)
        .limit(AT_ONCE)
        # One that is being sent again is not waited for.
        .with_for_update(skip_locked=True)
    )
    old = rows.all()
    await session.execute(delete(WebhookAttempt).where(WebhookAttempt.delivery_id.in_(old)))
    await session.execute(delete(WebhookDelivery).where(WebhookDelivery.id.in_(old)))
    return len(old)
