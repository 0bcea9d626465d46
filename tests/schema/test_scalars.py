"""Numbers and instants cross the wire without losing anything."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum

import pytest
from graphql import GraphQLError

from core.currency import Currency
from core.errors import InvalidInput
from core.money import Money as CoreMoney
from schema.scalars import SCALARS, BigInt, Money, MoneyInput, api_enum

BIG = SCALARS[BigInt]
DECIMAL = SCALARS[Decimal]
INSTANT = SCALARS[datetime]


def test_a_big_int_is_a_string() -> None:
    assert BIG.serialize is not None
    assert BIG.serialize(10**30) == "1" + "0" * 30


@pytest.mark.parametrize("sent", ["1250", "-1", "0", 1250, "9" * 38])
def test_a_big_int_is_read_exactly(sent: str | int) -> None:
    assert BIG.parse_value is not None
    assert BIG.parse_value(sent) == int(sent)


@pytest.mark.parametrize("sent", ["", "1.0", "01", "1e3", " 1", "٣", 1.0, True, None, 2**60, [1], "1" * 80])
def test_what_is_no_whole_number_is_refused(sent: object) -> None:
    assert BIG.parse_value is not None
    with pytest.raises(GraphQLError, match="BigInt"):
        BIG.parse_value(sent)


def test_a_decimal_keeps_its_places() -> None:
    assert DECIMAL.serialize is not None
    assert DECIMAL.parse_value is not None
    assert DECIMAL.serialize(Decimal("12.50")) == "12.50"
    assert DECIMAL.serialize(Decimal("1E+3")) == "1000"
    assert DECIMAL.parse_value("12.50") == Decimal("12.50")


@pytest.mark.parametrize("sent", ["NaN", "Infinity", "1e9", "", 1.5, None, "1,0"])
def test_what_is_no_plain_decimal_is_refused(sent: object) -> None:
    assert DECIMAL.parse_value is not None
    with pytest.raises(GraphQLError, match="Decimal"):
        DECIMAL.parse_value(sent)


def test_an_instant_is_told_in_utc() -> None:
    assert INSTANT.serialize is not None
    nairobi = datetime(2026, 1, 31, 15, 0, tzinfo=timezone(timedelta(hours=3)))

    assert INSTANT.serialize(nairobi) == "2026-01-31T12:00:00Z"


@pytest.mark.parametrize("sent", ["2026-01-31T12:00:00Z", "2026-01-31T15:00:00+03:00"])
def test_an_instant_is_read_with_its_zone(sent: str) -> None:
    assert INSTANT.parse_value is not None
    assert INSTANT.parse_value(sent) == datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize("sent", ["2026-01-31T12:00:00", "yesterday", 1769860800, None])
def test_an_instant_without_a_zone_is_refused(sent: object) -> None:
    assert INSTANT.parse_value is not None
    with pytest.raises(GraphQLError, match="DateTime"):
        INSTANT.parse_value(sent)


def test_money_is_shown_in_minor_units_and_for_display() -> None:
    assert Money.of(CoreMoney(1250, Currency.KES)) == Money(
        amount_minor=BigInt(1250), currency=Currency.KES, amount=Decimal("12.50")
    )


def test_money_comes_in_as_the_domain_knows_it() -> None:
    sent = MoneyInput(amount_minor=BigInt(1250), currency=Currency.KES)

    assert sent.to_domain() == CoreMoney(1250, Currency.KES)


def test_more_money_than_a_ledger_holds_is_refused() -> None:
    with pytest.raises(InvalidInput):
        MoneyInput(amount_minor=BigInt(10**38), currency=Currency.KES).to_domain()


def test_an_enum_value_without_description_is_a_bug() -> None:
    class Size(StrEnum):
        SMALL = "small"
        LARGE = "large"

    with pytest.raises(ValueError, match="LARGE"):
        api_enum(Size, "Size", "How big.", {Size.SMALL: "Little."})
