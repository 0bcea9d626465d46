"""Leaves messages for the tenant's endpoints, in the transaction of what they tell."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select

from core.clock import utc_now
from core.ids import new_id
from tenancy.outbox import announce
from tenancy.sessions import TenantSession
from tenant_db.webhooks.models import WebhookDelivery, WebhookEndpoint
from tenant_db.webhooks.rules import DeliveryState, WebhookEvent

QUEUE: Final = "webhooks"
_EVENTS: Final = "webhook_events"


@dataclass(frozen=True, slots=True)
class Happened:
    """Something that endpoints may want to be told."""

    event: WebhookEvent
    subject: str
    """TypeID of what it is about."""
    version: int
    """With the event and the subject it names the message: told again, it is the same."""
    data: Mapping[str, Any]
    """Texts, whole numbers as text, booleans and nulls, for the tenant's systems."""


def tell_endpoints(session: TenantSession, happened: Happened) -> None:
    """Have it told to every endpoint that wants it, once this transaction has committed."""
    waiting: list[Happened] = session.info.setdefault(_EVENTS, [])
    if not waiting:
        session.at_end.append(_leave_messages)
    waiting.append(happened)


async def _leave_messages(session: TenantSession) -> None:
    waiting: list[Happened] = session.info.pop(_EVENTS)
    found = await session.execute(
        select(WebhookEndpoint.id, WebhookEndpoint.events).where(
            WebhookEndpoint.is_enabled, WebhookEndpoint.deleted_at.is_(None)
        )
    )
    for endpoint_id, events in found.all():
        wanted = [happened for happened in waiting if happened.event in events]
        session.add_all(message_to(endpoint_id, happened) for happened in wanted)
        if wanted:
            announce(session, "deliver_webhooks", queue=QUEUE, endpoint_id=str(endpoint_id))
    await session.flush()


def message_to(endpoint_id: UUID, happened: Happened) -> WebhookDelivery:
    """A message that waits to be delivered."""
    return WebhookDelivery(
        id=new_id(),
        endpoint_id=endpoint_id,
        event=happened.event.value,
        event_key=f"{happened.event}:{happened.subject}:{happened.version}",
        subject=happened.subject,
        payload=dict(happened.data),
        state=DeliveryState.PENDING.value,
        next_try_at=utc_now(),
    )
