"""A small HTTP client with kept connections: it costs the measured machine as little as it can."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

import orjson

CONNECTIONS_MAX: Final = 256
ANSWER_BYTES_MAX: Final = 4 * 2**20


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; the names of headers are in lower case."""

    status: int
    headers: Mapping[bytes, bytes]
    body: bytes

    @property
    def is_full(self) -> bool:
        """Whether the server had no connection to give: what it says when it, or its machine, stalls."""
        return b'"code":"CAPACITY"' in self.body

    def data(self) -> dict[str, Any]:
        """The data of a GraphQL answer; raises AssertionError where it has errors."""
        found = orjson.loads(self.body)
        if self.status != 200 or "errors" in found:  # noqa: PLR2004 - OK
            raise AssertionError(f"{self.status}: {self.body[:500]!r}")
        data: dict[str, Any] = found["data"]
        return data


class Caller:
    """Posts JSON to one URL, over as many connections as there are requests at once."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname, parts.port
        self._lines = [f"host: {parts.netloc}", *(f"{name}: {value}" for name, value in headers.items())]
        self._head = "\r\n".join([f"POST {parts.path} HTTP/1.1", *self._lines])
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def post(self, content: object) -> Answer:
        """Send it and read the whole answer."""
        return await self._send(self._head, orjson.dumps(content))

    async def post_to(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """The same for bytes that may not be changed, to another path, with headers beside its own."""
        lines = [f"{name}: {value}" for name, value in headers.items()]
        return await self._send("\r\n".join([f"POST {path} HTTP/1.1", *self._lines, *lines]), body)

    async def _send(self, head: str, body: bytes) -> Answer:
        reader, writer = await self._connection()
        writer.write(f"{head}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
        answer = await _answer(reader)
        self._idle.append((reader, writer))
        return answer

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            reader, writer = self._idle.pop()
            # The server ends what has been idle for long.
            if not reader.at_eof():
                return reader, writer
            writer.close()
        return await self._connect()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self._host, self._port, limit=ANSWER_BYTES_MAX)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for _, writer in self._idle:
            writer.close()


async def _answer(reader: asyncio.StreamReader) -> Answer:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head[:-4].split(b"\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(b": ") for line in lines)}
    body = await reader.readexactly(int(headers.get(b"content-length", b"0")))
    return Answer(int(first.split()[1]), headers, body)
