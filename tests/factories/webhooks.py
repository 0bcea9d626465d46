"""Webhook endpoints, and messages that wait for them."""

from core.ids import Kind, outside
from tenancy.keyring import Keyring
from tenancy.sessions import Tenant
from tenant_db.webhooks import endpoints
from tenant_db.webhooks.endpoints import EndpointInput
from tenant_db.webhooks.rules import WebhookEvent
from tenant_db.webhooks.telling import Happened, message_to


async def make_webhook(keyring: Keyring, tenant: Tenant, name: str) -> dict[str, str]:
    """An endpoint and a message to it, whose texts hold `name`; gives their TypeIDs."""
    new = EndpointInput(f"https://{name.lower()}.example.com/", ["payment.succeeded"], name)
    async with tenant.transaction() as session:
        endpoint, _secret = await endpoints.add_endpoint(session, keyring, new)
        happened = Happened(WebhookEvent.PAYMENT_SUCCEEDED, name, 1, {"id": name})
        message = message_to(endpoint.id, happened)
        session.add(message)
    return {
        "webhook_endpoint": outside(Kind.WEBHOOK_ENDPOINT, endpoint.id),
        "webhook_delivery": outside(Kind.WEBHOOK_DELIVERY, message.id),
    }
