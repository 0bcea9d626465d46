"""A client of graphql-transport-ws that does what it is told, right or wrong."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from schema.operations import Serving
from server.view import ViewOptions
from tests.schema.toy import ToyContext
from tests.server.listening import listening
from tests.server.toy_app import Callers, toy_application

PROTOCOL: Final = Subprotocol("graphql-transport-ws")
QUICK: Final = ViewOptions(recheck_s=0.02, init_wait_s=0.2)
INIT: Final[dict[str, Any]] = {"type": "connection_init", "payload": {"authorization": "Bearer toy"}}


class Client:
    """One socket, in JSON."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def send(self, message: object) -> None:
        await self._socket.send(orjson.dumps(message).decode())

    async def send_raw(self, frame: str | bytes) -> None:
        await self._socket.send(frame)

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(5):
            frame = await self._socket.recv()
        assert isinstance(frame, str), "a binary frame kills the client"
        message: dict[str, Any] = orjson.loads(frame)
        return message

    async def init(self) -> None:
        await self.send(INIT)
        assert (await self.next())["type"] == "connection_ack"

    async def subscribe(self, query: str, id_: str = "1", **payload: object) -> None:
        await self.send({"type": "subscribe", "id": id_, "payload": {"query": query, **payload}})

    async def closed(self) -> tuple[int, str]:
        """Wait for the close frame, past whatever comes before it."""
        async with asyncio.timeout(5):
            with suppress(ConnectionClosed):
                while True:
                    await self._socket.recv()
        return self._socket.close_code or 0, self._socket.close_reason or ""


@asynccontextmanager
async def connected(
    callers: Callers,
    options: ViewOptions = QUICK,
    serving: Serving[ToyContext] | None = None,
    **how: Any,  # noqa: ANN401 - of websockets
) -> AsyncIterator[Client]:
    async with (
        listening(toy_application(callers, serving, options)) as address,
        connect(f"ws://{address}/graphql", **{"subprotocols": [PROTOCOL], **how}) as socket,
    ):
        yield Client(socket)
