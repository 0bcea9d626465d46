"""Money: a whole number of minor units and its currency."""

from dataclasses import dataclass
from decimal import Context, Decimal
from typing import ClassVar

from core.currency import Currency
from core.errors import DomainError, InvalidInput

MINOR_DIGITS_MAX = 38
"""What NUMERIC(38,0) holds."""


class CurrencyMismatch(DomainError):
    """Two amounts of different currencies met; convert one of them first."""

    code = "CURRENCY_MISMATCH"

    def __init__(self, expected: Currency, got: Currency) -> None:
        super().__init__(f"Expected an amount in {expected}, got {got}.")
        self.expected = expected
        self.got = got


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount. `minor` counts the smallest unit: KES 12.50 is `Money(1250, Currency.KES)`."""

    minor: int
    currency: Currency
    _limit: ClassVar[int] = 10**MINOR_DIGITS_MAX
    # The default context rounds to 28 digits, which would lose the end of a large amount.
    _exact: ClassVar[Context] = Context(prec=2 * MINOR_DIGITS_MAX)

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise ValueError(f"money is a whole number of minor units, not {type(self.minor).__name__}")
        if abs(self.minor) >= self._limit:
            raise InvalidInput("amountMinor", f"An amount has at most {MINOR_DIGITS_MAX} digits.")

    @classmethod
    def of_major(cls, amount: Decimal, currency: Currency) -> "Money":
        """Convert exactly, or refuse.

        Raises:
            InvalidInput: `amount` is no finite number, or has more decimal places than the currency.
        """
        if not amount.is_finite() or amount.adjusted() > MINOR_DIGITS_MAX:
            raise InvalidInput("amount", f"An amount has at most {MINOR_DIGITS_MAX} digits.")
        scaled = cls._exact.scaleb(amount, currency.exponent)
        if scaled != scaled.to_integral_value(context=cls._exact):
            raise InvalidInput("amount", f"{currency} has {currency.exponent} decimal places.")
        return cls(int(scaled), currency)

    @property
    def amount(self) -> Decimal:
        """The amount in whole units, with all the decimal places of its currency."""
        return self._exact.scaleb(Decimal(self.minor), -self.currency.exponent)

    def __add__(self, other: "Money") -> "Money":
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.minor - self._same(other), self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.minor, self.currency)

    def __lt__(self, other: "Money") -> bool:
        return self.minor < self._same(other)

    def __le__(self, other: "Money") -> bool:
        return self.minor <= self._same(other)

    def __str__(self) -> str:
        return f"{self.currency} {self.amount}"

    def _same(self, other: "Money") -> int:
        if other.currency is not self.currency:
            raise CurrencyMismatch(self.currency, other.currency)
        return other.minor
