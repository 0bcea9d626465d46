"""Sends what providers send, over kept connections: several times what a general HTTP client carries."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import SplitResult, urlsplit

import httptools
import orjson

KEPT_S: Final = 2.0
"""How long an unused connection is used again: servers close theirs after five seconds or more."""
JSON: Final[Mapping[str, str]] = {"content-type": "application/json"}

Place = tuple[str, str, int]
"""Scheme, host and port."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: bytes


class Unanswered(Exception):
    """No whole answer came; what was sent may have arrived. Its text is one word."""


class Poster:
    """Posts once, whatever comes of it."""

    def __init__(self, timeout_s: float) -> None:
        """`timeout_s` is of one whole call, from connecting to the end of the answer."""
        self._timeout_s = timeout_s
        self._idle: dict[Place, list[_Connection]] = {}

    async def post_json(self, url: str, body: Mapping[str, Any], *, timeout_s: float | None = None) -> Answer:
        """Raises Unanswered."""
        return await self.post(url, orjson.dumps(body), JSON, timeout_s=timeout_s)

    async def post(
        self, url: str, content: bytes, headers: Mapping[str, str], *, timeout_s: float | None = None
    ) -> Answer:
        """Send these bytes as they are.

        Raises:
            Unanswered: nobody is there, or no whole answer came in time.
        """
        try:
            async with asyncio.timeout(self._timeout_s if timeout_s is None else timeout_s):
                return await self._send(urlsplit(url), content, headers)
        except (OSError, ValueError, TimeoutError, httptools.HttpParserError) as error:
            raise Unanswered(type(error).__name__) from error

    async def close(self) -> None:
        """Let go of the connections that wait."""
        for connections in self._idle.values():
            for connection in connections:
                connection.close()
        self._idle.clear()

    async def _send(self, url: SplitResult, content: bytes, headers: Mapping[str, str]) -> Answer:
        place = (url.scheme, url.hostname or "", url.port or (443 if url.scheme == "https" else 80))
        connection = self._kept(place) or await _connect(place)
        try:
            answer = await connection.ask(_head(url, content, headers) + content)
        except BaseException:
            # Whatever comes on it now would be taken for the next answer.
            connection.close()
            raise
        if connection.is_kept:
            self._idle.setdefault(place, []).append(connection)
        else:
            connection.close()
        return answer

    def _kept(self, place: Place) -> "_Connection | None":
        waiting = self._idle.get(place, [])
        while waiting:
            connection = waiting.pop()
            if connection.is_usable:
                return connection
            connection.close()
        return None


class _Connection(asyncio.Protocol):
    """One connection: one request, then its answer, then the next."""

    def __init__(self) -> None:
        self._now = asyncio.get_running_loop().time
        self._answer: asyncio.Future[Answer] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._body = b""
        self._used_at = 0.0
        self._is_lost = False
        self.is_kept = False
        """Whether the server keeps it after this answer."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are of no class of asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    @property
    def is_usable(self) -> bool:
        return not self._is_lost and self._now() - self._used_at < KEPT_S

    async def ask(self, request: bytes) -> Answer:
        """Raises OSError, HttpParserError."""
        self._answer, self._body = asyncio.get_running_loop().create_future(), b""
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(error)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self._used_at, self.is_kept = self._now(), self._parser.should_keep_alive()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(Answer(self._parser.get_status_code(), self._body))

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_lost = True
        self._fail(exc or ConnectionResetError())

    def _fail(self, error: Exception) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)


async def _connect(place: Place) -> _Connection:
    scheme, host, port = place
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(_Connection, host, port, ssl=scheme == "https" or None)
    return connection


def _head(url: SplitResult, content: bytes, headers: Mapping[str, str]) -> bytes:
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    lines = [
        f"POST {target} HTTP/1.1",
        f"host: {url.netloc}",
        *(f"{name}: {value}" for name, value in headers.items()),
        f"content-length: {len(content)}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
