"""What may stand in the catalog."""

from typing import Any, Final

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.config_schemas import public_names, secret_names
from core.currency import Currency
from core.errors import InvalidInput
from core.money import Money
from core.offers import CurrencyLimits
from integrations.account import Integration
from integrations.registry import BUILT_IN
from owner_db.catalog import rules
from owner_db.catalog.seeding import RELEASES, shipped_before

NAMES: Final = st.from_regex(r"[a-z][a-z0-9_]{1,10}", fullmatch=True)
TEXT: Final = {"type": "string"}


def schema(properties: dict[str, Any] | None = None, **more: object) -> dict[str, Any]:
    return {
        "$schema": rules.DIALECT,
        "type": "object",
        "additionalProperties": False,
        "properties": properties or {},
        **more,
    }


@pytest.mark.parametrize(
    "bad",
    [
        {},
        {"type": "object"},
        schema({"a_name": {"type": "nonsense"}}),
        schema({"a_name": {"type": "object"}}),
        schema({"a_name": {"type": "array", "items": TEXT}}),
        schema({"a_name": True}),
        schema({"A-name": TEXT}),
        schema({"a_name": TEXT}, required=["other"]),
        schema({"a_name": TEXT}, allOf=[{"required": ["a_name"]}]),
        schema({"a_name": TEXT}, **{"$ref": "https://example.com/schema"}),
        schema({"a_name": {"$ref": "#/properties/other"}}),
        schema({"a_name": TEXT}, **{"$schema": "http://json-schema.org/draft-07/schema#"}),
        schema({"a_name": TEXT}, additionalProperties=True),
        schema({"hook_token": {**TEXT, "writeOnly": True}}),
        schema({"client_secret": TEXT}),
        schema({"private_key": TEXT}),
        schema({"secret_key": {**TEXT, "writeOnly": True, "x-public": True}}),
        schema({"secret_pin": {"type": "integer", "writeOnly": True}}),
        schema({"a_name": {**TEXT, "pattern": "(a+)+$"}}),
        schema({"a_name": {**TEXT, "pattern": "("}}),
        schema({"a_name": {**TEXT, "x-patterns": {"anywhere": "^a"}}}),
        schema({"a_name": {**TEXT, "x-patterns": ["^a"]}}),
        schema({f"a_name_{number}": TEXT for number in range(rules.SCHEMA_PROPERTIES_MAX + 1)}),
    ],
)
def test_a_schema_that_could_leak_or_not_be_followed_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as refused:
        rules.require_config_schema(bad)

    assert refused.value.field == "configSchema"


@given(st.dictionaries(NAMES, st.tuples(st.booleans(), st.booleans()), max_size=8))
def test_what_is_accepted_is_a_schema_whose_secrets_are_never_public(
    described: dict[str, tuple[bool, bool]],
) -> None:
    properties = {
        name: {**TEXT, "writeOnly": is_secret, "x-public": is_public}
        for name, (is_secret, is_public) in described.items()
    }
    tried = schema(properties)
    try:
        rules.require_config_schema(tried)
    except InvalidInput:
        assert any(
            (is_secret and is_public) or rules.SECRET_WORDS & set(name.split("_")) or name in rules.RESERVED
            for name, (is_secret, is_public) in described.items()
        )
    else:
        jsonschema.Draft202012Validator.check_schema(tried)
        assert not secret_names(tried) & public_names(tried)
        assert secret_names(tried) == {name for name, (is_secret, _) in described.items() if is_secret}


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "https://user:pass@example.com",
        "https://example.com/?a=b",
        "https://example.com/#a",
        "https://",
        "http://[::1",
        "http://169.254.169.254",
        "file:///etc/passwd",
    ],
)
def test_calls_are_sent_to_plain_https_addresses_alone(url: str) -> None:
    with pytest.raises(InvalidInput):
        rules.require_base_url("apiBaseUrl", url)


@pytest.mark.parametrize(
    "url", ["https://api.example.com/v3", "http://127.0.0.1:8001/stripe", "http://[::1]:1"]
)
def test_https_and_this_machine_serve(url: str) -> None:
    rules.require_base_url("apiBaseUrl", url)


@pytest.mark.parametrize(
    "url", ["http://example.com/a.svg", "javascript:alert(1)", "https://", "data:text/html,a"]
)
def test_what_people_are_shown_is_https(url: str) -> None:
    with pytest.raises(InvalidInput):
        rules.require_public_url("logoUrl", url)


@pytest.mark.parametrize(
    "settings",
    [{"poll_ladder_s": [10, 5]}, {"poll_ladder_s": []}, {"poll_ladder_s": [0]}, {"a": "a" * 20_001}],
)
def test_settings_that_jobs_could_not_follow_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        rules.require_settings(settings)


@pytest.mark.parametrize(("amount", "fee"), [(10_000, 230), (50, 31), (51, 32), (30, 30), (1, 1)])
def test_a_published_fee_is_rounded_up_and_never_more_than_the_amount(amount: int, fee: int) -> None:
    limits = CurrencyLimits(1, None, fee_bps=200, fee_fixed_minor=30)

    assert limits.fee_of(Money(amount, Currency.USD)) == Money(fee, Currency.USD)


@pytest.mark.parametrize("integration", BUILT_IN, ids=lambda integration: integration.code)
def test_the_catalog_says_of_a_built_in_provider_what_its_adapter_can_do(integration: Integration) -> None:
    shipped = shipped_before(f"{max(path.stem for path in RELEASES.glob('*.json'))}~")[integration.code]

    told = set(shipped["features"]) - {"payout"}
    assert told == {feature.value for feature in integration.features}
    assert public_names(shipped["config_schema"]) == set(integration.public_details)
    rules.require_config_schema(shipped["config_schema"])
