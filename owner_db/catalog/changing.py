"""Changes what the catalog says of a provider."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import select

from core.offers import ProviderStatus
from owner_db.catalog import rules
from owner_db.catalog.errors import ProviderUnknown
from owner_db.catalog.models import PaymentProvider
from owner_db.catalog.providers import Provider, known_provider
from tenancy.sessions import OwnerSession

_CHECKS: Final[Mapping[str, Callable[[Any], object]]] = {
    "name": rules.require_name,
    "api_base_url": lambda url: rules.require_base_url("apiBaseUrl", url),
    "sandbox_api_base_url": lambda url: rules.require_base_url("sandboxApiBaseUrl", url),
    "methods": rules.require_methods,
    "features": rules.require_features,
    "config_schema": rules.require_config_schema,
    "settings": rules.require_settings,
    "recommendation": rules.require_recommendation,
    "logo_url": lambda url: rules.require_public_url("logoUrl", url),
    "documentation_url": lambda url: rules.require_public_url("documentationUrl", url),
    "status": ProviderStatus,
}
"""What may be changed, and how each is checked. The code never changes: accounts name it."""


async def change_provider(session: OwnerSession, code: str, changes: Mapping[str, Any]) -> Provider:
    """Write `changes`, by column; what is left out stays.

    An inactive provider takes no new payments, and its open ones are asked about; a deprecated one
    takes no new accounts.

    Raises:
        ProviderUnknown: the catalog has none of this code.
        InvalidInput: a value that can't stand in the catalog.
        ValueError: a column that is not to be changed.
    """
    if unknown := set(changes) - set(_CHECKS):
        raise ValueError(f"{sorted(unknown)} can't be changed")
    for column, value in changes.items():
        _CHECKS[column](value)
    row = await lock_provider(session, code)
    for column, value in changes.items():
        setattr(row, column, value.rstrip("/") if column.endswith("_base_url") else value)
    row.is_enabled = row.status != ProviderStatus.INACTIVE
    await session.flush()
    return await known_provider(session, code)


async def deprecate_provider(session: OwnerSession, code: str) -> Provider:
    """Take no new accounts of a provider; those there are go on, so it stays or becomes usable.

    Raises:
        ProviderUnknown: the catalog has none of this code.
    """
    return await change_provider(session, code, {"status": ProviderStatus.DEPRECATED})


async def lock_provider(session: OwnerSession, code: str) -> PaymentProvider:
    """Raises ProviderUnknown."""
    row = await session.scalar(
        select(PaymentProvider)
        .where(PaymentProvider.code == code)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise ProviderUnknown(code)
    return row
