"""Takes the next message of an endpoint, and writes down what became of it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, or_, select, update

from core.ids import new_id
from tenancy.keyring import Keyring, Place
from tenancy.sessions import TenantSession
from tenant_db.webhooks import rules
from tenant_db.webhooks.endpoints import COLUMN, PREVIOUS_COLUMN, TABLE, disable_endpoint, lock_endpoint
from tenant_db.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from tenant_db.webhooks.rules import DeliveryState, DisabledReason

LEASE: Final = timedelta(seconds=40)
"""Longer than the longest call: one run delivers to an endpoint at a time."""
GONE_STATUS: Final = 410


@dataclass(frozen=True, slots=True)
class Target:
    """An endpoint that this run delivers to."""

    endpoint_id: UUID
    url: str = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    """The present one, and the one before during its overlap."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be delivered now."""

    id: UUID
    event: str
    occurred_at: datetime
    data: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answered:
    """How one try ended."""

    status: int | None
    response: str | None
    error: str | None
    duration_ms: int

    @property
    def is_delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004 - HTTP's successes


async def take_endpoint(
    session: TenantSession, keyring: Keyring, id: UUID, now: datetime
) -> Target | datetime | None:
    """Hold an endpoint for this run. A time: another run holds it until then. None: it is off."""
    endpoint = await session.scalar(
        update(WebhookEndpoint)
        .where(
            WebhookEndpoint.id == id,
            WebhookEndpoint.is_enabled,
            WebhookEndpoint.deleted_at.is_(None),
            or_(WebhookEndpoint.leased_until.is_(None), WebhookEndpoint.leased_until <= now),
        )
        .values(leased_until=now + LEASE)
        .returning(WebhookEndpoint)
    )
    if endpoint is None:
        return await session.scalar(
            select(WebhookEndpoint.leased_until).where(
                WebhookEndpoint.id == id, WebhookEndpoint.is_enabled, WebhookEndpoint.deleted_at.is_(None)
            )
        )
    opened = [await keyring.open(session.tenant_id, Place(TABLE, COLUMN, id), endpoint.secret)]
    if endpoint.previous_secret is not None and endpoint.previous_until and now < endpoint.previous_until:
        place = Place(TABLE, PREVIOUS_COLUMN, id)
        opened.append(await keyring.open(session.tenant_id, place, endpoint.previous_secret))
    return Target(id, endpoint.url, tuple(secret.reveal() for secret in opened))


async def leave_endpoint(session: TenantSession, id: UUID) -> None:
    """Let another run deliver."""
    await session.execute(
        update(WebhookEndpoint)
        .where(WebhookEndpoint.id == id)
        .values(leased_until=None)
        .execution_options(synchronize_session=False)
    )


async def next_message(session: TenantSession, endpoint_id: UUID, now: datetime) -> Message | datetime | None:
    """The message to send now; a time says when to look again; None that nothing waits.

    Messages go in the order in which things happened. One that fails holds back what came later for
    at most ORDER_WAIT; after that it is tried on its own ladder, and the others pass it.
    """
    mine = (WebhookDelivery.endpoint_id == endpoint_id, WebhookDelivery.state == DeliveryState.PENDING)
    blocking = (
        select(WebhookDelivery.id)
        .where(
            *mine,
            WebhookDelivery.next_try_at > now,
            WebhookDelivery.first_failed_at > now - rules.ORDER_WAIT,
        )
        .order_by(WebhookDelivery.id)
        .limit(1)
        .scalar_subquery()
    )
    due = await session.scalar(
        select(WebhookDelivery)
        .where(
            *mine,
            WebhookDelivery.next_try_at <= now,
            or_(blocking.is_(None), WebhookDelivery.id < blocking),
        )
        .order_by(WebhookDelivery.id)
        .limit(1)
    )
    if due is not None:
        return Message(due.id, due.event, due.created_at, due.payload)
    return await _next_look(session, endpoint_id, now)


async def _next_look(session: TenantSession, endpoint_id: UUID, now: datetime) -> datetime | None:
    """When a message is due again, or stops holding back the others."""
    mine = (WebhookDelivery.endpoint_id == endpoint_id, WebhookDelivery.state == DeliveryState.PENDING)
    due_at = select(func.min(WebhookDelivery.next_try_at)).where(*mine, WebhookDelivery.next_try_at > now)
    passed_at = select(func.min(WebhookDelivery.first_failed_at)).where(
        *mine, WebhookDelivery.first_failed_at > now - rules.ORDER_WAIT
    )
    due, failed = await session.scalar(due_at), await session.scalar(passed_at)
    times = [at for at in (due, failed and failed + rules.ORDER_WAIT) if at is not None]
    return min(times, default=None)


async def record_try(
    session: TenantSession, target: Target, message_id: UUID, answered: Answered, now: datetime
) -> DisabledReason | None:
    """Write down one try, and when to try again; says why the endpoint was disabled, if it was."""
    endpoint = await lock_endpoint(session, target.endpoint_id)
    message = await session.get_one(WebhookDelivery, message_id, with_for_update=True)
    session.add(
        WebhookAttempt(
            id=new_id(),
            delivery_id=message_id,
            status=answered.status,
            response=answered.response,
            error=answered.error,
            duration_ms=answered.duration_ms,
        )
    )
    endpoint.leased_until = now + LEASE
    message.tries += 1
    if answered.is_delivered:
        message.state = DeliveryState.DELIVERED.value
        message.delivered_at, message.next_try_at = now, None
        endpoint.failing_since, endpoint.last_success_at = None, now
        return None
    message.first_failed_at = message.first_failed_at or now
    endpoint.failing_since = endpoint.failing_since or now
    message.next_try_at = rules.next_try_at(message.tries, now)
    if message.next_try_at is None:
        message.state = DeliveryState.FAILED.value
    return await _judge(session, endpoint, message, answered, now)


async def _judge(
    session: TenantSession,
    endpoint: WebhookEndpoint,
    message: WebhookDelivery,
    answered: Answered,
    now: datetime,
) -> DisabledReason | None:
    """Disable an endpoint that is gone, or that refused everything while one message used up its ladder."""
    if not endpoint.is_enabled:
        return None
    reason = None
    if answered.status == GONE_STATUS:
        reason = DisabledReason.GONE
    elif message.state == DeliveryState.FAILED and endpoint.failing_since == message.first_failed_at:
        reason = DisabledReason.FAILING
    if reason is not None:
        await session.flush()
        await disable_endpoint(session, endpoint.id, reason, now)
    return reason
