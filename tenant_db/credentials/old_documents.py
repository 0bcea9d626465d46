"""Reads an old `paymentProviders` document. Pure.

ASSUMED, for no such document came with the design: a JSON object keyed by the provider's code, each
value an object like

    {"stripe": {"displayName": "Cards", "environment": "live", "currencies": ["USD", "EUR"],
                "priority": 1, "isActive": true, "isDefault": true,
                "keys": {"secretKey": "sk_live_…", "publishableKey": "pk_live_…"}}}

`environment` (or `mode`) is `live`, `production`, `test` or `sandbox`; `keys` may also be called
`credentials` or `config`; names are in camelCase or with underscores. The object may stand below
`paymentProviders`. Whoever finds that old documents differ changes this module alone.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from core.config_schemas import Violation
from core.currency import Currency
from core.errors import InvalidInput
from tenant_db.channels.machine import Environment

ENTRIES_MAX: Final = 50
_WRAPPER: Final = "paymentProviders"
_KEYS: Final = ("keys", "credentials", "config")
_KNOWN: Final = frozenset(
    {
        "display_name",
        "name",
        "environment",
        "mode",
        "currencies",
        "priority",
        "is_active",
        "is_default",
        *_KEYS,
    }
)
_ENVIRONMENTS: Final[Mapping[object, Environment]] = {
    "live": Environment.PRODUCTION,
    "production": Environment.PRODUCTION,
    "test": Environment.SANDBOX,
    "sandbox": Environment.SANDBOX,
}
_CAPITAL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class OldEntry:
    """One provider of an old document; never printed."""

    key: str
    """The provider's code, as the document has it."""
    environment: Environment = Environment.SANDBOX
    values: Mapping[str, object] = field(default_factory=dict, repr=False)
    name: str | None = None
    currencies: tuple[Currency, ...] | None = None
    priority: int = 100
    is_active: bool = False
    is_default: bool = False
    violations: tuple[Violation, ...] = ()
    """Why it can't be read."""


def read_document(document: object) -> list[OldEntry]:
    """Every entry, those that can't be read with the reasons.

    Raises:
        InvalidInput: it is no object of at most ENTRIES_MAX entries.
    """
    if isinstance(document, dict) and isinstance(document.get(_WRAPPER), dict):
        document = document[_WRAPPER]
    if not isinstance(document, dict) or not 1 <= len(document) <= ENTRIES_MAX:
        raise InvalidInput("document", f"Send an object with 1 to {ENTRIES_MAX} providers by their codes.")
    return [_entry(str(key)[:40], value) for key, value in document.items()]


def _entry(key: str, given: object) -> OldEntry:
    if not isinstance(given, dict):
        return OldEntry(key, violations=(Violation(key, "An entry is an object."),))
    entry = {_snake(name): value for name, value in given.items()}
    wrong = [Violation(name[:40], "This is not known.") for name in sorted(set(entry) - _KNOWN)]
    environment = _ENVIRONMENTS.get(_text(entry.get("environment", entry.get("mode"))))
    if environment is None:
        wrong.append(Violation("environment", "environment is live or test."))
    currencies = _currencies(entry.get("currencies"), wrong)
    priority = entry.get("priority", 100)
    if type(priority) is not int:
        wrong.append(Violation("priority", "priority is a whole number."))
    flags = {name: entry.get(name, False) for name in ("is_active", "is_default")}
    wrong += [Violation(name, f"{name} is true or false.") for name in flags if type(flags[name]) is not bool]
    keys: object = next((entry[name] for name in _KEYS if name in entry), {})
    if not isinstance(keys, dict):
        wrong.append(Violation("keys", "keys are an object."))
    if wrong or environment is None or not isinstance(keys, dict):
        return OldEntry(key, violations=tuple(wrong))
    return OldEntry(
        key=_snake(key),
        environment=environment,
        values={_snake(name): value for name, value in keys.items()},
        name=_text(entry.get("display_name", entry.get("name"))),
        currencies=currencies,
        priority=priority,
        is_active=flags["is_active"],
        is_default=flags["is_default"],
    )


def _currencies(given: object, wrong: list[Violation]) -> tuple[Currency, ...] | None:
    if given is None:
        return None
    known = {currency.value: currency for currency in Currency}
    if not isinstance(given, list) or not all(isinstance(code, str) and code in known for code in given):
        wrong.append(Violation("currencies", "currencies is a list of codes such as KES."))
        return None
    return tuple(known[code] for code in given)


def _snake(name: object) -> str:
    return _CAPITAL.sub("_", str(name)).lower()


def _text(given: object) -> str | None:
    return given if isinstance(given, str) else None
