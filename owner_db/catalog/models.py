"""Rows of the provider catalog."""

from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.currency import Currency
from tenancy.columns import Keyed, MinorUnits, OwnerModel


class PaymentProvider(Keyed, OwnerModel):
    """An outside payment system that tenants can configure."""

    __tablename__ = "payment_providers"

    code: Mapped[str] = mapped_column(unique=True)
    """`mpesa`, `swypt`, `stripe`, `paystack`, `flutterwave`."""
    name: Mapped[str]
    api_base_url: Mapped[str]
    sandbox_api_base_url: Mapped[str]
    methods: Mapped[list[str]]
    """`mobile_money`, `card`, `bank_transfer`, `stablecoin`."""
    features: Mapped[list[str]]
    """`collect`, `query`, `refund`, `payout`, `webhook`."""
    config_schema: Mapped[dict[str, Any]]
    """JSON Schema (draft 2020-12) of a tenant's configuration; `writeOnly` marks secrets."""
    settings: Mapped[dict[str, Any]]
    """What differs per provider and may change: paths, poll ladder in seconds, source addresses."""
    recommendation: Mapped[int]
    """Lower is tried first where a tenant has not chosen."""
    is_enabled: Mapped[bool] = mapped_column(default=True)


class ProviderCurrencySupport(Keyed, OwnerModel):
    """One currency of one provider, with the limits of one payment."""

    __tablename__ = "provider_currency_support"
    __table_args__ = (
        UniqueConstraint("provider_id", "currency"),
        CheckConstraint("min_minor > 0 AND max_minor >= min_minor", name="limits_ordered"),
    )

    provider_id: Mapped[UUID] = mapped_column(ForeignKey("payment_providers.id"))
    currency: Mapped[Currency]
    min_minor: Mapped[int] = mapped_column(MinorUnits)
    max_minor: Mapped[int | None] = mapped_column(MinorUnits)
