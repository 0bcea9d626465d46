"""Opens a tenant's channel for one job: its adapter, and the secret part of its callback URLs."""

import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Final
from uuid import UUID

from core.collecting import Feature
from core.offers import Offer
from integrations.account import Account, NotConfigured, Outside
from integrations.http import Call
from integrations.protocol import Adapter
from integrations.registry import adapter_for, integration_for
from jobs.gathering import Gathering
from owner_db.catalog.errors import ProviderUnknown
from owner_db.catalog.providers import Provider, known_provider, offers
from tenancy.audit import SYSTEM
from tenancy.context import Services
from tenancy.metrics import PROVIDER_SECONDS
from tenancy.sessions import Tenant, TenantSession
from tenancy.tracing import record_outside_call
from tenant_db.calls.recording import NewCall, record_call
from tenant_db.channels.models import Channel
from tenant_db.credentials.account_rows import AccountRow, look_at_accounts
from tenant_db.credentials.names import SecretName
from tenant_db.credentials.opening import OpenedSecrets, open_secrets

CATALOG_S: Final = 5.0
"""How long a change of the catalog may take to be followed."""
SECRETS_S: Final = 300.0
"""How long opened secrets are remembered; replaced ones are noticed at once, by their version."""
SECRETS_MAX: Final = 2_000
"""Accounts whose opened secrets one process remembers."""


class CallJournal:
    """Gathers the calls of one job, to be written in the transaction that records its outcome."""

    def __init__(self) -> None:
        self._calls: list[Call] = []

    async def __call__(self, call: Call) -> None:
        seconds = call.duration_ms / 1_000
        PROVIDER_SECONDS.labels(call.provider, call.operation, call.outcome).observe(seconds)
        record_outside_call(f"{call.provider}.{call.operation}", seconds, call.outcome)
        self._calls.append(call)

    def write(self, session: TenantSession, subject_id: UUID) -> None:
        """Add what was gathered to `provider_calls`, for a payment or channel.

        It may be written again until `forget`: a transaction that fails takes its rows with it.
        """
        for call in self._calls:
            record_call(session, subject_id, NewCall(**asdict(call)))

    @property
    def gathered(self) -> Sequence[Call]:
        return self._calls

    def forget(self) -> None:
        """Start anew: what was gathered is committed."""
        self._calls.clear()


@dataclass(frozen=True, slots=True)
class Route:
    """A provider account, ready to collect."""

    account: Account = field(repr=False)
    adapter: Adapter = field(repr=False)
    secrets: OpenedSecrets = field(repr=False)
    settings: Mapping[str, object]
    """The catalog's, of the provider."""
    account_id: UUID
    features: frozenset[Feature]
    """What the adapter can do."""
    takes_payments: bool
    """False: the platform has switched it off for new payments; open ones are asked about to the end."""
    calls: CallJournal = field(repr=False)

    def callback_url(self, public_url: str, item: str) -> str:
        """Where the provider tells of one prompt; both its secret parts are hexadecimal."""
        return f"{public_url}/hooks/{self.secret(SecretName.HOOK_TOKEN)}/{item}"

    def secret(self, name: SecretName) -> str:
        """Raises NotConfigured where it is missing."""
        found = self.secrets.by_name.get(name)
        if not found:
            raise NotConfigured(f"{name} is missing")
        return found


@dataclass(slots=True)
class _Kept:
    secrets: OpenedSecrets
    until: float


