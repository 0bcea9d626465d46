"""Reading the catalog, and saying where a provider is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import select, update

from core.currency import Currency
from owner_db.catalog.errors import ProviderUnknown
from owner_db.catalog.models import PaymentProvider, ProviderCurrencySupport
from tenancy.sessions import OwnerSession


@dataclass(frozen=True, slots=True)
class CurrencyLimits:
    """What one payment may be, in minor units, both ends included; no `max_minor` is no upper limit."""

    min_minor: int
    max_minor: int | None


@dataclass(frozen=True, slots=True)
class Provider:
    """One outside payment system, as the catalog has it."""

    id: UUID
    code: str
    name: str
    api_base_url: str
    sandbox_api_base_url: str
    methods: Sequence[str]
    features: Sequence[str]
    config_schema: Mapping[str, Any]
    settings: Mapping[str, Any]
    recommendation: int
    currencies: Mapping[Currency, CurrencyLimits]

    def base_url(self, environment: str) -> str:
        """Where its API is for `production` or `sandbox`, without a slash at the end."""
        url = self.api_base_url if environment == "production" else self.sandbox_api_base_url
        return url.rstrip("/")


async def enabled_providers(session: OwnerSession) -> list[Provider]:
    """Every provider that is switched on, the most recommended first."""
    rows = await session.scalars(
        select(PaymentProvider).where(PaymentProvider.is_enabled).order_by(PaymentProvider.recommendation)
    )
    supports = list(await session.scalars(select(ProviderCurrencySupport)))
    return [_of(row, supports) for row in rows]


async def enabled_provider(session: OwnerSession, code: str) -> Provider:
    """Raises ProviderUnknown."""
    row = await session.scalar(
        select(PaymentProvider).where(PaymentProvider.code == code, PaymentProvider.is_enabled)
    )
    if row is None:
        raise ProviderUnknown(code)
    supports = await session.scalars(
        select(ProviderCurrencySupport).where(ProviderCurrencySupport.provider_id == row.id)
    )
    return _of(row, list(supports))


async def point_provider_at(session: OwnerSession, code: str, sandbox_url: str) -> None:
    """Set where accounts of the environment `sandbox` send to, exactly as given.

    Production accounts are never redirected.

    Raises:
        ProviderUnknown: the catalog has no such provider.
        ValueError: plain http to anything but this machine.
    """
    if not _is_safe(sandbox_url):
        raise ValueError(f"{sandbox_url} is neither https nor on this machine")
    changed = await session.scalar(
        update(PaymentProvider)
        .where(PaymentProvider.code == code)
        .values(sandbox_api_base_url=sandbox_url.rstrip("/"))
        .returning(PaymentProvider.id)
        .execution_options(synchronize_session=False)
    )
    if changed is None:
        raise ProviderUnknown(code)


def _is_safe(url: str) -> bool:
    parts = urlsplit(url)
    if parts.scheme == "https":
        return True
    if parts.scheme != "http" or parts.hostname is None:
        return False
    try:
        return ip_address(parts.hostname).is_loopback
    except ValueError:
        return parts.hostname == "localhost"


def _of(row: PaymentProvider, supports: Sequence[ProviderCurrencySupport]) -> Provider:
    return Provider(
        id=row.id,
        code=row.code,
        name=row.name,
        api_base_url=row.api_base_url,
        sandbox_api_base_url=row.sandbox_api_base_url,
        methods=row.methods,
        features=row.features,
        config_schema=row.config_schema,
        settings=row.settings,
        recommendation=row.recommendation,
        currencies={
            support.currency: CurrencyLimits(support.min_minor, support.max_minor)
            for support in supports
            if support.provider_id == row.id
        },
    )
