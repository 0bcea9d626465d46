"""Providers as the catalog has them: what businesses and staff both see."""

import strawberry

from core.currency import Currency
from core.money import Money as CoreMoney
from core.offers import CurrencyLimits, IntegrationType, ProviderStatus
from owner_db.catalog.errors import ProviderCodeTaken, ProviderNotOffered, ProviderUnknown
from schema.errors import Error, Refusal
from schema.scalars import BigInt, Money, api_enum

__all__ = [
    "REFUSALS",
    "IntegrationType",
    "ProviderCodeTakenError",
    "ProviderCurrency",
    "ProviderNotOfferedError",
    "ProviderStatus",
    "ProviderUnknownError",
]
"""The enums too: whoever shows them takes them from here, where they are described."""

api_enum(
    ProviderStatus,
    "ProviderStatus",
    "Where a payment provider is in its life.",
    {
        ProviderStatus.ACTIVE: "On offer.",
        ProviderStatus.BETA: "On offer, and new: tell us what you find.",
        ProviderStatus.INACTIVE: "No new payments and no new accounts; open payments are still followed.",
        ProviderStatus.DEPRECATED: "Accounts that are there go on; no new ones are made.",
    },
)
api_enum(
    IntegrationType,
    "IntegrationType",
    "Whose code speaks to a provider.",
    {
        IntegrationType.BUILT_IN: "Hazina's own.",
        IntegrationType.PLUGIN: "A package that the platform installed.",
        IntegrationType.CUSTOM: "The platform's own.",
    },
)


@strawberry.type(description="There is no such payment provider, or it is inactive.")
class ProviderUnknownError(Error):
    provider: str = strawberry.field(description="The code you sent.")


@strawberry.type(description="The payment provider takes no new accounts.")
class ProviderNotOfferedError(Error):
    provider: str = strawberry.field(description="Its code.")


@strawberry.type(description="The catalog has a payment provider of this code already.")
class ProviderCodeTakenError(Error):
    provider: str = strawberry.field(description="The code.")


REFUSALS = (
    Refusal(ProviderUnknown, ProviderUnknownError),
    Refusal(ProviderNotOffered, ProviderNotOfferedError),
    Refusal(ProviderCodeTaken, ProviderCodeTakenError),
)


@strawberry.type(description="One currency of a provider: what one payment in it may be, and costs.")
class ProviderCurrency:
    currency: Currency = strawberry.field(description="The currency.")
    least: Money = strawberry.field(description="The least that one payment may be.")
    most: Money | None = strawberry.field(description="The most; null if there is no limit.")
    step_minor: BigInt = strawberry.field(
        description='Amounts are multiples of this many minor units: "100" takes whole shillings only.'
    )
    fee_bps: int = strawberry.field(
        description="The published percentage in basis points: 290 is 2.9 %; 0 where none is stated."
    )
    fee_fixed: Money = strawberry.field(
        description="The published fee of each payment, beside the percentage."
    )
    is_recommended: bool = strawberry.field(description="Whether the platform advises it for this currency.")

    @classmethod
    def of(cls, currency: Currency, limits: CurrencyLimits) -> "ProviderCurrency":
        most = limits.max_minor
        return cls(
            currency=currency,
            least=Money.of(CoreMoney(limits.min_minor, currency)),
            most=None if most is None else Money.of(CoreMoney(most, currency)),
            step_minor=BigInt(limits.step_minor),
            fee_bps=limits.fee_bps,
            fee_fixed=Money.of(CoreMoney(limits.fee_fixed_minor, currency)),
            is_recommended=limits.is_recommended,
        )
