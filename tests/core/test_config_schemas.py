"""A tenant's values held against a provider's configuration schema."""

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.config_schemas import public_names, secret_names, violations

SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["secret_key", "merchant"],
    "properties": {
        "secret_key": {
            "type": "string",
            "description": "Of the dashboard.",
            "writeOnly": True,
            "minLength": 8,
            "maxLength": 50,
            "pattern": "^sk_",
            "x-patterns": {"sandbox": "^sk_test_", "production": "^sk_live_"},
        },
        "public_key": {"type": "string", "x-public": True},
        "merchant": {"type": "integer", "minimum": 1},
        "network": {"type": "string", "enum": ["celo", "base"]},
    },
}
GOOD: Final = {"secret_key": "sk_test_abcdef", "merchant": 7}


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({}, []),
        ({"secret_key": "sk_live_abcdef"}, ["secret_key"]),
        ({"secret_key": "pk_test_abcdef"}, ["secret_key"]),
        ({"secret_key": ""}, ["secret_key"]),
        ({"secret_key": "sk_test_" + "a" * 50}, ["secret_key"]),
        ({"secret_key": 7}, ["secret_key"]),
        ({"secret_key": None}, ["secret_key"]),
        ({"secret_key": "sk_test_\x00abc"}, ["secret_key"]),
        ({"merchant": 0}, ["merchant"]),
        ({"merchant": "7"}, ["merchant"]),
        ({"network": "ether"}, ["network"]),
        ({"webhook": "a", "other": 1}, ["other", "webhook"]),
        ({"merchant": 0, "network": "ether", "more": 1}, ["merchant", "more", "network"]),
        ({"public_key": {"a": ["b"]}}, ["public_key"]),
    ],
)
def test_each_value_that_does_not_fit_is_named(changes: dict[str, object], fields: list[str]) -> None:
    found = violations(SCHEMA, "sandbox", {**GOOD, **changes})

    assert [violation.field for violation in found] == fields


def test_what_is_missing_is_named_unless_it_is_stored_already() -> None:
    assert [found.field for found in violations(SCHEMA, "sandbox", {})] == ["merchant", "secret_key"]
    assert violations(SCHEMA, "sandbox", {}, present=frozenset({"merchant", "secret_key"})) == []


def test_a_key_of_the_other_environment_does_not_fit() -> None:
    live = {**GOOD, "secret_key": "sk_live_abcdef"}

    assert violations(SCHEMA, "production", live) == []
    assert [found.field for found in violations(SCHEMA, "production", GOOD)] == ["secret_key"]


@given(
    st.dictionaries(
        st.sampled_from(["secret_key", "public_key", "merchant", "network", "odd"]),
        st.one_of(st.text(min_size=12), st.integers(10**12), st.booleans(), st.lists(st.text(min_size=12))),
    )
)
def test_no_message_repeats_a_value(values: dict[str, object]) -> None:
    for violation in violations(SCHEMA, "sandbox", values):
        told = f"{violation.field} {violation.message}"
        for value in values.values():
            texts = value if isinstance(value, list) else [str(value)]
            assert not any(text in told for text in texts if len(text) >= 12)


def test_what_is_secret_is_never_public() -> None:
    both = {"properties": {"a_key": {"writeOnly": True, "x-public": True}, "b_key": {"x-public": True}}}

    assert secret_names(both) == {"a_key"}
    assert public_names(both) == {"b_key"}
    assert public_names(SCHEMA) == {"public_key"}
