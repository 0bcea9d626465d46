"""The catalog, as platform staff keep it."""

from typing import Annotated, Any, cast

import strawberry
from strawberry.scalars import JSON
from strawberry.types import Info

from core.currency import Currency
from core.offers import CurrencyLimits
from owner_db.catalog.creating import NewProvider
from owner_db.catalog.currencies import NewCurrency
from resolvers import catalog_owner
from schema.errors import ForbiddenError, InvalidInputError, NotFoundError
from schema.platform_types import CatalogProvider
from schema.provider_types import (
    IntegrationType,
    ProviderCodeTakenError,
    ProviderStatus,
    ProviderUnknownError,
)
from schema.scalars import BigInt
from tenancy.context import OwnerContext

LINKS = frozenset({"logo_url", "documentation_url"})
REASON = "Why, for the audit log: 1 to 500 characters."
CODE = "Its code, such as `stripe`."
SCHEMA = (
    "JSON Schema (draft 2020-12) of a tenant's configuration: one flat object without additional"
    " properties; `writeOnly` marks secrets, `x-public` what a payer's browser may see, `x-patterns`"
    " what a value looks like in `sandbox` and `production`."
)


@strawberry.input(description="What a provider takes of one currency.")
class ProviderCurrencyInput:
    currency: Currency = strawberry.field(description="The currency.")
    min_minor: BigInt = strawberry.field(description="The least of one payment, in minor units.")
    max_minor: BigInt | None = strawberry.field(default=None, description="The most; null is no limit.")
    step_minor: BigInt = strawberry.field(default=BigInt(1), description="Amounts are multiples of it.")
    fee_bps: int = strawberry.field(default=0, description="Published percentage in basis points.")
    fee_fixed_minor: BigInt = strawberry.field(default=BigInt(0), description="Fee of each payment.")
    is_recommended: bool = strawberry.field(default=False, description="Whether you advise it here.")

    def to_domain(self) -> NewCurrency:
        """Raises InvalidInput."""
        limits = CurrencyLimits(
            int(self.min_minor),
            None if self.max_minor is None else int(self.max_minor),
            int(self.step_minor),
            self.fee_bps,
            int(self.fee_fixed_minor),
            self.is_recommended,
        )
        return NewCurrency(self.currency, limits)


@strawberry.input(description="The provider to offer.")
class CreatePaymentProviderInput:
    code: str = strawberry.field(description="2 to 40 small letters, digits and _; it never changes.")
    name: str = strawberry.field(description="What people call it: 1 to 80 characters.")
    integration_type: IntegrationType = strawberry.field(description="Whose code speaks to it.")
    api_base_url: str = strawberry.field(description="Where its production API is: https.")
    sandbox_api_base_url: str = strawberry.field(description="Where its sandbox is: https, or this machine.")
    methods: list[str] = strawberry.field(description="How payers pay, such as `card`.")
    features: list[str] = strawberry.field(description="What its integration can do, such as `collect`.")
    config_schema: JSON = strawberry.field(description=SCHEMA)
    settings: JSON | None = strawberry.field(
        default=None, description="What its integration reads: paths, `poll_ladder_s` and the like."
    )
    recommendation: int = strawberry.field(default=100, description="Lower is tried first.")
    status: ProviderStatus = strawberry.field(
        default=ProviderStatus.BETA, description="Where it begins its life."
    )
    logo_url: str | None = strawberry.field(default=None, description="A picture of its mark: https.")
    documentation_url: str | None = strawberry.field(default=None, description="Its documentation: https.")
    currencies: list[ProviderCurrencyInput] = strawberry.field(
        default_factory=list, description="What it takes; setProviderCurrency adds more."
    )
    reason: str = strawberry.field(description=REASON)

    def to_domain(self) -> NewProvider:
        """Raises InvalidInput."""
        return NewProvider(
            code=self.code,
            name=self.name,
            integration_type=self.integration_type,
            api_base_url=self.api_base_url,
            sandbox_api_base_url=self.sandbox_api_base_url,
            methods=self.methods,
            features=self.features,
            config_schema=cast("Any", self.config_schema),
            settings=cast("Any", {} if self.settings is None else self.settings),
            recommendation=self.recommendation,
            status=self.status,
            logo_url=self.logo_url,
            documentation_url=self.documentation_url,
            currencies=[currency.to_domain() for currency in self.currencies],
        )


