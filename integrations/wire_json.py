"""JSON to and from outside: numbers are exact, and nothing that is sent can do more than be refused."""

import json
from decimal import Decimal
from typing import NoReturn

from integrations.errors import BadMessage

Json = dict[str, "Json"] | list["Json"] | str | int | Decimal | bool | None


def read_json(body: bytes) -> Json:
    """Parse with every fraction as Decimal, so that no float ever holds money.

    Raises:
        BadMessage: not UTF-8, not JSON, nested too deeply, or a number of absurd size.
    """
    try:
        parsed: Json = json.loads(body.decode(), parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, RecursionError, ArithmeticError) as error:
        raise BadMessage(f"This is no JSON: {type(error).__name__}.") from error
    return parsed


def read_object(body: bytes) -> dict[str, Json]:
    """Parse a JSON object.

    Raises:
        BadMessage: it is something else.
    """
    return require_object(read_json(body))


def require_object(value: Json) -> dict[str, Json]:
    """Raises BadMessage where the value is no JSON object."""
    if not isinstance(value, dict):
        raise BadMessage(f"Expected an object, got {type(value).__name__}.")
    return value


def write_json(value: Json) -> bytes:
    """As JSON text, with every Decimal written exactly, digit by digit."""
    return _written(value).encode()


def _written(value: Json) -> str:
    match value:
        case dict():
            entries = (f"{json.dumps(name)}:{_written(item)}" for name, item in value.items())
            return f"{{{','.join(entries)}}}"
        case list():
            return f"[{','.join(_written(item) for item in value)}]"
        case Decimal():
            return f"{value:f}"
    return json.dumps(value)


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")
