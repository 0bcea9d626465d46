"""The payment providers that businesses can configure."""

import strawberry
from strawberry.types import Info

from core.currency import Currency
from core.ids import Kind, outside
from core.money import Money as CoreMoney
from core.offers import CurrencyLimits
from owner_db.catalog.providers import Provider
from resolvers import catalog
from schema.scalars import Money
from tenancy.context import TenantContext


@strawberry.type(description="One currency of a provider, and what one payment in it may be.")
class ProviderCurrency:
    currency: Currency = strawberry.field(description="The currency.")
    least: Money = strawberry.field(description="The least that one payment may be.")
    most: Money | None = strawberry.field(description="The most; null if there is no limit.")

    @classmethod
    def of(cls, currency: Currency, limits: CurrencyLimits) -> "ProviderCurrency":
        most = limits.max_minor
        return cls(
            currency=currency,
            least=Money.of(CoreMoney(limits.min_minor, currency)),
            most=None if most is None else Money.of(CoreMoney(most, currency)),
        )


@strawberry.type(description="An outside payment system that can be configured.")
class PaymentProvider:
    id: strawberry.ID = strawberry.field(description="Starts with prov_.")
    code: str = strawberry.field(description="`mpesa`, `swypt`, `stripe`, `paystack` or `flutterwave`.")
    name: str = strawberry.field(description="What people call it.")
    methods: list[str] = strawberry.field(
        description="How payers pay: `mobile_money`, `card`, `bank_transfer`, `stablecoin`."
    )
    features: list[str] = strawberry.field(
        description="What it can do: `collect`, `query`, `refund`, `payout`, `webhook`."
    )
    currencies: list[ProviderCurrency] = strawberry.field(description="What it takes.")

    @classmethod
    def of(cls, provider: Provider) -> "PaymentProvider":
        return cls(
            id=strawberry.ID(outside(Kind.PROVIDER, provider.id)),
            code=provider.code,
            name=provider.name,
            methods=list(provider.methods),
            features=list(provider.features),
            currencies=[ProviderCurrency.of(*support) for support in sorted(provider.currencies.items())],
        )


@strawberry.type(description="The catalog.")
class CatalogQueries:
    @strawberry.field(description="Payment providers, the most recommended first. Needs channels:read.")
    async def payment_providers(self, info: Info[TenantContext, None]) -> list[PaymentProvider]:
        return [PaymentProvider.of(provider) for provider in await catalog.payment_providers(info.context)]
