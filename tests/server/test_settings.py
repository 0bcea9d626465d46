"""Settings that are for development only are refused elsewhere."""

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
