"""Currency codes and the scale of each."""

from enum import StrEnum
from typing import Final

import iso4217


class Currency(StrEnum):
    """A fiat currency of ISO 4217, or a stablecoin the platform knows."""

    AED = "AED"
    AUD = "AUD"
    BWP = "BWP"
    CAD = "CAD"
    CDF = "CDF"
    CHF = "CHF"
    CNY = "CNY"
    EGP = "EGP"
    ETB = "ETB"
    EUR = "EUR"
    GBP = "GBP"
    GHS = "GHS"
    INR = "INR"
    JPY = "JPY"
    KES = "KES"
    KWD = "KWD"
    MAD = "MAD"
    MUR = "MUR"
    MWK = "MWK"
    NGN = "NGN"
    RWF = "RWF"
    SLE = "SLE"
    TZS = "TZS"
    UGX = "UGX"
    USD = "USD"
    XAF = "XAF"
    XOF = "XOF"
    ZAR = "ZAR"
    ZMW = "ZMW"
    CKES = "CKES"
    CUSD = "CUSD"
    USDC = "USDC"
    USDT = "USDT"
    USDXM = "USDXM"

    @property
    def exponent(self) -> int:
        """Decimal places between the minor unit and one whole: KES 2, JPY 0, USDC 6, CUSD 18."""
        return _EXPONENTS[self]


TOKEN_EXPONENTS: Final = {"CKES": 18, "CUSD": 18, "USDC": 6, "USDT": 6, "USDXM": 6}
"""CKES and CUSD are the tokens that Celo now names KESm and USDm."""


def _exponent(currency: Currency) -> int:
    if currency.value in TOKEN_EXPONENTS:
        return TOKEN_EXPONENTS[currency.value]
    exponent = iso4217.Currency(currency.value).exponent
    if exponent is None:
        raise ValueError(f"{currency} has no minor unit")
    return int(exponent)


_EXPONENTS: Final = {currency: _exponent(currency) for currency in Currency}
