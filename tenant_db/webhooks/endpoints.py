"""Adds and changes webhook endpoints; their secrets are sealed, and shown once."""

import base64
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import func, select, update

from core.clock import utc_now
from core.errors import NotFound
from core.ids import Kind, new_id, outside
from tenancy.keyring import Keyring, Place
from tenancy.outbox import announce
from tenancy.sessions import TenantSession
from tenant_db.webhooks import rules
from tenant_db.webhooks.errors import TooManyWebhookEndpoints, WebhookEndpointDisabled
from tenant_db.webhooks.models import WebhookDelivery, WebhookEndpoint
from tenant_db.webhooks.rules import DeliveryState, DisabledReason, WebhookEvent
from tenant_db.webhooks.telling import QUEUE, Happened, message_to

SECRET_BYTES: Final = 32
TABLE: Final = WebhookEndpoint.__tablename__
COLUMN: Final = "secret"
PREVIOUS_COLUMN: Final = "previous_secret"


@dataclass(frozen=True, slots=True)
class EndpointInput:
    """What a tenant wants to be told, and where.

    Raises:
        InvalidInput: an unusable address, description or choice of events.
    """

    url: str
    events: list[str]
    description: str = ""
    may_be_plain: bool = False
    """Whether plain http will do: development only."""

    def __post_init__(self) -> None:
        rules.require_url(self.url, may_be_plain=self.may_be_plain)
        rules.require_events(self.events)
        rules.require_description(self.description)


async def add_endpoint(
    session: TenantSession, keyring: Keyring, new: EndpointInput
) -> tuple[WebhookEndpoint, str]:
    """Write an enabled endpoint; the second value is its secret, shown this once.

    Raises:
        TooManyWebhookEndpoints: there are enough.
    """
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(TABLE, 0))))
    count = await session.scalar(
        select(func.count()).select_from(WebhookEndpoint).where(WebhookEndpoint.deleted_at.is_(None))
    )
    if (count or 0) >= rules.ENDPOINTS_MAX:
        raise TooManyWebhookEndpoints
    id_, secret = new_id(), _new_secret()
    endpoint = WebhookEndpoint(
        id=id_,
        url=new.url,
        description=new.description,
        events=list(dict.fromkeys(new.events)),
        secret=await keyring.seal(session.tenant_id, Place(TABLE, COLUMN, id_), secret),
    )
    session.add(endpoint)
    await session.flush()
    return endpoint, secret


async def change_endpoint(session: TenantSession, id: UUID, new: EndpointInput) -> WebhookEndpoint:
    """Take another address, description or choice of events; what waits goes to the new address.

    Raises:
        NotFound: no such endpoint.
    """
    endpoint = await lock_endpoint(session, id)
    endpoint.url, endpoint.description = new.url, new.description
    endpoint.events = list(dict.fromkeys(new.events))
    return endpoint


async def rotate_secret(
    session: TenantSession, keyring: Keyring, id: UUID, now: datetime
) -> tuple[WebhookEndpoint, str]:
    """Sign with a new secret, shown this once, and for OVERLAP with the old one too.

    Raises:
        NotFound: no such endpoint.
    """
    endpoint = await lock_endpoint(session, id)
    old = await keyring.open(session.tenant_id, Place(TABLE, COLUMN, id), endpoint.secret)
    secret = _new_secret()
    previous = Place(TABLE, PREVIOUS_COLUMN, id)
    endpoint.previous_secret = await keyring.seal(session.tenant_id, previous, old.reveal())
    endpoint.previous_until = now + rules.OVERLAP
    endpoint.secret = await keyring.seal(session.tenant_id, Place(TABLE, COLUMN, id), secret)
    return endpoint, secret


async def enable_endpoint(session: TenantSession, id: UUID) -> WebhookEndpoint:
    """Tell it again of what happens from now on. Raises NotFound."""
    endpoint = await lock_endpoint(session, id)
    endpoint.is_enabled = True
    endpoint.disabled_reason = endpoint.disabled_at = endpoint.failing_since = None
    return endpoint


async def disable_endpoint(
    session: TenantSession, id: UUID, reason: DisabledReason, now: datetime
) -> WebhookEndpoint:
    """Tell it nothing more; what waits is given up, and can be sent again by hand. Raises NotFound."""
    endpoint = await lock_endpoint(session, id)
    if endpoint.is_enabled:
        endpoint.is_enabled = False
        endpoint.disabled_reason, endpoint.disabled_at = reason.value, now
    await _give_up(session, id)
    return endpoint


async def delete_endpoint(session: TenantSession, id: UUID, now: datetime) -> WebhookEndpoint:
    """Forget it; what it was told stays on record. Raises NotFound."""
    endpoint = await disable_endpoint(session, id, DisabledReason.BY_HAND, now)
    endpoint.deleted_at = now
    return endpoint


async def send_test(session: TenantSession, id: UUID) -> WebhookDelivery:
    """Send a message that tells nothing.

    Raises:
        NotFound: no such endpoint.
        WebhookEndpointDisabled: nothing is sent there.
    """
    endpoint = await lock_endpoint(session, id)
    if not endpoint.is_enabled:
        raise WebhookEndpointDisabled
    test = Happened(WebhookEvent.WEBHOOK_TEST, outside(Kind.WEBHOOK_ENDPOINT, id), 0, {})
    message = message_to(id, test)
    message.event_key = f"{WebhookEvent.WEBHOOK_TEST}:{message.id}"
    session.add(message)
    announce(session, "deliver_webhooks", queue=QUEUE, endpoint_id=str(id))
    await session.flush()
    return message


async def redeliver(session: TenantSession, id: UUID) -> WebhookDelivery:
    """Send a message again, now, under the same id and with its full ladder.

    Raises:
        NotFound: no such message, or its endpoint was deleted.
        WebhookEndpointDisabled: nothing is sent there.
    """
    message = await session.scalar(select(WebhookDelivery).where(WebhookDelivery.id == id).with_for_update())
    if message is None:
        raise NotFound("webhook delivery")
    endpoint = await lock_endpoint(session, message.endpoint_id)
    if not endpoint.is_enabled:
        raise WebhookEndpointDisabled
    message.state = DeliveryState.PENDING.value
    message.tries = 0
    message.first_failed_at = None
    message.next_try_at = utc_now()
    announce(session, "deliver_webhooks", queue=QUEUE, endpoint_id=str(endpoint.id))
    return message


async def lock_endpoint(session: TenantSession, id: UUID) -> WebhookEndpoint:
    """Raises NotFound."""
    endpoint = await session.scalar(
        select(WebhookEndpoint)
        .where(WebhookEndpoint.id == id, WebhookEndpoint.deleted_at.is_(None))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if endpoint is None:
        raise NotFound("webhook endpoint")
    return endpoint


async def _give_up(session: TenantSession, id: UUID) -> None:
    await session.execute(
        update(WebhookDelivery)
        .where(WebhookDelivery.endpoint_id == id, WebhookDelivery.state == DeliveryState.PENDING)
        .values(state=DeliveryState.FAILED.value, next_try_at=None)
        .execution_options(synchronize_session=False)
    )


def _new_secret() -> str:
    """As Standard Webhooks writes symmetric secrets."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}"
