"""Amounts as Stripe counts them: its smallest unit is not always ours.

Source: Stripe sheet, section 2.
"""

from typing import Final

from core.currency import TOKEN_EXPONENTS, Currency
from core.money import Money
from integrations.errors import BadMessage, FailureReason, ProviderRejected
from integrations.wire_json import Json

ZERO_DECIMAL: Final = frozenset(
    ("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF")
)
IN_HUNDREDTHS: Final = frozenset(("UGX", "ISK"))
"""Have no hundredths, and are sent in hundredths that end in 00."""
REFUSED: Final = frozenset(("BHD", "JOD", "KWD", "OMR", "TND", *TOKEN_EXPONENTS))
"""[ASSUMED] Thousandths that end in 0: refused until someone needs them. Tokens Stripe does not take."""
DIGITS_MAX: Final = 12
"""Of a card payment; the catalog's limits are narrower."""
DEFAULT_EXPONENT: Final = 2


def stripe_exponent(code: str) -> int:
    """Decimal places between Stripe's unit and one whole, of a currency that is not refused."""
    return 0 if code in ZERO_DECIMAL else DEFAULT_EXPONENT


def to_stripe(money: Money) -> int:
    """The amount in Stripe's unit, exactly.

    Raises:
        ProviderRejected: Stripe has no such amount; nothing was sent.
    """
    code = money.currency.value
    if code in REFUSED:
        raise _refused("currency", f"Hazina does not collect {code} through Stripe.")
    amount, rest = _shifted(money.minor, stripe_exponent(code) - money.currency.exponent)
    if rest or amount <= 0 or len(str(amount)) > DIGITS_MAX:
        raise _refused("amount", f"Stripe can't take {money}.")
    return amount


def of_stripe(amount: Json, code: Json) -> Money:
    """What an amount of Stripe's is in ours, exactly.

    Raises:
        BadMessage: no whole number, no currency we know, or hundredths of what has none.
    """
    if isinstance(amount, bool) or not isinstance(amount, int) or not isinstance(code, str):
        raise BadMessage("An amount of Stripe's is a whole number and a currency.")
    try:
        currency = Currency(code.upper())
    except ValueError as error:
        raise BadMessage(f"No currency {code[:10]!r}.") from error
    if currency.value in REFUSED:
        raise BadMessage(f"Hazina does not collect {currency} through Stripe.")
    if len(str(abs(amount))) > DIGITS_MAX + DEFAULT_EXPONENT:
        raise BadMessage("The amount is absurd.")
    minor, rest = _shifted(amount, currency.exponent - stripe_exponent(currency.value))
    if rest:
        raise BadMessage(f"Stripe counts {currency} in hundredths that end in 00, not {amount}.")
    return Money(minor, currency)


def _shifted(units: int, places: int) -> tuple[int, int]:
    """`units` with so many more decimal places, and what does not fit."""
    power: int = 10 ** abs(places)
    return (units * power, 0) if places >= 0 else divmod(units, power)


def _refused(code: str, message: str) -> ProviderRejected:
    return ProviderRejected(code, message, FailureReason.CONFIGURATION)
