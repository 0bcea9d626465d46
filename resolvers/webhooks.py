"""Webhooks to a business's own systems."""

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from sqlalchemy import select

from core.ids import Kind, outside
from core.pages import Page, PageRequest
from resolvers.pages import page_of
from tenancy.audit import acting, record_audit
from tenancy.context import TenantContext
from tenancy.roles import Scope
from tenancy.sessions import TenantSession
from tenant_db.webhooks import endpoints
from tenant_db.webhooks.endpoints import EndpointInput
from tenant_db.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from tenant_db.webhooks.rules import ENDPOINTS_MAX, LADDER, DeliveryState, DisabledReason

ATTEMPTS_SHOWN_MAX = 3 * len(LADDER)


def plain_is_allowed(context: TenantContext) -> bool:
    """Whether plain http will do: on a developer's own machine."""
    return context.services.policy.environment == "development"


async def webhook_endpoints(context: TenantContext) -> Sequence[WebhookEndpoint]:
    """The newest first. Needs webhooks:read."""
    context.require(Scope.WEBHOOKS_READ)
    async with context.tenant.reading() as session:
        found = await session.scalars(
            select(WebhookEndpoint)
            .where(WebhookEndpoint.deleted_at.is_(None))
            .order_by(WebhookEndpoint.id.desc())
            .limit(ENDPOINTS_MAX)
        )
        return found.all()


async def webhook_deliveries(
    context: TenantContext, endpoint_id: UUID, state: DeliveryState | None, request: PageRequest
) -> Page[WebhookDelivery]:
    """What an endpoint was told, the newest first. Needs webhooks:read."""
    context.require(Scope.WEBHOOKS_READ)
    wanted = select(WebhookDelivery).where(WebhookDelivery.endpoint_id == endpoint_id)
    if state is not None:
        wanted = wanted.where(WebhookDelivery.state == state)
    async with context.tenant.reading() as session:
        return await page_of(session, wanted, WebhookDelivery, request)


async def webhook_attempts(context: TenantContext, delivery_id: UUID) -> Sequence[WebhookAttempt]:
    """The tries of one message, the newest first. Needs webhooks:read."""
    context.require(Scope.WEBHOOKS_READ)
    async with context.tenant.reading() as session:
        found = await session.scalars(
            select(WebhookAttempt)
            .where(WebhookAttempt.delivery_id == delivery_id)
            .order_by(WebhookAttempt.id.desc())
            .limit(ATTEMPTS_SHOWN_MAX)
        )
        return found.all()


async def create_webhook_endpoint(context: TenantContext, new: EndpointInput) -> tuple[WebhookEndpoint, str]:
    """Add an endpoint; the second value is its secret, shown this once. Needs webhooks:write.

    Raises:
        TooManyWebhookEndpoints: there are enough.
    """
    context.require(Scope.WEBHOOKS_WRITE)
    async with context.tenant.transaction() as session:
        endpoint, secret = await endpoints.add_endpoint(session, context.services.keyring, new)
        _audit(context, session, "create_webhook_endpoint", endpoint.id)
    return endpoint, secret


async def rotate_webhook_secret(context: TenantContext, id: UUID) -> tuple[WebhookEndpoint, str]:
    """Replace the secret; for a day messages are signed with both. Needs webhooks:write. Raises NotFound."""
    context.require(Scope.WEBHOOKS_WRITE)
    services = context.services
    async with context.tenant.transaction() as session:
        endpoint, secret = await endpoints.rotate_secret(session, services.keyring, id, services.clock())
        _audit(context, session, "rotate_webhook_secret", id)
    return endpoint, secret


async def update_webhook_endpoint(context: TenantContext, id: UUID, new: EndpointInput) -> WebhookEndpoint:
    """Change address, description and events. Needs webhooks:write. Raises NotFound."""
    return await _change(
        context, "update_webhook_endpoint", id, lambda session: endpoints.change_endpoint(session, id, new)
    )


async def enable_webhook_endpoint(context: TenantContext, id: UUID) -> WebhookEndpoint:
    """Tell it again of what happens from now on. Needs webhooks:write. Raises NotFound."""
    return await _change(
        context, "enable_webhook_endpoint", id, lambda session: endpoints.enable_endpoint(session, id)
    )


async def disable_webhook_endpoint(context: TenantContext, id: UUID) -> WebhookEndpoint:
    """Tell it nothing more. Needs webhooks:write. Raises NotFound."""
    now = context.services.clock()
    return await _change(
        context,
        "disable_webhook_endpoint",
        id,
        lambda session: endpoints.disable_endpoint(session, id, DisabledReason.BY_HAND, now),
    )


async def delete_webhook_endpoint(context: TenantContext, id: UUID) -> WebhookEndpoint:
    """Forget it. Needs webhooks:write. Raises NotFound."""
    now = context.services.clock()
    return await _change(
        context, "delete_webhook_endpoint", id, lambda session: endpoints.delete_endpoint(session, id, now)
    )


async def send_test_webhook(context: TenantContext, id: UUID) -> WebhookDelivery:
    """Send a message that tells nothing. Needs webhooks:write.

    Raises:
        NotFound: no such endpoint.
        WebhookEndpointDisabled: nothing is sent there.
    """
    context.require(Scope.WEBHOOKS_WRITE)
    async with context.tenant.transaction() as session:
        message = await endpoints.send_test(session, id)
        _audit(context, session, "send_test_webhook", id)
    return message


async def redeliver_webhook(context: TenantContext, id: UUID) -> WebhookDelivery:
    """Send a message again under its id. Needs webhooks:write.

    Raises:
        NotFound: no such message.
        WebhookEndpointDisabled: nothing is sent there.
    """
    context.require(Scope.WEBHOOKS_WRITE)
    async with context.tenant.transaction() as session:
        message = await endpoints.redeliver(session, id)
        _audit(context, session, "redeliver_webhook", message.endpoint_id)
    return message


async def _change(
    context: TenantContext,
    action: str,
    id: UUID,
    verb: Callable[[TenantSession], Awaitable[WebhookEndpoint]],
) -> WebhookEndpoint:
    context.require(Scope.WEBHOOKS_WRITE)
    async with context.tenant.transaction() as session:
        changed = await verb(session)
        _audit(context, session, action, id)
    return changed


def _audit(context: TenantContext, session: TenantSession, action: str, id: UUID) -> None:
    record_audit(session, acting(context), action, subject=outside(Kind.WEBHOOK_ENDPOINT, id))
