"""The payment providers that businesses can configure."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from core.countries import currency_of
from core.currency import Currency
from owner_db.catalog.providers import Provider, enabled_providers
from owner_db.tenants.models import Tenant
from tenancy.context import TenantContext
from tenancy.roles import Scope
from tenant_db.credentials.models import ProviderAccount


@dataclass(frozen=True, slots=True)
class AvailableProvider:
    """A provider on offer, and what this business has of it."""

    provider: Provider
    is_configured: bool
    is_enabled: bool


async def payment_providers(context: TenantContext) -> Sequence[Provider]:
    """All on offer, the most recommended first. Needs channels:read."""
    context.require(Scope.CHANNELS_READ)
    async with context.services.owner.reading() as session:
        return await enabled_providers(session)


async def available_providers(
    context: TenantContext, currency: Currency | None
) -> Sequence[AvailableProvider]:
    """Those that take `currency`, or any of the business's own currencies. Needs channels:read.

    Its currencies are that of its country and those of its accounts; a country we know no currency
    of leaves all.
    """
    context.require(Scope.CHANNELS_READ)
    async with context.services.owner.reading() as session:
        found = await enabled_providers(session)
        country = await session.scalar(select(Tenant.country).where(Tenant.id == context.tenant.id))
    async with context.tenant.reading() as tenant_session:
        accounts = list(await tenant_session.scalars(select(ProviderAccount).limit(ACCOUNTS_MAX)))
    wanted = {currency} if currency is not None else _currencies(country, accounts)
    configured = {account.provider for account in accounts}
    enabled = {account.provider for account in accounts if account.is_enabled}
    return [
        AvailableProvider(provider, provider.code in configured, provider.code in enabled)
        for provider in found
        if (not wanted or wanted & set(provider.currencies))
        and (provider.offer.takes_accounts or provider.code in configured)
    ]


ACCOUNTS_MAX = 2_000


def _currencies(country: str | None, accounts: Sequence[ProviderAccount]) -> set[Currency]:
    own = None if country is None else currency_of(country)
    if own is None:
        return set()
    return {
        own,
        *(currency for currency in Currency for account in accounts if currency in account.currencies),
    }
