"""Adds a tenant's configuration of a provider."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.currency import Currency
from core.ids import new_id
from tenancy.sessions import TenantSession
from tenant_db.credentials.models import ProviderAccount


@dataclass(frozen=True, slots=True)
class NewProviderAccount:
    """A provider as the tenant wants to use it; its secrets are sealed apart."""

    provider: str
    """The catalog's code: `mpesa`."""
    name: str
    environment: str
    """`sandbox` or `production`."""
    currencies: Sequence[Currency]
    configuration: Mapping[str, Any] = field(default_factory=dict)


async def add_provider_account(session: TenantSession, new: NewProviderAccount) -> ProviderAccount:
    """Write the account, enabled, without secrets."""
    account = ProviderAccount(
        id=new_id(),
        provider=new.provider,
        name=new.name,
        environment=new.environment,
        currencies=[currency.value for currency in new.currencies],
        configuration=dict(new.configuration),
    )
    session.add(account)
    await session.flush()
    return account
