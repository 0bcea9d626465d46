"""Paystack's amounts: whole subunits, a hundredth of one whole in every currency it serves."""

from typing import Final

from core.currency import Currency
from core.money import Money
from integrations.errors import FailureReason, ProviderRejected

SUBUNIT_EXPONENT: Final = 2
SERVED: Final = frozenset(
    {Currency.NGN, Currency.GHS, Currency.ZAR, Currency.KES, Currency.USD, Currency.XOF}
)
SUBUNITS_PER_SHILLING: Final = 100


def to_subunits(amount: Money) -> int:
    """The amount as Paystack counts it: KES 1 500 is 150000.

    Raises:
        ProviderRejected: Paystack serves no such currency, or there is nothing to pay.
    """
    if amount.currency not in SERVED:
        raise ProviderRejected(
            "currency", f"Paystack takes no {amount.currency}.", FailureReason.CONFIGURATION
        )
    if amount.minor <= 0:
        raise ProviderRejected("amount", "There is nothing to pay.", FailureReason.DECLINED)
    return amount.minor * _subunits_per_minor(amount.currency)


def from_subunits(subunits: int, code: str) -> Money | None:
    """What Paystack counted, exactly; None for a currency it does not serve, or a part of our minor unit."""
    if code not in SERVED:
        return None
    currency = Currency(code)
    minor, rest = divmod(subunits, _subunits_per_minor(currency))
    return None if rest else Money(minor, currency)


def require_whole_shillings(amount: Money) -> None:
    """M-Pesa moves no cents; nothing is ever rounded on the payer's behalf.

    Raises:
        ProviderRejected: there are cents.
    """
    if amount.currency is Currency.KES and amount.minor % SUBUNITS_PER_SHILLING:
        raise ProviderRejected("amount", "M-Pesa takes whole shillings.", FailureReason.DECLINED)


def _subunits_per_minor(currency: Currency) -> int:
    # [ASSUMED] XOF, which has no minor unit, goes over the wire times 100 like all others.
    return int(10 ** (SUBUNIT_EXPONENT - currency.exponent))
