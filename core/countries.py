"""Which of our currencies is at home in which country."""

from collections.abc import Mapping
from typing import Final

from core.currency import Currency

_EURO: Final = (
    *("AT", "BE", "CY", "DE", "EE", "ES", "FI", "FR", "GR", "HR"),
    *("IE", "IT", "LT", "LU", "LV", "MT", "NL", "PT", "SI", "SK"),
)
_WEST_AFRICA: Final = ["BF", "BJ", "CI", "GW", "ML", "NE", "SN", "TG"]
_CENTRAL_AFRICA: Final = ["CF", "CG", "CM", "GA", "GQ", "TD"]
_HOMES: Final[Mapping[str, Currency]] = {
    **dict.fromkeys(_EURO, Currency.EUR),
    **dict.fromkeys(_WEST_AFRICA, Currency.XOF),
    **dict.fromkeys(_CENTRAL_AFRICA, Currency.XAF),
    "AE": Currency.AED,
    "AU": Currency.AUD,
    "BW": Currency.BWP,
    "CA": Currency.CAD,
    "CD": Currency.CDF,
    "CH": Currency.CHF,
    "CN": Currency.CNY,
    "EG": Currency.EGP,
    "ET": Currency.ETB,
    "GB": Currency.GBP,
    "GH": Currency.GHS,
    "IN": Currency.INR,
    "JP": Currency.JPY,
    "KE": Currency.KES,
    "KW": Currency.KWD,
    "MA": Currency.MAD,
    "MU": Currency.MUR,
    "MW": Currency.MWK,
    "NG": Currency.NGN,
    "RW": Currency.RWF,
    "SL": Currency.SLE,
    "TZ": Currency.TZS,
    "UG": Currency.UGX,
    "US": Currency.USD,
    "ZA": Currency.ZAR,
    "ZM": Currency.ZMW,
}
"""By ISO 3166 alpha-2."""


def currency_of(country: str) -> Currency | None:
    """The country's own currency; None where it is none of ours."""
    return _HOMES.get(country)
