"""Sets a provider up for the tenant: values checked, secrets sealed, not yet used."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import exists, func, select

from core.currency import Currency
from core.errors import InvalidInput
from tenancy.keyring import Keyring
from tenancy.sessions import TenantSession
from tenant_db.channels.machine import Environment
from tenant_db.channels.models import Channel
from tenant_db.credentials import rules
from tenant_db.credentials.adding import NewProviderAccount, add_provider_account
from tenant_db.credentials.errors import AccountNameTaken, TooManyProviderAccounts
from tenant_db.credentials.locking import lock_accounts
from tenant_db.credentials.models import ProviderAccount
from tenant_db.credentials.names import SecretName
from tenant_db.credentials.sealing import seal_secrets


@dataclass(frozen=True, slots=True)
class ProviderFacts:
    """What the catalog says of the provider that is configured."""

    code: str
    name: str
    config_schema: Mapping[str, Any]
    currencies: frozenset[Currency]
    needs_channel: bool = False


@dataclass(frozen=True, slots=True)
class NewConfiguration:
    """A provider as the tenant wants to use it; never printed."""

    environment: Environment
    values: Mapping[str, object] = field(repr=False)
    """Secret and plain, by the names of the schema."""
    name: str | None = None
    """None is the provider's own."""
    currencies: Sequence[Currency] | None = None
    """None is all that the provider takes."""
    priority: int = 100
    import_id: UUID | None = None


async def configure_provider(
    session: TenantSession,
    keyring: Keyring,
    provider: ProviderFacts,
    new: NewConfiguration,
    webhook_token: str,
) -> ProviderAccount:
    """Write the account, switched off until its keys are proven; the caller registers the token's hash.

    Raises:
        ConfigurationInvalid: values that the provider's schema does not take.
        InvalidInput: name, priority or currencies that can't be; a provider that wants a channel.
        AccountNameTaken: the provider has an account of this name in this environment.
        TooManyProviderAccounts: there are as many as may be.
    """
    if provider.needs_channel:
        raise InvalidInput("provider", f"{provider.name} collects on channels: call addChannel.")
    name = rules.require_name(new.name or provider.name)
    priority = rules.require_priority(new.priority)
    offered = provider.currencies
    currencies = rules.require_currencies(
        sorted(offered) if new.currencies is None else new.currencies, offered
    )
    checked = rules.checked(provider.config_schema, new.environment, new.values)
    await lock_accounts(session)
    await _require_room(session, provider.code, new.environment, name)
    account = await add_provider_account(
        session,
        NewProviderAccount(
            provider.code, name, new.environment.value, [Currency(code) for code in currencies], checked.plain
        ),
    )
    account.is_enabled = False
    account.priority = priority
    account.import_id = new.import_id
    await seal_secrets(
        session, keyring, account.id, {**checked.secrets, SecretName.WEBHOOK_TOKEN: webhook_token}
    )
    return account


async def is_taken(session: TenantSession, provider: str, environment: Environment, name: str) -> bool:
    """Whether an account of this name is there; those of channels don't count."""
    found = await session.scalar(
        select(
            exists().where(
                ProviderAccount.provider == provider,
                ProviderAccount.environment == environment,
                ProviderAccount.name == name,
                ~_OF_CHANNEL,
            )
        )
    )
    return bool(found)


async def _require_room(session: TenantSession, provider: str, environment: Environment, name: str) -> None:
    if await is_taken(session, provider, environment, name):
        raise AccountNameTaken(name)
    count = await session.scalar(select(func.count()).select_from(ProviderAccount).where(~_OF_CHANNEL))
    if (count or 0) >= rules.ACCOUNTS_MAX:
        raise TooManyProviderAccounts(rules.ACCOUNTS_MAX)


_OF_CHANNEL = exists().where(Channel.provider_account_id == ProviderAccount.id)
