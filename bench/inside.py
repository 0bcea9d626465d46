"""The benchmark as one more process of the system it measures: to set up what no API sets up in one go."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from unittest.mock import patch

from system import System, environment_of

from server.compose import Process, process
from server.settings import Settings

CONNECTIONS: Final = 2


@asynccontextmanager
async def inside(running: System) -> AsyncIterator[Process]:
    """With the settings of its server."""
    with patch.dict(os.environ, environment_of(running.pids()["server"])):
        settings = Settings()
    async with process(settings, connections=CONNECTIONS, name="hazina-bench") as here:
        yield here
