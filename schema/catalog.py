"""The payment providers that businesses can configure."""

from typing import Annotated

import strawberry
from strawberry.scalars import JSON
from strawberry.types import Info

from core.currency import Currency
from core.ids import Kind, outside
from owner_db.catalog.providers import Provider
from resolvers import catalog
from schema.provider_types import IntegrationType, ProviderCurrency, ProviderStatus
from tenancy.context import TenantContext


@strawberry.type(description="An outside payment system that can be configured.")
class PaymentProvider:
    id: strawberry.ID = strawberry.field(description="Starts with prov_.")
    code: str = strawberry.field(description="Such as `mpesa`, `stripe`, `paystack` or `flutterwave`.")
    name: str = strawberry.field(description="What people call it.")
    status: ProviderStatus = strawberry.field(description="Where it is in its life.")
    integration_type: IntegrationType = strawberry.field(description="Whose code speaks to it.")
    logo_url: str | None = strawberry.field(description="A picture of its mark; null if there is none.")
    documentation_url: str | None = strawberry.field(description="Its own documentation.")
    methods: list[str] = strawberry.field(
        description="How payers pay: `mobile_money`, `card`, `bank_transfer`, `stablecoin`."
    )
    features: list[str] = strawberry.field(
        description="What it can do, such as `collect`, `query`, `capture`, `refund`, `webhook`."
    )
    currencies: list[ProviderCurrency] = strawberry.field(description="What it takes.")
    needs_channel: bool = strawberry.field(
        description="It collects on short codes of your own: call addChannel, not configureProvider."
    )
    config_schema: JSON = strawberry.field(
        description=(
            "JSON Schema (draft 2020-12) of what configureProvider wants: draw the form from it. `writeOnly`"
            " marks secrets, `x-public` what a payer's browser may see, `x-patterns` what a value looks like"
            " in each environment."
        )
    )

    @classmethod
    def of(cls, provider: Provider) -> "PaymentProvider":
        return cls(
            id=strawberry.ID(outside(Kind.PROVIDER, provider.id)),
            code=provider.code,
            name=provider.name,
            status=provider.status,
            integration_type=provider.integration_type,
            logo_url=provider.logo_url,
            documentation_url=provider.documentation_url,
            methods=list(provider.methods),
            features=list(provider.features),
            currencies=[ProviderCurrency.of(*support) for support in sorted(provider.currencies.items())],
            needs_channel=provider.offer.needs_channel,
            config_schema=JSON(dict(provider.config_schema)),
        )


@strawberry.type(description="A provider on offer, and what your business has of it.")
class AvailableProvider:
    provider: PaymentProvider = strawberry.field(description="The provider.")
    is_configured: bool = strawberry.field(description="Whether you have an account of it.")
    is_enabled: bool = strawberry.field(description="Whether one of your accounts of it is switched on.")

    @classmethod
    def of(cls, found: catalog.AvailableProvider) -> "AvailableProvider":
        provider = PaymentProvider.of(found.provider)
        return cls(provider=provider, is_configured=found.is_configured, is_enabled=found.is_enabled)


@strawberry.type(description="The catalog.")
class CatalogQueries:
    @strawberry.field(description="Payment providers, the most recommended first. Needs channels:read.")
    async def payment_providers(self, info: Info[TenantContext, None]) -> list[PaymentProvider]:
        return [PaymentProvider.of(provider) for provider in await catalog.payment_providers(info.context)]

    @strawberry.field(
        description="Providers of your currencies, and what you have of them. Needs channels:read."
    )
    async def available_providers(
        self,
        info: Info[TenantContext, None],
        currency: Annotated[
            Currency | None,
            strawberry.argument(
                description="Only those that take this one; leave it out for your country's and accounts'."
            ),
        ] = None,
    ) -> list[AvailableProvider]:
        found = await catalog.available_providers(info.context, currency)
        return [AvailableProvider.of(one) for one in found]