@strawberry.input(description="What to change; what you leave out stays.")
class UpdatePaymentProviderInput:
    code: str = strawberry.field(description=CODE)
    name: str | None = strawberry.field(default=strawberry.UNSET, description="1 to 80 characters.")
    status: ProviderStatus | None = strawberry.field(default=strawberry.UNSET, description="Its status.")
    api_base_url: str | None = strawberry.field(default=strawberry.UNSET, description="Production: https.")
    sandbox_api_base_url: str | None = strawberry.field(
        default=strawberry.UNSET, description="Its sandbox: https, or this machine."
    )
    methods: list[str] | None = strawberry.field(default=strawberry.UNSET, description="How payers pay.")
    features: list[str] | None = strawberry.field(default=strawberry.UNSET, description="What it can do.")
    config_schema: JSON | None = strawberry.field(default=strawberry.UNSET, description=SCHEMA)
    settings: JSON | None = strawberry.field(
        default=strawberry.UNSET, description="All settings, in place of those there are."
    )
    recommendation: int | None = strawberry.field(default=strawberry.UNSET, description="Lower comes first.")
    logo_url: str | None = strawberry.field(default=strawberry.UNSET, description="https; null takes it off.")
    documentation_url: str | None = strawberry.field(
        default=strawberry.UNSET, description="https; null takes it off."
    )
    reason: str = strawberry.field(description=REASON)

    def to_domain(self) -> dict[str, Any]:
        """The columns to change. Null is no value, but for links."""
        given = {name: value for name, value in vars(self).items() if name not in {"code", "reason"}}
        return {
            name: value
            for name, value in given.items()
            if value is not strawberry.UNSET and (value is not None or name in LINKS)
        }


@strawberry.input(description="The provider to offer to nobody new.")
class DeprecatePaymentProviderInput:
    code: str = strawberry.field(description=CODE)
    reason: str = strawberry.field(description=REASON)


@strawberry.input(description="What a provider takes of a currency.")
class SetProviderCurrencyInput:
    code: str = strawberry.field(description=CODE)
    currency: ProviderCurrencyInput = strawberry.field(description="It replaces what was.")
    reason: str = strawberry.field(description=REASON)


@strawberry.input(description="The currency to take off a provider.")
class RemoveProviderCurrencyInput:
    code: str = strawberry.field(description=CODE)
    currency: Currency = strawberry.field(description="The currency.")
    reason: str = strawberry.field(description=REASON)


@strawberry.type(description="Every business can see the provider now.")
class CreatePaymentProviderSuccess:
    provider: CatalogProvider = strawberry.field(description="The provider.")


@strawberry.type(description="The provider is changed, for every business at once.")
class UpdatePaymentProviderSuccess:
    provider: CatalogProvider = strawberry.field(description="The provider now.")


@strawberry.type(description="The provider takes no new accounts.")
class DeprecatePaymentProviderSuccess:
    provider: CatalogProvider = strawberry.field(description="The provider now.")


@strawberry.type(description="The provider takes the currency as you said.")
class SetProviderCurrencySuccess:
    provider: CatalogProvider = strawberry.field(description="The provider now.")


@strawberry.type(description="The provider takes no new payments of the currency.")
class RemoveProviderCurrencySuccess:
    provider: CatalogProvider = strawberry.field(description="The provider now.")


