"""Rows of the provider catalog."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from core.currency import Currency
from core.offers import IntegrationType, ProviderStatus
from tenancy.columns import Keyed, MinorUnits, OwnerModel, one_of


class PaymentProvider(Keyed, OwnerModel):
    """An outside payment system that tenants can configure."""

    __tablename__ = "payment_providers"
    __table_args__ = (one_of("status", ProviderStatus), one_of("integration_type", IntegrationType))

    code: Mapped[str] = mapped_column(unique=True)
    """`mpesa`, `swypt`, `stripe`, `paystack`, `flutterwave`; never changed."""
    name: Mapped[str]
    api_base_url: Mapped[str]
    sandbox_api_base_url: Mapped[str]
    methods: Mapped[list[str]]
    """`mobile_money`, `card`, `bank_transfer`, `stablecoin`."""
    features: Mapped[list[str]]
    """Words of core.collecting.Feature."""
    config_schema: Mapped[dict[str, Any]]
    """JSON Schema (draft 2020-12) of a tenant's configuration; `writeOnly` marks secrets."""
    settings: Mapped[dict[str, Any]]
    """What differs per provider and may change: paths, poll ladder in seconds, source addresses."""
    recommendation: Mapped[int]
    """Lower is tried first where a tenant has not chosen."""
    is_enabled: Mapped[bool] = mapped_column(default=True)
    """What the revision before reads instead of `status`: false where that is `inactive`."""
    status: Mapped[str] = mapped_column(default=ProviderStatus.ACTIVE.value, server_default=text("'active'"))
    integration_type: Mapped[str] = mapped_column(
        default=IntegrationType.BUILT_IN.value, server_default=text("'built_in'")
    )
    logo_url: Mapped[str | None]
    documentation_url: Mapped[str | None]


class ProviderCurrencySupport(Keyed, OwnerModel):
    """One currency of one provider, with the limits and the published fee of one payment."""

    __tablename__ = "provider_currency_support"
    __table_args__ = (
        UniqueConstraint("provider_id", "currency"),
        CheckConstraint("min_minor > 0 AND max_minor >= min_minor", name="limits_ordered"),
        CheckConstraint("fee_bps BETWEEN 0 AND 10000 AND fee_fixed_minor >= 0", name="fee_possible"),
        CheckConstraint("step_minor > 0", name="step_positive"),
    )

    provider_id: Mapped[UUID] = mapped_column(ForeignKey("payment_providers.id"))
    currency: Mapped[Currency]
    min_minor: Mapped[int] = mapped_column(MinorUnits)
    max_minor: Mapped[int | None] = mapped_column(MinorUnits)
    step_minor: Mapped[int] = mapped_column(MinorUnits, default=1, server_default=text("1"))
    """Amounts are multiples of it."""
    fee_bps: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    fee_fixed_minor: Mapped[int] = mapped_column(MinorUnits, default=0, server_default=text("0"))
    is_recommended: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    removed_at: Mapped[datetime | None]
    """Taken off the catalog; the row stays, so that no shipped release brings it back."""


class CatalogRelease(OwnerModel):
    """A shipped release of changes that this catalog has had: none is applied twice."""

    __tablename__ = "catalog_releases"

    release: Mapped[str] = mapped_column(primary_key=True)
    loaded_at: Mapped[datetime]
