"""One tenant's account of one provider, and what an integration is made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import httpx

from core.clock import Clock
from core.collecting import Feature
from integrations.http import CallLog
from integrations.mpesa.tokens import TokenStore
from integrations.protocol import Adapter
from integrations.webhooks import WebhookScheme


class NotConfigured(Exception):
    """The catalog or the tenant's account lacks what the adapter needs; nothing was sent."""


@dataclass(frozen=True, slots=True)
class Outside:
    """What a process shares between all adapters."""

    http: httpx.AsyncClient
    tokens: TokenStore
    clock: Clock


@dataclass(frozen=True, slots=True)
class Account:
    """One tenant's configuration of one provider, opened for one job."""

    provider: str
    """The catalog's code: `mpesa`."""
    base_url: str
    """The catalog row's for the account's environment."""
    paths: Mapping[str, str]
    """`settings["paths"]` of the catalog row, by the adapter's names; those left out have defaults."""
    details: Mapping[str, str | None]
    """What is not secret. M-Pesa: `kind` (`paybill`, `till`), `short_code`, `head_office_code`."""
    secrets: Mapping[str, str] = field(repr=False)
    """Opened. M-Pesa: `consumer_key`, `consumer_secret`, `passkey`."""
    environment: str = "sandbox"
    """`sandbox` or `production`: what a test key or a live key must fit."""
    settings: Mapping[str, object] = field(default_factory=dict)
    """The catalog row's."""

    def secret(self, name: str) -> str:
        """Raises NotConfigured where it is missing."""
        return _required(self.secrets.get(name), name)

    def detail(self, name: str) -> str:
        """Raises NotConfigured where it is missing."""
        return _required(self.details.get(name), name)


@dataclass(frozen=True, slots=True)
class Integration:
    """How Hazina speaks to one provider: built in, or the object a plugin's entry point names."""

    code: str
    """As in the catalog."""
    features: frozenset[Feature]
    """What the adapter can do."""
    build: Callable[[Account, Outside, CallLog], Adapter]
    """Opens no connection. Raises NotConfigured."""
    webhooks: WebhookScheme | None = None
    """None where the provider sends none that are signed."""
    public_details: tuple[str, ...] = ()
    """Names in `Account.details` that a payer's browser may see, such as `publishable_key`."""


def _required(value: str | None, name: str) -> str:
    if not value:
        raise NotConfigured(f"{name} is missing")
    return value
