"""What may stand in the catalog. Pure."""

import json
import re
from collections.abc import Collection, Mapping
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import jsonschema
from jsonschema import Draft202012Validator

from core.collecting import Feature, Method
from core.errors import InvalidInput

CODE: Final = re.compile(r"[a-z][a-z0-9_]{1,39}")
NAME_CHARACTERS_MAX: Final = 80
URL_CHARACTERS_MAX: Final = 500
SCHEMA_PROPERTIES_MAX: Final = 40
SETTINGS_CHARACTERS_MAX: Final = 20_000
PATTERN_CHARACTERS_MAX: Final = 200
STABLECOIN: Final = "stablecoin"
METHODS: Final = frozenset({*Method, STABLECOIN})
RECOMMENDATION_MAX: Final = 1_000_000
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
ENVIRONMENTS: Final = ("sandbox", "production")
SECRET_WORDS: Final = frozenset({"secret", "password", "passkey", "hash", "token", "pin", "key"})
RESERVED: Final = frozenset(
    {"hook_token", "confirmation_token", "validation_token", "result_token", "webhook_token"}
)
"""Secrets of ours that lie beside a tenant's own."""
_NESTING: Final = ("$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "not", "if", "properties", "items")
_REPEATED: Final = re.compile(r"\([^)]*[+*][^)]*\)[+*{]")
"""A repetition of a repetition: such a pattern can take for ever."""


def require_code(code: str) -> None:
    """Raises InvalidInput."""
    if CODE.fullmatch(code) is None:
        raise InvalidInput(
            "code", "A code has 2 to 40 small letters, digits and _, and begins with a letter."
        )


def require_name(name: str) -> None:
    """Raises InvalidInput."""
    if not 1 <= len(name.strip()) <= NAME_CHARACTERS_MAX:
        raise InvalidInput("name", f"A name has 1 to {NAME_CHARACTERS_MAX} characters.")


def require_methods(methods: Collection[str]) -> None:
    """Raises InvalidInput."""
    _require_words("methods", methods, METHODS)


def require_features(features: Collection[str]) -> None:
    """Raises InvalidInput."""
    _require_words("features", features, frozenset(Feature))


def require_recommendation(place: int) -> None:
    """Raises InvalidInput."""
    if not 0 <= place <= RECOMMENDATION_MAX:
        raise InvalidInput("recommendation", f"A recommendation is 0 to {RECOMMENDATION_MAX}, lower first.")


def require_settings(settings: Mapping[str, Any]) -> None:
    """Refuse settings that jobs could not follow.

    Raises:
        InvalidInput: no object, too large, or a poll ladder that does not climb.
    """
    if not isinstance(settings, Mapping) or len(json.dumps(dict(settings))) > SETTINGS_CHARACTERS_MAX:
        raise InvalidInput("settings", f"Settings are an object of {SETTINGS_CHARACTERS_MAX} characters.")
    ladder = settings.get("poll_ladder_s", [1])
    is_ladder = isinstance(ladder, list) and bool(ladder) and all(type(rung) is int for rung in ladder)
    if not is_ladder or ladder[0] < 1 or ladder != sorted(set(ladder)):
        raise InvalidInput("settings", "poll_ladder_s is a list of whole seconds that climbs.")


def require_base_url(field: str, url: str) -> None:
    """Refuse what calls must not be sent to.

    Raises:
        InvalidInput: neither https nor on this machine, or with a user, query or fragment.
    """
    if not (len(url) <= URL_CHARACTERS_MAX and is_safe_url(url) and _is_bare(url)):
        raise InvalidInput(field, "Write an https address with no user, query or fragment.")


def require_public_url(field: str, url: str | None) -> None:
    """Raises InvalidInput unless it is an https address, or none."""
    if url is None:
        return
    parts = _split(url)
    if parts is None or parts.scheme != "https" or not parts.hostname or len(url) > URL_CHARACTERS_MAX:
        raise InvalidInput(field, "Write an https address.")


def is_safe_url(url: str) -> bool:
    """Whether calls sent there can't be read on the way: https, or this machine."""
    parts = _split(url)
    if parts is None or not parts.hostname:
        return False
    if parts.scheme == "https":
        return True
    if parts.scheme != "http":
        return False
    try:
        return ip_address(parts.hostname).is_loopback
    except ValueError:
        return parts.hostname == "localhost"


def require_config_schema(schema: Mapping[str, Any]) -> None:
    """Refuse what can't describe a tenant's configuration.

    It is a JSON Schema (draft 2020-12) of one flat object of texts, numbers and yes or no. Two words
    are our own: `x-public` marks what a payer's browser may see, `x-patterns` says what a value must
    look like in `sandbox` and in `production`.

    Raises:
        InvalidInput: it is no such schema, or a secret could be shown.
    """
    if not isinstance(schema, Mapping):
        raise _refused("it is no object")
    try:
        Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise _refused(error.message) from error
    if schema.get("$schema", DIALECT) != DIALECT or schema.get("type") != "object":
        raise _refused("it must be a draft 2020-12 schema of an object")
    if schema.get("additionalProperties") is not False:
        raise _refused(
            "additionalProperties must be false, so that a mistyped secret is never stored in clear"
        )
    properties = schema.get("properties", {})
    if len(properties) > SCHEMA_PROPERTIES_MAX:
        raise _refused(f"it has more than {SCHEMA_PROPERTIES_MAX} properties")
    if any(word in schema for word in _NESTING if word != "properties"):
        raise _refused("it must be one flat object")
    if set(schema.get("required", [])) - set(properties):
        raise _refused("it requires what it does not describe")
    for name, described in properties.items():
        _require_property(name, described)


def _require_property(name: str, described: object) -> None:
    if CODE.fullmatch(name) is None or name in RESERVED:
        raise _refused(f"{name} is no name of a property")
    if not isinstance(described, dict) or any(word in described for word in _NESTING):
        raise _refused(f"{name} must be plain")
    if described.get("type") not in {"string", "integer", "boolean"}:
        raise _refused(f"{name} must be a string, an integer or a boolean")
    is_secret, is_public = described.get("writeOnly") is True, described.get("x-public") is True
    if is_secret and (is_public or described["type"] != "string"):
        raise _refused(f"{name} is secret: it must be a string, and not public")
    if not (is_secret or is_public) and SECRET_WORDS & set(name.split("_")):
        raise _refused(f"{name} sounds like a secret: mark it writeOnly")
    patterns = described.get("x-patterns", {})
    if not isinstance(patterns, dict) or set(patterns) - set(ENVIRONMENTS):
        raise _refused(f"x-patterns of {name} is by sandbox and production")
    for pattern in [described.get("pattern", ""), *patterns.values()]:
        _require_pattern(name, pattern)


def _require_pattern(name: str, pattern: object) -> None:
    """Patterns are matched against what tenants send: none may be a trap."""
    if not isinstance(pattern, str) or len(pattern) > PATTERN_CHARACTERS_MAX or _REPEATED.search(pattern):
        raise _refused(f"a pattern of {name} is too long, or repeats a repetition")
    try:
        re.compile(pattern)
    except re.error as error:
        raise _refused(f"a pattern of {name} can't be read") from error


def _require_words(field: str, words: Collection[str], known: frozenset[str]) -> None:
    unknown = sorted(set(words) - known)
    if unknown or not words or len(set(words)) != len(words):
        raise InvalidInput(field, f"Choose from {', '.join(sorted(known))}, each once.")


def _is_bare(url: str) -> bool:
    parts = urlsplit(url)
    return not (parts.query or parts.fragment or "@" in parts.netloc)


def _split(url: str) -> SplitResult | None:
    try:
        return urlsplit(url)
    except ValueError:
        return None


def _refused(why: str) -> InvalidInput:
    return InvalidInput("configSchema", f"The configuration schema can't be used: {why}."[:500])
