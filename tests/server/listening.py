"""An application on a real port, for what needs real sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp


@asynccontextmanager
async def listening(application: ASGIApp) -> AsyncIterator[str]:
    """Serve until the block ends; gives the host and port."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        # From here on clients wait in the queue until the server accepts.
        taken.listen()
        config = uvicorn.Config(
            application,
            log_level="error",
            lifespan="off",
            ws="websockets-sansio",
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[taken]))
        try:
            yield f"127.0.0.1:{taken.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving
