"""What a provider of the catalog offers to tenants, in words that routing and the API share."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from core.currency import Currency
from core.money import Money


class ProviderStatus(StrEnum):
    """Where a provider is in its life in the catalog."""

    ACTIVE = "active"
    BETA = "beta"
    """On offer, and marked as new."""
    INACTIVE = "inactive"
    """No new payments and no new accounts; open payments are still asked about."""
    DEPRECATED = "deprecated"
    """Accounts that are there go on; no new ones are made."""


class IntegrationType(StrEnum):
    """Whose code speaks to a provider."""

    BUILT_IN = "built_in"
    PLUGIN = "plugin"
    """An installed Python package, found by its entry point."""
    CUSTOM = "custom"
    """The platform's own, outside Hazina."""


@dataclass(frozen=True, slots=True)
class CurrencyLimits:
    """What one payment in a currency may be, both ends included, and what the provider keeps of it."""

    min_minor: int
    max_minor: int | None
    """None is no upper limit."""
    step_minor: int = 1
    """Amounts are multiples of it: 100 where only whole shillings can be paid."""
    fee_bps: int = 0
    """The provider's published percentage, in basis points; what it really keeps is in the ledger."""
    fee_fixed_minor: int = 0
    is_recommended: bool = False
    """The platform advises this provider for this currency."""

    def fee_of(self, amount: Money) -> Money:
        """What the provider publishes as its fee, rounded up; at most the amount itself."""
        share = -(-amount.minor * self.fee_bps // 10_000)
        return Money(min(amount.minor, share + self.fee_fixed_minor), amount.currency)


@dataclass(frozen=True, slots=True)
class Offer:
    """One provider, as far as routing needs to know it."""

    provider: str
    """The catalog's code."""
    name: str
    methods: frozenset[str]
    features: frozenset[str]
    currencies: Mapping[Currency, CurrencyLimits]
    recommendation: int
    """Lower is tried first where the tenant has not chosen."""
    takes_payments: bool
    """False: it takes no new payments from anybody; open ones are still asked about."""
    takes_accounts: bool
    """False: no new accounts; those there are go on."""
    needs_channel: bool = False
    """It collects on short codes of its own, each with its keys: M-Pesa."""
