"""The settings that use cases read."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings that use cases read. `server.settings` fills it from the environment."""

    environment: str = "development"
    """`development`, `sandbox` or `production`."""
    registration: str = "open"
    """`open`, `invite` or `approval`."""
    tenants_per_user_max: int = 5
    provisioning_concurrency_max: int = 3
    public_url: str = "http://127.0.0.1:8000"
    """Where providers and e-mail links reach us."""
