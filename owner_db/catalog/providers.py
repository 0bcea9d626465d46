"""Reading the catalog, and saying where a provider is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select, update

from core.currency import Currency
from core.offers import CurrencyLimits, IntegrationType, Offer, ProviderStatus
from owner_db.catalog.errors import ProviderUnknown
from owner_db.catalog.models import PaymentProvider, ProviderCurrencySupport
from owner_db.catalog.rules import is_safe_url
from tenancy.sessions import OwnerSession


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
    status: ProviderStatus
    integration_type: IntegrationType
    logo_url: str | None
    documentation_url: str | None
    currencies: Mapping[Currency, CurrencyLimits]

    def base_url(self, environment: str) -> str:
        """Where its API is for `production` or `sandbox`, without a slash at the end."""
        url = self.api_base_url if environment == "production" else self.sandbox_api_base_url
        return url.rstrip("/")

    @property
    def offer(self) -> Offer:
        """As far as routing needs to know it."""
        return Offer(
            provider=self.code,
            name=self.name,
            methods=frozenset(self.methods),
            features=frozenset(self.features),
            currencies=self.currencies,
            recommendation=self.recommendation,
            takes_payments=self.status is not ProviderStatus.INACTIVE,
            takes_accounts=self.status in {ProviderStatus.ACTIVE, ProviderStatus.BETA},
            needs_channel=self.settings.get("needs_channel") is True,
        )


async def all_providers(session: OwnerSession) -> list[Provider]:
    """Every provider of the catalog, whatever its status, the most recommended first."""
    rows = await session.scalars(
        select(PaymentProvider).order_by(PaymentProvider.recommendation, PaymentProvider.code)
    )
    supports = list(await session.scalars(_OFFERED))
    return [provider_of(row, supports) for row in rows]


async def offers(session: OwnerSession) -> dict[str, Offer]:
    """What routing needs of every provider, by its code."""
    return {provider.code: provider.offer for provider in await all_providers(session)}


async def enabled_providers(session: OwnerSession) -> list[Provider]:
    """Every provider but inactive ones, the most recommended first."""
    found = await all_providers(session)
    return [provider for provider in found if provider.status is not ProviderStatus.INACTIVE]


async def known_provider(session: OwnerSession, code: str) -> Provider:
    """One provider whatever its status: payments that are open are asked about to the end.

    Raises:
        ProviderUnknown: the catalog has none of this code.
    """
    row = await session.scalar(select(PaymentProvider).where(PaymentProvider.code == code))
    if row is None:
        raise ProviderUnknown(code)
    supports = await session.scalars(_OFFERED.where(ProviderCurrencySupport.provider_id == row.id))
    return provider_of(row, list(supports))


async def enabled_provider(session: OwnerSession, code: str) -> Provider:
    """Raises ProviderUnknown: the catalog has none of this code, or it is inactive."""
    provider = await known_provider(session, code)
    if provider.status is ProviderStatus.INACTIVE:
        raise ProviderUnknown(code)
    return provider


async def point_provider_at(session: OwnerSession, code: str, sandbox_url: str) -> None:
    """Set where accounts of the environment `sandbox` send to, exactly as given.

    Production accounts are never redirected.

    Raises:
        ProviderUnknown: the catalog has no such provider.
        ValueError: plain http to anything but this machine.
    """
    if not is_safe_url(sandbox_url):
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


_OFFERED: Final = (
    select(ProviderCurrencySupport)
    .where(ProviderCurrencySupport.removed_at.is_(None))
    .execution_options(populate_existing=True)
)


def provider_of(row: PaymentProvider, supports: Sequence[ProviderCurrencySupport]) -> Provider:
    """A row with the currencies among `supports` that are its own.

    The revision before knows `is_enabled` alone: what it switched off is inactive.
    """
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
        status=ProviderStatus(row.status) if row.is_enabled else ProviderStatus.INACTIVE,
        integration_type=IntegrationType(row.integration_type),
        logo_url=row.logo_url,
        documentation_url=row.documentation_url,
        currencies={
            support.currency: CurrencyLimits(
                support.min_minor,
                support.max_minor,
                support.step_minor,
                support.fee_bps,
                support.fee_fixed_minor,
                support.is_recommended,
            )
            for support in supports
            if support.provider_id == row.id
        },
    )
