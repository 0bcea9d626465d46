"""The catalog, as platform staff keep it; every change says why."""

from collections.abc import Mapping
from typing import Any

from core.currency import Currency
from core.ids import Kind, outside
from owner_db.catalog import changing, creating, currencies
from owner_db.catalog.creating import NewProvider
from owner_db.catalog.currencies import NewCurrency
from owner_db.catalog.providers import Provider
from resolvers.reasons import required_reason
from tenancy.audit import acting, record_audit
from tenancy.context import OwnerContext
from tenancy.roles import Scope
from tenancy.sessions import OwnerSession

SHOWN = frozenset(
    {"name", "status", "recommendation", "api_base_url", "sandbox_api_base_url", "methods", "features"}
)
"""Changes that the audit log holds with their values; of the others it holds the names."""


async def create_payment_provider(context: OwnerContext, new: NewProvider, reason: str) -> Provider:
    """Offer a provider to every tenant, at once. Needs platform:write.

    Raises:
        ProviderCodeTaken: the catalog has one of this code.
        InvalidInput: no reason was given.
    """
    context.require(Scope.PLATFORM_WRITE)
    why = required_reason(reason)
    async with context.owner.transaction() as session:
        made = await creating.create_provider(session, new)
        details = {"code": made.code, "status": made.status.value, "currencies": sorted(made.currencies)}
        _audit(context, session, "create_payment_provider", made, why, details)
    return made


async def update_payment_provider(
    context: OwnerContext, code: str, changes: Mapping[str, Any], reason: str
) -> Provider:
    """Change what the catalog says of a provider, by column. Needs platform:write.

    Raises:
        ProviderUnknown: the catalog has none of this code.
        InvalidInput: a value that can't stand in the catalog, or no reason.
    """
    context.require(Scope.PLATFORM_WRITE)
    why = required_reason(reason)
    async with context.owner.transaction() as session:
        changed = await changing.change_provider(session, code, changes)
        shown = {name: value for name, value in changes.items() if name in SHOWN}
        details = {"code": code, "changed": sorted(changes), **shown}
        _audit(context, session, "update_payment_provider", changed, why, details)
    return changed


async def deprecate_payment_provider(context: OwnerContext, code: str, reason: str) -> Provider:
    """Offer a provider to nobody new; accounts that are there go on. Needs platform:write.

    Raises:
        ProviderUnknown: the catalog has none of this code.
        InvalidInput: no reason was given.
    """
    context.require(Scope.PLATFORM_WRITE)
    why = required_reason(reason)
    async with context.owner.transaction() as session:
        changed = await changing.deprecate_provider(session, code)
        _audit(context, session, "deprecate_payment_provider", changed, why, {"code": code})
    return changed


async def set_provider_currency(context: OwnerContext, code: str, new: NewCurrency, reason: str) -> Provider:
    """Say what a provider takes of one currency. Needs platform:write.

    Raises:
        ProviderUnknown: the catalog has none of this code.
        InvalidInput: no reason was given.
    """
    context.require(Scope.PLATFORM_WRITE)
    why = required_reason(reason)
    limits = new.limits
    details = {
        "code": code,
        "currency": new.currency.value,
        "min_minor": str(limits.min_minor),
        "max_minor": None if limits.max_minor is None else str(limits.max_minor),
        "fee_bps": limits.fee_bps,
        "fee_fixed_minor": str(limits.fee_fixed_minor),
        "is_recommended": limits.is_recommended,
    }
    async with context.owner.transaction() as session:
        changed = await currencies.set_currency(session, code, new)
        _audit(context, session, "set_provider_currency", changed, why, details)
    return changed


async def remove_provider_currency(
    context: OwnerContext, code: str, currency: Currency, reason: str
) -> Provider:
    """Take no new payments of one currency by a provider. Needs platform:write.

    Raises:
        ProviderUnknown: the catalog has none of this code.
        NotFound: it does not take the currency.
        InvalidInput: no reason was given.
    """
    context.require(Scope.PLATFORM_WRITE)
    why = required_reason(reason)
    async with context.owner.transaction() as session:
        changed = await currencies.remove_currency(session, code, currency)
        details = {"code": code, "currency": currency.value}
        _audit(context, session, "remove_provider_currency", changed, why, details)
    return changed


def _audit(  # noqa: PLR0917 - what one audit row is made of
    context: OwnerContext,
    session: OwnerSession,
    action: str,
    provider: Provider,
    reason: str,
    details: Mapping[str, object],
) -> None:
    subject = outside(Kind.PROVIDER, provider.id)
    record_audit(session, acting(context), action, subject=subject, reason=reason, details=details)
