"""A business's own accounts of payment providers: shown, switched, ranked."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from core.config_schemas import public_names
from core.currency import Currency
from core.errors import NotFound
from core.ids import Kind, outside
from core.pages import Page, PageRequest
from owner_db.catalog.providers import Provider, known_provider
from resolvers.pages import page_of
from tenancy.audit import acting, record_audit
from tenancy.circuits import CircuitState
from tenancy.context import TenantContext
from tenancy.roles import Scope
from tenancy.sessions import TenantSession
from tenant_db.channels.models import Channel
from tenant_db.credentials import switching
from tenant_db.credentials.models import ProviderAccount, SealedSecret
from tenant_db.credentials.names import PREVIOUS


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account as it is shown: never a secret, only which are there."""

    account: ProviderAccount
    secret_names: Sequence[str]
    channel_id: UUID | None
    circuit: CircuitState

    @property
    def id(self) -> UUID:
        return self.account.id


@dataclass(frozen=True, slots=True)
class PublicConfiguration:
    """What a payer's browser may see of an account."""

    provider: str
    environment: str
    values: Sequence[tuple[str, str]]


async def provider_accounts(context: TenantContext, request: PageRequest) -> Page[ProviderAccount]:
    """The newest first. Needs channels:read."""
    context.require(Scope.CHANNELS_READ)
    async with context.tenant.reading() as session:
        return await page_of(session, select(ProviderAccount), ProviderAccount, request)


async def provider_account(context: TenantContext, id: UUID) -> ProviderAccount | None:
    """Needs channels:read. None: this business has no such account."""
    context.require(Scope.CHANNELS_READ)
    async with context.tenant.reading() as session:
        return await session.get(ProviderAccount, id)


async def views(context: TenantContext, accounts: Sequence[ProviderAccount]) -> list[AccountView]:
    """What is shown beside the rows, read for all of them at once."""
    ids = [account.id for account in accounts]
    names: dict[UUID, list[str]] = {id_: [] for id_ in ids}
    async with context.tenant.reading() as session:
        found = await session.execute(
            select(SealedSecret.provider_account_id, SealedSecret.name)
            .where(SealedSecret.provider_account_id.in_(ids))
            .order_by(SealedSecret.name)
        )
        for account_id, name in found:
            if not name.endswith((PREVIOUS, "_token")):
                names[account_id].append(name)
        rows = await session.execute(
            select(Channel.provider_account_id, Channel.id).where(Channel.provider_account_id.in_(ids))
        )
        channels: dict[UUID, UUID] = dict(rows.all())
    circuits = await context.services.circuits.states(context.tenant.id, ids)
    return [
        AccountView(account, names[account.id], channels.get(account.id), circuits[account.id])
        for account in accounts
    ]


async def public_configuration(context: TenantContext, id: UUID) -> PublicConfiguration:
    """What a checkout page needs, such as a publishable key. Needs payments:read.

    Raises:
        NotFound: no such account.
    """
    context.require(Scope.PAYMENTS_READ)
    async with context.tenant.reading() as session:
        account = await session.get(ProviderAccount, id)
    if account is None:
        raise NotFound("provider account")
    provider = await _known(context, account.provider)
    shown = public_names(provider.config_schema)
    values = [(name, str(account.configuration[name])) for name in sorted(shown & set(account.configuration))]
    return PublicConfiguration(account.provider, account.environment, values)


async def enable_provider_account(context: TenantContext, id: UUID) -> ProviderAccount:
    """Let it collect. Needs channels:write.

    Raises:
        NotFound: no such account.
        AccountNotProven: its present keys are not proven.
    """
    context.require(Scope.CHANNELS_WRITE)
    async with context.tenant.transaction() as session:
        account = await switching.enable_account(session, id)
        audit(context, session, "enable_provider_account", account)
    return account


async def disable_provider_account(context: TenantContext, id: UUID) -> ProviderAccount:
    """Take no new payments on it. Needs channels:write.

    Raises:
        NotFound: no such account.
    """
    context.require(Scope.CHANNELS_WRITE)
    async with context.tenant.transaction() as session:
        account = await switching.disable_account(session, id)
        audit(context, session, "disable_provider_account", account)
    return account


async def set_default_provider_account(context: TenantContext, id: UUID) -> ProviderAccount:
    """Have it tried first. Needs channels:write.

    Raises:
        NotFound: no such account.
        AccountDisabled: it is switched off.
    """
    context.require(Scope.CHANNELS_WRITE)
    async with context.tenant.transaction() as session:
        account = await switching.set_default(session, id)
        audit(context, session, "set_default_provider_account", account)
    return account


async def update_provider_account(
    context: TenantContext,
    id: UUID,
    *,
    name: str | None,
    priority: int | None,
    currencies: Sequence[Currency] | None,
) -> ProviderAccount:
    """Change what is not None. Needs channels:write.

    Raises:
        NotFound: no such account.
        AccountOfChannel: more than the priority of an M-Pesa channel's account was to change.
        AccountNameTaken: the provider has an account of this name in this environment.
        InvalidInput: name, priority or currencies that can't be.
    """
    context.require(Scope.CHANNELS_WRITE)
    offered_currencies = frozenset((await provider_of(context, id)).currencies)
    async with context.tenant.transaction() as session:
        account = await switching.change_account(
            session,
            id,
            name=name,
            priority=priority,
            currencies=currencies,
            offered=offered_currencies,
        )
        audit(context, session, "update_provider_account", account)
    return account


async def provider_of(context: TenantContext, account_id: UUID) -> Provider:
    """What the catalog says of an account's provider, whatever its status.

    Raises:
        NotFound: no such account.
    """
    async with context.tenant.reading() as session:
        account = await session.get(ProviderAccount, account_id)
    if account is None:
        raise NotFound("provider account")
    return await _known(context, account.provider)


async def _known(context: TenantContext, code: str) -> Provider:
    async with context.services.owner.reading() as session:
        return await known_provider(session, code)


def audit(context: TenantContext, session: TenantSession, action: str, account: ProviderAccount) -> None:
    """Write down what was done to an account, with how it stands now; no name, no value."""
    details = {
        "provider": account.provider,
        "environment": account.environment,
        "is_enabled": account.is_enabled,
        "is_default": account.is_default,
        "secrets_version": account.secrets_version,
    }
    subject = outside(Kind.PROVIDER_ACCOUNT, account.id)
    record_audit(session, acting(context), action, subject=subject, details=details)
