"""What Flutterwave refuses in a request, field by field.

Source: Flutterwave v3, sections 1 to 5.
"""

import json
import re
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.requests import Request

from core.currency import Currency
from integrations.sandbox.flutterwave.wire import Refused

REFERENCE_CHARACTERS_MAX: Final = 100
SESSION_MINUTES_MAX: Final = 1_440
CHARGE_TYPES: Final = (
    "mpesa",
    *(f"mobile_money_{where}" for where in ("ghana", "uganda", "rwanda", "zambia", "tanzania", "franco")),
)
PAYMENT_OPTIONS: Final = frozenset(
    {
        *("card", "mpesa", "account", "banktransfer", "ussd"),
        *(f"mobilemoney{where}" for where in ("ghana", "uganda", "rwanda", "zambia", "franco")),
    }
)
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PHONE: Final = re.compile(r"[0-9]{9,15}")
_KENYAN: Final = re.compile(r"254[17][0-9]{8}")


async def body_of(request: Request) -> dict[str, Any]:
    """The JSON object of a request, its fractions exact."""
    try:
        body = json.loads(await request.body(), parse_float=Decimal)
    except ValueError as error:
        raise Refused(400, "Request body is not valid JSON") from error
    if not isinstance(body, dict):
        raise Refused(400, "Request body is not valid JSON")
    return body


def text(body: dict[str, Any], name: str, pattern: re.Pattern[str] | None = None) -> str:
    """A field that is required, and has a form."""
    value = body.get(name)
    if value is None or value == "":
        raise Refused(400, f"{name} is required")
    if not isinstance(value, str) or (pattern is not None and pattern.fullmatch(value) is None):
        raise Refused(400, f"{name} is invalid")
    return value


def reference(body: dict[str, Any]) -> str:
    tx_ref = text(body, "tx_ref")
    if len(tx_ref) > REFERENCE_CHARACTERS_MAX:
        raise Refused(400, f"tx_ref must be at most {REFERENCE_CHARACTERS_MAX} characters")
    return tx_ref


def amount(body: dict[str, Any], name: str = "amount") -> str:
    """A JSON number above zero, as text."""
    value = body.get(name)
    if value is None:
        raise Refused(400, f"{name} is required")
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or value <= 0:
        raise Refused(400, f"{name} should be a number greater than zero")
    return f"{Decimal(value):f}"


def currency(body: dict[str, Any]) -> str:
    """Naira where none is given, as the provider does."""
    code = text({"currency": "NGN", **body}, "currency")
    if code not in Currency.__members__:
        raise Refused(400, "currency is invalid")
    return code


def email(body: dict[str, Any], name: str = "email") -> str:
    return text(body, name, _EMAIL)


def customer(body: dict[str, Any]) -> dict[str, Any]:
    given = body.get("customer")
    if not isinstance(given, dict):
        raise Refused(400, "customer is required")
    email(given)
    return {"email": given["email"], "name": given.get("name"), "phone_number": given.get("phonenumber")}


def meta(body: dict[str, Any]) -> dict[str, Any]:
    given = body.get("meta", {})
    if not isinstance(given, dict):
        raise Refused(400, "meta is invalid")
    return given


def web_url(body: dict[str, Any], name: str) -> str:
    url = text(body, name)
    if urlsplit(url).scheme not in ("http", "https"):
        raise Refused(400, f"{name} is invalid")
    return url


def payment_options(body: dict[str, Any]) -> str:
    options = text({"payment_options": "card", **body}, "payment_options")
    if not {option.strip() for option in options.split(",")} <= PAYMENT_OPTIONS:
        raise Refused(400, "payment_options is invalid")
    return options


def session_minutes(body: dict[str, Any]) -> int:
    configurations = body.get("configurations", {})
    minutes = configurations.get("session_duration", SESSION_MINUTES_MAX)
    if not isinstance(minutes, int) or not 0 < minutes <= SESSION_MINUTES_MAX:
        raise Refused(400, "session_duration is invalid")
    return minutes


def charge(kind: str, body: dict[str, Any]) -> None:
    """What a direct charge of a type wants besides the fields of all."""
    if kind not in CHARGE_TYPES:
        raise Refused(400, "type is invalid")
    text(body, "phone_number", _KENYAN if kind == "mpesa" else _PHONE)
    if kind != "mpesa":
        text(body, "network")
    elif currency(body) != "KES":
        raise Refused(400, "currency should be KES")
    elif Decimal(amount(body)) % 1:
        raise Refused(400, "amount should be a whole number")