class Providers:
    """What one worker process uses to reach providers."""

    def __init__(self, services: Services, outside: Outside) -> None:
        self.outside = outside
        self._services = services
        self._accounts = Gathering(look_at_accounts)
        self._catalog: dict[str, tuple[float, Provider]] = {}
        self._offers: Mapping[str, Offer] = {}
        self._offers_until = 0.0
        self._secrets: OrderedDict[tuple[UUID, UUID, int], _Kept] = OrderedDict()

    async def route(self, tenant: Tenant, account_id: UUID, purpose: str) -> Route:
        """Build the adapter of a provider account; opens no connection to the provider.

        `purpose` is the kind of the job, for the audit row that each opening of secrets leaves.

        Raises:
            NotConfigured: the provider is switched off, or something it needs is missing.
        """
        account = await self._accounts.ask(tenant, account_id)
        if account is None:
            raise ValueError(f"there is no account {account_id} in this tenant")
        provider = await self._provider(account.provider)
        secrets = await self._open(tenant, account, purpose)
        opened = Account(
            provider=provider.code,
            base_url=provider.base_url(account.environment),
            paths=_paths(provider.settings),
            details=_details(account),
            secrets=dict(secrets.by_name),
            environment=account.environment,
            settings=provider.settings,
        )
        calls = CallJournal()
        adapter = adapter_for(opened, self.outside, calls)
        return Route(
            opened,
            adapter,
            secrets,
            provider.settings,
            account.id,
            integration_for(provider.code).features,
            provider.offer.takes_payments,
            calls,
        )

    async def route_of_channel(self, tenant: Tenant, channel_id: UUID, purpose: str) -> Route:
        """As `route`, of the account that holds a channel's keys."""
        async with tenant.reading() as session:
            channel = await session.get_one(Channel, channel_id)
        return await self.route(tenant, channel.provider_account_id, purpose)

    async def offers(self) -> Mapping[str, Offer]:
        """What every provider of the catalog offers, by its code."""
        if time.monotonic() >= self._offers_until:
            async with self._services.owner.reading() as session:
                self._offers = await offers(session)
            self._offers_until = time.monotonic() + CATALOG_S
        return self._offers

    def forget_catalog(self) -> None:
        """Read the catalog again at the next job."""
        self._catalog.clear()
        self._offers_until = 0.0

    async def _provider(self, code: str) -> Provider:
        until, provider = self._catalog.get(code, (0.0, None))
        if provider is None or time.monotonic() >= until:
            try:
                async with self._services.owner.reading() as session:
                    provider = await known_provider(session, code)
            except ProviderUnknown as error:
                raise NotConfigured(error.message) from error
            self._catalog[code] = (time.monotonic() + CATALOG_S, provider)
        return provider

    async def _open(self, tenant: Tenant, account: AccountRow, purpose: str) -> OpenedSecrets:
        key = (tenant.id, account.id, account.secrets_version)
        kept = self._secrets.get(key)
        if kept is not None and time.monotonic() < kept.until:
            self._secrets.move_to_end(key)
            return kept.secrets
        async with tenant.transaction() as session:
            secrets = await open_secrets(session, self._services.keyring, account.id, SYSTEM, purpose)
        self._secrets[tenant.id, account.id, secrets.version] = _Kept(secrets, time.monotonic() + SECRETS_S)
        while len(self._secrets) > SECRETS_MAX:
            self._secrets.popitem(last=False)
        return secrets


def poll_ladder_s(settings: Mapping[str, object], fallback: tuple[int, ...]) -> tuple[int, ...]:
    """The catalog's ladder, in seconds since the prompt; `fallback` where it has none."""
    told = settings.get("poll_ladder_s")
    if not isinstance(told, list) or not all(isinstance(rung, int) for rung in told):
        return fallback
    return tuple(told)


def _paths(settings: Mapping[str, object]) -> dict[str, str]:
    paths = settings.get("paths")
    return {str(name): str(path) for name, path in paths.items()} if isinstance(paths, dict) else {}


def _details(account: AccountRow) -> dict[str, str | None]:
    """What the tenant configured, and for M-Pesa what its channel says."""
    configured = {name: str(value) for name, value in account.configuration.items()}
    channel = account.channel
    if channel is None:
        return dict(configured)
    return {
        **configured,
        "kind": channel.kind,
        "short_code": channel.short_code,
        "head_office_code": channel.head_office_code,
        "initiator_name": channel.initiator_name,
    }
