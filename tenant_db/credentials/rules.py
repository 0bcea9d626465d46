"""What a provider account may be. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from core.config_schemas import Violation, secret_names, violations
from core.currency import Currency
from core.errors import InvalidInput
from tenant_db.credentials.errors import ConfigurationInvalid

ACCOUNTS_MAX: Final = 100
"""Of a tenant, not counting those of M-Pesa channels."""
NAME_CHARACTERS_MAX: Final = 80
PRIORITIES: Final = range(1, 1_001)
PREVIOUS_SECRETS_FOR: Final = timedelta(hours=24)
"""How long webhooks signed with replaced secrets are believed: providers send late."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """A tenant's values for one provider, apart by whether they are secret."""

    plain: Mapping[str, Any]
    secrets: Mapping[str, str] = field(repr=False)


def checked(
    schema: Mapping[str, Any],
    environment: str,
    values: Mapping[str, object],
    *,
    present: frozenset[str] = frozenset(),
) -> Configuration:
    """Hold values against the provider's schema; `present` are names that are stored already.

    Raises:
        ConfigurationInvalid: some do not fit.
    """
    found = violations(schema, environment, values, present=present)
    if found:
        raise ConfigurationInvalid(found)
    secret = secret_names(schema)
    return Configuration(
        {name: value for name, value in values.items() if name not in secret},
        {name: str(value) for name, value in values.items() if name in secret},
    )


def require_name(name: str) -> str:
    """Raises InvalidInput."""
    stripped = name.strip()
    if not 1 <= len(stripped) <= NAME_CHARACTERS_MAX or not stripped.isprintable():
        raise InvalidInput("name", f"A name has 1 to {NAME_CHARACTERS_MAX} characters.")
    return stripped


def require_priority(priority: int) -> int:
    """Raises InvalidInput."""
    if priority not in PRIORITIES:
        raise InvalidInput("priority", f"A priority is {PRIORITIES[0]} to {PRIORITIES[-1]}, lower first.")
    return priority


def require_currencies(wanted: Sequence[Currency], offered: frozenset[Currency]) -> list[str]:
    """The codes to store, each once.

    Raises:
        InvalidInput: none, or some that the provider does not take.
    """
    if not wanted:
        raise InvalidInput("currencies", "Choose at least one currency.")
    if missing := sorted(set(wanted) - offered):
        raise InvalidInput("currencies", f"This provider does not take {', '.join(missing)}.")
    return sorted(set(wanted))


def violation_of(field: str, message: str) -> ConfigurationInvalid:
    """The refusal of one value."""
    return ConfigurationInvalid([Violation(field, message)])
