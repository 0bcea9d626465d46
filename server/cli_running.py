"""Runs one operator's command against the platform that the settings name."""

import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import uvloop

from core.errors import DomainError
from server.settings import Settings
from tenancy.errors import TenantUnavailable

if TYPE_CHECKING:
    from server.compose import Process

Result = TypeVar("Result")

SERVICES_FILE = "services.env"
"""In the data directory: where `hazina up` says how to reach what it started."""


def operating_settings() -> Settings:
    """The settings, or those of the `hazina up` that runs in the data directory."""
    from server.cli import read_settings  # noqa: PLC0415 - it mounts this module's commands

    settings = read_settings()
    services = settings.data_dir / SERVICES_FILE
    if settings.database_url is None and services.exists():
        return Settings(_env_file=services)  # type: ignore[call-arg] # pydantic-settings takes it
    return settings


def operate(deed: "Callable[[Process], Awaitable[Result]]") -> Result:
    """Do one thing with the platform put together, and end as `finish` does."""
    from server.compose import process  # noqa: PLC0415 - starts are quick

    async def done() -> Result:
        async with process(operating_settings(), connections=1, name="hazina-cli") as here:
            return await deed(here)

    return finish(done())


def finish(deed: Coroutine[Any, Any, Result]) -> Result:
    """Run it, and end with one line that says why it can't be done."""
    try:
        return uvloop.run(deed)
    except TenantUnavailable:
        sys.exit("PostgreSQL did not answer. Is the platform running?")
    except DomainError as refusal:
        sys.exit(refusal.message)
    except OSError as outage:
        sys.exit(f"PostgreSQL or Redis did not answer: {outage}. Is the platform running?")
