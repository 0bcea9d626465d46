"""Scalars, Money, and enums with a description on each value.

The domain's own enums become GraphQL enums here or in `schema/<area>.py`:

    PaymentStatusEnum = api_enum(PaymentStatus, "PaymentStatus", "Where a payment is.", {
        PaymentStatus.CREATED: "Stored; nothing was sent yet.",
        ...
    })
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Final, NewType, TypeVar, cast

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

from core.currency import TOKEN_EXPONENTS, Currency
from core.errors import InvalidInput
from core.money import MINOR_DIGITS_MAX
from core.money import Money as CoreMoney
from schema.inputs import built_directly

EnumKind = TypeVar("EnumKind", bound=type[Enum])

BigInt = NewType("BigInt", int)
"""A whole number of any size; a string on the wire, since JSON numbers lose digits beyond 2^53."""

_WHOLE: Final = re.compile(r"-?(0|[1-9][0-9]{0,77})\Z")
_DECIMAL: Final = re.compile(r"-?[0-9]{1,78}(\.[0-9]{1,78})?\Z")
_INT_SAFE_MAX: Final = 2**53 - 1


def _write_big_int(value: object) -> str:
    if type(value) is not int:
        raise TypeError(f"a BigInt is an int, not {type(value).__name__}")
    return str(value)


def _read_big_int(value: object) -> int:
    if isinstance(value, str) and _WHOLE.match(value):
        return int(value)
    # Literals and JSON numbers are taken as long as no client could have rounded them.
    if type(value) is int and abs(value) <= _INT_SAFE_MAX:
        return value
    raise GraphQLError('A BigInt is a whole number in a string, such as "1250".')


def _write_decimal(value: object) -> str:
    if not isinstance(value, Decimal) or not value.is_finite():
        raise TypeError(f"a Decimal is a finite Decimal, not {type(value).__name__}")
    return f"{value:f}"


def _read_decimal(value: object) -> Decimal:
    if isinstance(value, str) and _DECIMAL.match(value):
        return Decimal(value)
    if type(value) is int and abs(value) <= _INT_SAFE_MAX:
        return Decimal(value)
    raise GraphQLError('A Decimal is a number in a string, such as "12.50".')


def _write_instant(value: object) -> str:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise TypeError("a DateTime is an aware datetime")
    instant = value if value.tzinfo is UTC else value.astimezone(UTC)
    return f"{instant.isoformat()[:-6]}Z"


def _read_instant(value: object) -> datetime:
    wanted = GraphQLError("A DateTime is ISO 8601 with its zone, such as 2026-01-31T12:00:00Z.")
    if not isinstance(value, str):
        raise wanted
    try:
        instant = datetime.fromisoformat(value)
    except ValueError as error:
        raise wanted from error
    if instant.tzinfo is None:
        raise wanted
    return instant.astimezone(UTC)


SCALARS: Final[dict[object, ScalarDefinition]] = {
    BigInt: strawberry.scalar(
        name="BigInt",
        description='A whole number of any size, as a string: "1250".',
        serialize=_write_big_int,
        parse_value=_read_big_int,
    ),
    Decimal: strawberry.scalar(
        name="Decimal",
        description='An exact decimal number, as a string: "12.50". Never parse it as a float.',
        serialize=_write_decimal,
        parse_value=_read_decimal,
    ),
    datetime: strawberry.scalar(
        name="DateTime",
        description="An instant in UTC, ISO 8601: 2026-01-31T12:00:00.123456Z.",
        specified_by_url="https://scalars.graphql.org/andimarek/date-time",
        serialize=_write_instant,
        parse_value=_read_instant,
    ),
}


def api_enum(kind: EnumKind, name: str, description: str, values: Mapping[Any, str]) -> EnumKind:
    """Show an enum of the domain in GraphQL, named by its members' names.

    Raises:
        ValueError: `values` lacks the description of a member.
    """
    undescribed = [member.name for member in kind if member not in values]
    if undescribed:
        raise ValueError(f"{name} lacks the descriptions of {', '.join(undescribed)}")
    shown = strawberry.enum(kind, name=name, description=description)
    for value in cast("Any", shown).__strawberry_definition__.values:
        value.description = values[kind(value.value)]
    return shown


def _currency_described(currency: Currency) -> str:
    sort = "Stablecoin" if currency.value in TOKEN_EXPONENTS else "ISO 4217"
    smallest = Decimal(1).scaleb(-currency.exponent)
    return f"{sort} {currency.value}; amountMinor counts {smallest:f} {currency.value}."


CurrencyCode = api_enum(
    Currency,
    "CurrencyCode",
    "A currency: ISO 4217, or a stablecoin the platform knows.",
    {currency: _currency_described(currency) for currency in Currency},
)


@strawberry.type(description="An exact amount of one currency.")
class Money:
    amount_minor: BigInt = strawberry.field(
        description='The amount in the smallest unit of its currency: KES 12.50 is "1250".'
    )
    currency: Currency = strawberry.field(description="The currency.")
    amount: Decimal = strawberry.field(description='The same amount for display: "12.50".')

    @classmethod
    def of(cls, money: CoreMoney) -> "Money":
        return cls(amount_minor=BigInt(money.minor), currency=money.currency, amount=money.amount)


@built_directly
@strawberry.input(description="An exact amount of one currency.")
class MoneyInput:
    amount_minor: BigInt = strawberry.field(
        description='The amount in the smallest unit of its currency: KES 12.50 is "1250".'
    )
    currency: Currency = strawberry.field(description="The currency.")

    def to_domain(self) -> CoreMoney:
        """Raises InvalidInput where the amount has more digits than any ledger holds."""
        if abs(self.amount_minor) >= 10**MINOR_DIGITS_MAX:
            raise InvalidInput("amountMinor", f"An amount has at most {MINOR_DIGITS_MAX} digits.")
        return CoreMoney(int(self.amount_minor), self.currency)
