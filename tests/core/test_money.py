from decimal import Decimal

import iso4217
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.currency import TOKEN_EXPONENTS, Currency
from core.errors import InvalidInput
from core.money import CurrencyMismatch, Money

minor = st.integers(min_value=-(10**37), max_value=10**37)
currencies = st.sampled_from(Currency)


@given(minor, minor, currencies)
def test_adding_and_taking_away_gives_the_amount_back(first: int, second: int, currency: Currency) -> None:
    total = Money(first, currency) + Money(second, currency)

    assert total - Money(second, currency) == Money(first, currency)
    assert total + -total == Money(0, currency)


@given(minor, currencies)
def test_the_decimal_form_is_exact(amount: int, currency: Currency) -> None:
    money = Money(amount, currency)

    assert Money.of_major(money.amount, currency) == money


def test_amounts_of_two_currencies_do_not_mix() -> None:
    with pytest.raises(CurrencyMismatch) as refusal:
        Money(1, Currency.KES) + Money(1, Currency.USD)

    assert (refusal.value.expected, refusal.value.got) == (Currency.KES, Currency.USD)
    with pytest.raises(CurrencyMismatch):
        Money(1, Currency.KES) < Money(1, Currency.USD)  # noqa: B015 - the comparison itself refuses


def test_a_float_is_never_money() -> None:
    with pytest.raises(ValueError, match="whole number"):
        Money(12.5, Currency.KES)  # type: ignore[arg-type]  # what must be refused


def test_a_fraction_of_the_minor_unit_is_refused() -> None:
    with pytest.raises(InvalidInput, match="2 decimal places"):
        Money.of_major(Decimal("1.005"), Currency.KES)
    with pytest.raises(InvalidInput, match="0 decimal places"):
        Money.of_major(Decimal("1.5"), Currency.JPY)


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "1E+999999"])
def test_what_is_no_amount_is_refused(amount: str) -> None:
    with pytest.raises(InvalidInput, match="38 digits"):
        Money.of_major(Decimal(amount), Currency.KES)


def test_the_largest_amount_is_what_the_column_holds() -> None:
    assert Money(10**38 - 1, Currency.USDC).minor == 10**38 - 1
    with pytest.raises(InvalidInput, match="38 digits"):
        Money(10**38, Currency.USDC)


def test_amounts_are_ordered_and_print_with_all_their_places() -> None:
    assert Money(1, Currency.KES) < Money(2, Currency.KES)
    assert Money(2, Currency.KES) <= Money(2, Currency.KES)
    assert str(Money(1250, Currency.KES)) == "KES 12.50"
    assert str(Money(5, Currency.JPY)) == "JPY 5"
    assert str(Money(10**37 + 1, Currency.CUSD)) == "CUSD 10000000000000000000.000000000000000001"


def test_fiat_scales_are_those_of_iso_4217() -> None:
    for currency in Currency:
        if currency not in TOKEN_EXPONENTS:
            assert currency.exponent == iso4217.Currency(currency.value).exponent
