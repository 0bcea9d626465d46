"""Reads form-encoded bodies with brackets, and refuses what Stripe refuses."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from integrations.sandbox.stripe.objects import HUNDREDTHS_IN_NAME
from integrations.sandbox.stripe.refusals import StripeError, invalid

LEAST: Final[Mapping[str, int]] = {"gbp": 30, "jpy": 50, "usd": 50, "eur": 50, "zar": 50}
"""[ASSUMED] Elsewhere 50 of Stripe's unit: the real minimum follows the day's rates."""
LEAST_ELSEWHERE: Final = 50
AMOUNT_DIGITS_MAX: Final = 12
METADATA_KEYS_MAX: Final = 50
_CURRENCY: Final = re.compile(r"[a-z]{3}")
_NAME: Final = re.compile(r"([a-z_]+)((?:\[[^\[\]]*\])*)")

Form = dict[str, Any]
"""Nested as its brackets say: `{"metadata": {"payment_id": "pay_…"}, "expand": ["latest_charge"]}`."""


def read_form(body: bytes) -> Form:
    """Raises StripeError where a name can't be read."""
    form: Form = {}
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=bool(body))
    except ValueError as error:
        raise invalid("The body is not form-encoded.") from error
    for name, value in pairs:
        found = _NAME.fullmatch(name)
        if found is None:
            raise invalid(f"Invalid parameter name: {name}", param=name)
        path = [found.group(1), *re.findall(r"\[([^\[\]]*)\]", found.group(2))]
        _put(form, path, value)
    return form


def require_known(form: Form, known: frozenset[str]) -> None:
    """Raises StripeError for the first parameter that the call does not have."""
    for name in form:
        if name not in known:
            raise invalid(f"Received unknown parameter: {name}", param=name, code="parameter_unknown")


def require_text(form: Form, name: str) -> str:
    value = form.get(name)
    if not isinstance(value, str) or not value:
        raise invalid(f"Missing required param: {name}.", param=name, code="parameter_missing")
    return value


def require_number(form: Form, name: str) -> int:
    text = require_text(form, name)
    if not text.isascii() or not text.isdigit():
        raise invalid(f"Invalid integer: {text}", param=name, code="parameter_invalid_integer")
    return int(text)


def require_amount(form: Form, name: str, currency: str) -> int:
    """An amount in Stripe's unit, of at least one and a currency's own shape."""
    amount = require_number(form, name)
    if amount < 1 or len(str(amount)) > AMOUNT_DIGITS_MAX:
        raise invalid("This value must be greater than or equal to 1.", param=name)
    if currency in HUNDREDTHS_IN_NAME and amount % 100:
        raise invalid(f"{currency} has no decimals: the amount must end in 00.", param=name)
    return amount


def require_charge(form: Form) -> tuple[int, str]:
    """Amount and currency of a new payment."""
    currency = require_text(form, "currency")
    if _CURRENCY.fullmatch(currency) is None:
        raise invalid(f"Invalid currency: {currency}", param="currency")
    amount = require_amount(form, "amount", currency)
    if amount < LEAST.get(currency, LEAST_ELSEWHERE):
        raise invalid("Amount is below the minimum.", param="amount", code="amount_too_small")
    return amount, currency


def metadata_of(form: Form) -> dict[str, str]:
    entries = form.get("metadata", {})
    if not isinstance(entries, dict) or len(entries) > METADATA_KEYS_MAX:
        raise invalid("Metadata is a set of at most 50 pairs.", param="metadata")
    for key, value in entries.items():
        if not isinstance(value, str) or len(key) > 40 or len(value) > 500:  # noqa: PLR2004 - Stripe's
            raise invalid("Metadata has keys of 40 and values of 500 characters.", param=f"metadata[{key}]")
    return dict(entries)


def choice(form: Form, name: str, choices: tuple[str, ...], usual: str) -> str:
    value = form.get(name, usual)
    if value not in choices:
        raise invalid(f"Invalid {name}: must be one of {', '.join(choices)}", param=name)
    return str(value)


def expanded(form: Form) -> frozenset[str]:
    """What the caller wants expanded."""
    wanted = form.get("expand", [])
    if isinstance(wanted, dict):
        # Also written with positions: expand[0].
        wanted = list(wanted.values())
    if not isinstance(wanted, list):
        raise invalid("Invalid array", param="expand")
    return frozenset(wanted)


def _put(form: Form, path: list[str], value: str) -> None:
    name, *rest = path
    if not rest:
        if name in form:
            raise invalid(f"Given twice: {name}", param=name)
        form[name] = value
    elif rest == [""]:
        items = form.setdefault(name, [])
        if not isinstance(items, list):
            raise _clash(name)
        items.append(value)
    else:
        inner = form.setdefault(name, {})
        if not isinstance(inner, dict):
            raise _clash(name)
        _put(inner, rest, value)


def _clash(name: str) -> StripeError:
    return invalid(f"Invalid {name}: both a value and a set.", param=name)