CreatePaymentProviderResult = Annotated[
    CreatePaymentProviderSuccess | ProviderCodeTakenError | InvalidInputError | ForbiddenError,
    strawberry.union("CreatePaymentProviderResult", description="Whether the provider is on offer."),
]
UpdatePaymentProviderResult = Annotated[
    UpdatePaymentProviderSuccess | ProviderUnknownError | InvalidInputError | ForbiddenError,
    strawberry.union("UpdatePaymentProviderResult", description="Whether the provider was changed."),
]
DeprecatePaymentProviderResult = Annotated[
    DeprecatePaymentProviderSuccess | ProviderUnknownError | InvalidInputError | ForbiddenError,
    strawberry.union("DeprecatePaymentProviderResult", description="Whether it was deprecated."),
]
SetProviderCurrencyResult = Annotated[
    SetProviderCurrencySuccess | ProviderUnknownError | InvalidInputError | ForbiddenError,
    strawberry.union("SetProviderCurrencyResult", description="Whether the currency was set."),
]
RemoveProviderCurrencyResult = Annotated[
    RemoveProviderCurrencySuccess | ProviderUnknownError | NotFoundError | InvalidInputError | ForbiddenError,
    strawberry.union("RemoveProviderCurrencyResult", description="Whether the currency was taken off."),
]


@strawberry.type(description="Keeping the catalog.")
class CatalogMutations:
    @strawberry.mutation(description="Offers a provider to every business, at once. Needs platform:write.")
    async def create_payment_provider(
        self,
        info: Info[OwnerContext, None],
        input: Annotated[CreatePaymentProviderInput, strawberry.argument(description="The provider.")],
    ) -> CreatePaymentProviderResult:
        made = await catalog_owner.create_payment_provider(info.context, input.to_domain(), input.reason)
        return CreatePaymentProviderSuccess(provider=CatalogProvider.of(made))

    @strawberry.mutation(description="Changes what the catalog says of a provider. Needs platform:write.")
    async def update_payment_provider(
        self,
        info: Info[OwnerContext, None],
        input: Annotated[UpdatePaymentProviderInput, strawberry.argument(description="What to change.")],
    ) -> UpdatePaymentProviderResult:
        changed = await catalog_owner.update_payment_provider(
            info.context, input.code, input.to_domain(), input.reason
        )
        return UpdatePaymentProviderSuccess(provider=CatalogProvider.of(changed))

    @strawberry.mutation(
        description="Offers a provider to nobody new; accounts that are there go on. Needs platform:write."
    )
    async def deprecate_payment_provider(
        self,
        info: Info[OwnerContext, None],
        input: Annotated[DeprecatePaymentProviderInput, strawberry.argument(description="Which one.")],
    ) -> DeprecatePaymentProviderResult:
        changed = await catalog_owner.deprecate_payment_provider(info.context, input.code, input.reason)
        return DeprecatePaymentProviderSuccess(provider=CatalogProvider.of(changed))

    @strawberry.mutation(
        description="Says what a provider takes of one currency: limits and fees. Needs platform:write."
    )
    async def set_provider_currency(
        self,
        info: Info[OwnerContext, None],
        input: Annotated[SetProviderCurrencyInput, strawberry.argument(description="Provider and currency.")],
    ) -> SetProviderCurrencyResult:
        changed = await catalog_owner.set_provider_currency(
            info.context, input.code, input.currency.to_domain(), input.reason
        )
        return SetProviderCurrencySuccess(provider=CatalogProvider.of(changed))

    @strawberry.mutation(description="Takes a currency off a provider. Needs platform:write.")
    async def remove_provider_currency(
        self,
        info: Info[OwnerContext, None],
        input: Annotated[RemoveProviderCurrencyInput, strawberry.argument(description="Which one.")],
    ) -> RemoveProviderCurrencyResult:
        changed = await catalog_owner.remove_provider_currency(
            info.context, input.code, input.currency, input.reason
        )
        return RemoveProviderCurrencySuccess(provider=CatalogProvider.of(changed))
