"""A client of a running Hazina over real HTTP, server-sent events and WebSockets."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import httpx
import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

PATIENCE_S: Final = 20.0
PROTOCOL: Final = Subprotocol("graphql-transport-ws")

Json = dict[str, Any]


class Api:
    """One endpoint; every answer is checked to be free of errors, unless `raw` is asked for."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self.url = url
        self.token = token
        self._http = httpx.AsyncClient(timeout=PATIENCE_S, trust_env=False)

    def signed_in(self, token: str) -> "Api":
        """The same endpoint, called by somebody else."""
        other = Api(self.url, token)
        other._http = self._http
        return other

    async def close(self) -> None:
        await self._http.aclose()

    async def raw(self, query: str, **variables: object) -> httpx.Response:
        return await self._http.post(
            self.url, json={"query": query, "variables": variables}, headers=self._headers()
        )

    async def ask(self, query: str, **variables: object) -> Json:
        """The data of a query or mutation."""
        response = await self.raw(query, **variables)
        body: Json = response.json()
        assert "errors" not in body, body
        data: Json = body["data"]
        return data

    async def do(self, field: str, fields: str, type_: str | None = None, **input: object) -> Json:
        """The member of the result's union that a mutation gave; `fields` are those of its success.

        `type_` is the input's type where it is not named for the field.
        """
        name = field[0].upper() + field[1:]
        query = (
            f"mutation($input: {type_ or name + 'Input'}!) {{ {field}(input: $input) {{ __typename"
            f" ... on {name}Success {{ {fields} }} ... on Error {{ code message }} }} }}"
        )
        data = await self.ask(query, input=input)
        member: Json = data[field]
        return member

    async def succeed(self, field: str, fields: str, type_: str | None = None, **input: object) -> Json:
        """As `do`, where nothing but success will do."""
        member = await self.do(field, fields, type_, **input)
        assert member["__typename"].endswith("Success"), member
        return member

    async def stream(self, query: str, **variables: object) -> AsyncGenerator[Json, None]:
        """The data of a subscription's events, over server-sent events."""
        headers = {**self._headers(), "Accept": "text/event-stream"}
        body = {"query": query, "variables": variables}
        async with self._http.stream("POST", self.url, json=body, headers=headers) as response:
            assert response.headers["content-type"].startswith("text/event-stream"), await response.aread()
            async for line in response.aiter_lines():
                if line.startswith("data: "):
                    event = orjson.loads(line.removeprefix("data: "))
                    assert "errors" not in event, event
                    yield event["data"]

    def _headers(self) -> Mapping[str, str]:
        return {} if self.token is None else {"Authorization": f"Bearer {self.token}"}


class Socket:
    """One WebSocket that speaks graphql-transport-ws."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self._ids = itertools.count(1)

    async def subscribe(self, query: str, **variables: object) -> str:
        """Start an operation; gives its id."""
        id_ = str(next(self._ids))
        payload = {"query": query, "variables": variables}
        await self._send({"id": id_, "type": "subscribe", "payload": payload})
        return id_

    async def event(self) -> Json:
        """The data of the next event of any operation."""
        message = await self._message()
        assert message["type"] == "next", message
        assert "errors" not in message["payload"], message
        data: Json = message["payload"]["data"]
        return data

    async def closed(self, within_s: float) -> tuple[int, str]:
        """Wait until the server closes it; gives the code and the reason."""
        async with asyncio.timeout(within_s):
            with suppress(ConnectionClosed):
                while True:
                    await self.connection.recv()
        return self.connection.close_code or 0, self.connection.close_reason or ""

    async def _message(self) -> Json:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                message: Json = orjson.loads(await self.connection.recv())
                if message["type"] == "ping":
                    await self._send({"type": "pong"})
                else:
                    return message

    async def _send(self, message: Json) -> None:
        await self.connection.send(orjson.dumps(message).decode())

    async def begin(self, token: str) -> None:
        """Say who calls, and wait until that is accepted."""
        await self._send({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}})
        assert (await self._message())["type"] == "connection_ack"


@asynccontextmanager
async def socket(url: str, token: str) -> AsyncIterator[Socket]:
    """A socket whose caller is known."""
    async with connect(url, subprotocols=[PROTOCOL], proxy=None) as connection:
        opened = Socket(connection)
        await opened.begin(token)
        yield opened
