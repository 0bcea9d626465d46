"""Webhooks of provider accounts: proven over their raw bytes, and made into messages for the inbox."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Final
from uuid import UUID

from integrations.account import NotConfigured
from integrations.errors import BadMessage
from integrations.redaction import without_fields
from integrations.registry import integration_for
from integrations.webhooks import BadSignature, HoldsSecrets, Webhook, WebhookScheme
from owner_db.tenants.hooks import Endpoint
from server.webhook_secrets import WebhookSecrets
from tenancy.context import Services
from tenancy.inbox import NewMessage

KIND: Final = "webhook"
KEPT_HEADERS: Final = ("content-type", "user-agent")
HEADER_CHARACTERS_MAX: Final = 2_000


class Refused(Exception):
    """The message is not kept; whoever sent it is answered with `status`."""

    def __init__(self, why: str, status: int) -> None:
        super().__init__(why)
        self.why = why
        self.status = status


class Webhooks:
    """What a server process needs to prove webhooks."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._secrets = WebhookSecrets(services)

    async def proven(self, endpoint: Endpoint, headers: Mapping[str, str], body: bytes) -> NewMessage:
        """The message as it goes into the inbox, once it has proven that the provider sent it.

        Raises:
            Refused: it proves nothing; nothing of it is kept.
            TenantNotServed, KeyMissing, SealBroken: the secrets can't be opened now.
        """
        account_id = endpoint.provider_account_id
        scheme = _scheme(endpoint.provider)
        if scheme is None or account_id is None:
            raise Refused("no_scheme", 404)
        told = {name: headers[name] for name in scheme.header_names if name in headers}
        if any(len(value) > HEADER_CHARACTERS_MAX for value in told.values()):
            raise Refused("signature", scheme.refusal_status)
        await self._prove(scheme, endpoint.tenant_id, account_id, Webhook(body, told))
        kept = {name: headers[name][:200] for name in KEPT_HEADERS if name in headers}
        return NewMessage(
            source=f"{endpoint.provider}:{account_id}",
            kind=KIND,
            external_id=f"{_external_id(scheme, body)}:{digest(None, body)}",
            headers=kept,
            body=without_fields(body, scheme.secret_fields) if isinstance(scheme, HoldsSecrets) else body,
        )

    async def _prove(
        self, scheme: WebhookScheme, tenant_id: UUID, account_id: UUID, webhook: Webhook
    ) -> None:
        """Raises Refused. Where secrets were replaced a moment ago, the new ones are looked up once."""
        secrets = await self._secrets.of(tenant_id, account_id, scheme.secret_names)
        if self._is_proven(scheme, webhook, secrets):
            return
        if self._secrets.doubt(tenant_id, account_id):
            secrets = await self._secrets.of(tenant_id, account_id, scheme.secret_names)
            if self._is_proven(scheme, webhook, secrets):
                return
        raise Refused("signature", scheme.refusal_status)

    def _is_proven(self, scheme: WebhookScheme, webhook: Webhook, secrets: Sequence[str]) -> bool:
        if not secrets:
            return False
        try:
            scheme.authenticate(webhook, secrets, self._services.clock())
        except BadSignature:
            return False
        return True


def digest(item_hash: bytes | None, body: bytes) -> str:
    """Tells messages apart that share an id: one that contradicts, or came to another address.

    Without it, a forged copy at a stolen address could make the true message a duplicate.
    """
    return sha256((item_hash or b"") + body).hexdigest()[:16]


def _scheme(provider: str) -> WebhookScheme | None:
    try:
        return integration_for(provider).webhooks
    except NotConfigured:
        return None


def _external_id(scheme: WebhookScheme, body: bytes) -> str:
    """What the sender calls it; `unreadable` where that can't be read, and a job will say so."""
    try:
        return scheme.external_id(body)
    except BadMessage:
        return "unreadable"
