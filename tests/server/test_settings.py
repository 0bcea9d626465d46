"""Settings that are for development only are refused elsewhere."""

from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from server.settings import Settings

KEY = Path("/etc/hazina/master.key")


@pytest.mark.parametrize("environment", ["sandbox", "production"])
@pytest.mark.parametrize("unsafe", [{"registration": "open"}, {"sandbox_url": "http://127.0.0.1:8001"}])
def test_what_is_for_development_is_refused_elsewhere(environment: Any, unsafe: dict[str, Any]) -> None:  # noqa: ANN401 - a case
    with pytest.raises(ValidationError, match="for development"):
        Settings(environment=environment, master_key_file=KEY, **unsafe)

    assert Settings(environment="development", **unsafe).environment == "development"


def test_production_needs_a_master_key_of_its_own() -> None:
    with pytest.raises(ValidationError, match="MASTER_KEY_FILE"):
        Settings(environment="production")
    assert Settings(environment="production", master_key_file=KEY).policy.registration == "approval"


def test_a_proxy_that_ends_tls_must_be_known() -> None:
    given: dict[str, Any] = {"environment": "production", "master_key_file": KEY}

    with pytest.raises(ValidationError, match="TRUSTED_PROXIES"):
        Settings(public_url="https://pay.example.com", **given)
    with_proxy = Settings(
        public_url="https://pay.example.com", trusted_proxies=[IPv4Network("10.0.0.1/32")], **given
    )
    assert with_proxy.base_url == "https://pay.example.com"
