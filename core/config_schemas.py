"""What a provider's configuration schema says of its values, and how a tenant's are held against it.

A schema is a JSON Schema (draft 2020-12) of one flat object. `writeOnly` marks secrets. Two words
are Hazina's own: `x-public` marks what a payer's browser may see; `x-patterns` says what a value
looks like in `sandbox` and in `production`, so that a live key never ends up in a sandbox account.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from jsonschema import Draft202012Validator, ValidationError

VALUE_CHARACTERS_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class Violation:
    """One value that does not fit; says nothing of the value itself, which may be a secret."""

    field: str
    message: str


def secret_names(schema: Mapping[str, Any]) -> frozenset[str]:
    """The properties that are sealed and never shown."""
    return _marked(schema, "writeOnly")


def public_names(schema: Mapping[str, Any]) -> frozenset[str]:
    """The properties that a payer's browser may see."""
    return _marked(schema, "x-public") - secret_names(schema)


def violations(
    schema: Mapping[str, Any],
    environment: str,
    values: Mapping[str, object],
    *,
    present: frozenset[str] = frozenset(),
) -> Sequence[Violation]:
    """What of `values` does not fit, by field. `present` are names that are stored already."""
    required = [name for name in schema.get("required", []) if name not in present]
    wanted = {**schema, "required": required}
    found = {
        violation.field: violation
        for error in Draft202012Validator(wanted).iter_errors(dict(values))
        for violation in _of(error, wanted)
    }
    for name, value in values.items():
        if name not in found and (violation := _misplaced(schema, environment, name, value)) is not None:
            found[name] = violation
    return [found[name] for name in sorted(found)]


def _misplaced(schema: Mapping[str, Any], environment: str, name: str, value: object) -> Violation | None:
    described = schema.get("properties", {}).get(name, {})
    if isinstance(value, str) and ("\x00" in value or len(value) > VALUE_CHARACTERS_MAX):
        return Violation(name, f"{name} has characters that can't be stored, or too many.")
    pattern = described.get("x-patterns", {}).get(environment)
    if pattern is None or (isinstance(value, str) and re.search(pattern, value)):
        return None
    return Violation(name, f"{name} is not a value for {environment}: {_hint(described)}")


def _of(error: ValidationError, schema: Mapping[str, Any]) -> Sequence[Violation]:
    """In our own words: the library's would quote the value."""
    known = schema.get("properties", {})
    if error.validator == "required":
        given = error.instance if isinstance(error.instance, dict) else {}
        missing = [name for name in schema.get("required", []) if name not in given]
        return [Violation(name, f"{name} is missing: {_hint(known.get(name, {}))}") for name in missing]
    if error.validator == "additionalProperties":
        given = error.instance if isinstance(error.instance, dict) else {}
        return [
            Violation(_printable(name), "This provider has no such setting.")
            for name in given
            if name not in known
        ]
    name = str(error.path[0]) if error.path else "configuration"
    return [Violation(name, _sentence(name, error, known.get(name, {})))]


def _sentence(name: str, error: ValidationError, described: Mapping[str, Any]) -> str:
    wanted = error.validator_value
    return {
        "type": f"{name} must be of the type {wanted}.",
        "enum": f"{name} must be one of {wanted}.",
        "minLength": f"{name} must not be empty.",
        "maxLength": f"{name} has at most {wanted} characters.",
        "minimum": f"{name} is {wanted} or more.",
        "maximum": f"{name} is {wanted} or less.",
        "pattern": f"{name} does not look as it should: {_hint(described)}",
    }.get(str(error.validator), f"{name} does not fit.")


def _hint(described: Mapping[str, Any]) -> str:
    return str(described.get("description") or described.get("title") or "see the provider's documentation.")


def _printable(name: object) -> str:
    return "".join(sign for sign in str(name)[:40] if sign.isprintable())


def _marked(schema: Mapping[str, Any], word: str) -> frozenset[str]:
    properties = schema.get("properties", {})
    return frozenset(name for name, described in properties.items() if described.get(word) is True)
