"""What speaks against a change of webhook endpoints."""

from core.errors import DomainError
from tenant_db.webhooks.rules import ENDPOINTS_MAX


class TooManyWebhookEndpoints(DomainError):
    """The business has as many endpoints as it may have."""

    code = "TOO_MANY_WEBHOOK_ENDPOINTS"

    def __init__(self) -> None:
        super().__init__(f"A business has at most {ENDPOINTS_MAX} webhook endpoints; delete one first.")


class WebhookEndpointDisabled(DomainError):
    """Nothing is sent to a disabled endpoint."""

    code = "WEBHOOK_ENDPOINT_DISABLED"

    def __init__(self) -> None:
        super().__init__("This webhook endpoint is disabled. Enable it, then send again.")
