"""Thousands of GraphQL subscriptions from one process that costs the measured machine little.

    python bench/sockets.py < asks > tells

Each line of input is `Plan` as JSON; its sockets are opened and stay open until the input ends. Lines of
output are `open {n}` once every socket planned so far has its first event, and `{socket} {at} {status}`
for each event after the first, `at` in seconds of the machine's monotonic clock.

Source: RFC 6455; npm graphql-ws PROTOCOL.md.
"""

import asyncio
import resource
import struct
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from time import monotonic
from typing import Any, Final, cast

import orjson
import uvloop

SOCKETS_PER_ADDRESS: Final = 400
"""Below what the server allows one address; 127.0.0.2 and its neighbours are ours, too."""
OPENING_MAX: Final = 32
"""Sockets that are being opened at once."""
LINE_BYTES_MAX: Final = 4 * 2**20
SHORT_FRAME: Final = 126
LONG_FRAME: Final = 127
TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
FINAL: Final = 0x80
MASKED: Final = 0x80
NO_MASK: Final = b"\0\0\0\0"
"""A mask that changes nothing: a client has to send one."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Sockets to open."""

    host: str
    port: int
    path: str
    keys: list[str]
    """API keys, in turns."""
    query: str
    """A subscription with a variable `$id`, whose one field has a `status`."""
    ids: list[str]
    """What each socket watches."""


@dataclass(slots=True)
class Sockets:
    """The process that holds the sockets, as the benchmark sees it."""

    process: Process

    async def open(self, plan: Plan) -> int:
        """Open them, beside those that are open; gives how many are, once each has its first event."""
        assert self.process.stdin is not None  # noqa: S101 - it was asked for
        self.process.stdin.write(orjson.dumps(asdict(plan)) + b"\n")
        while True:
            words = await self.next_line()
            if words[0] == "open":
                return int(words[1])

    async def next_line(self) -> list[str]:
        assert self.process.stdout is not None  # noqa: S101 - it was asked for
        line = await self.process.stdout.readline()
        if not line:
            raise AssertionError("the process with the sockets has ended")
        return line.decode().split()


@asynccontextmanager
async def sockets() -> AsyncIterator[Sockets]:
    """The process, until the end of the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, stdin=PIPE, stdout=PIPE, limit=LINE_BYTES_MAX
    )
    try:
        yield Sockets(process)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


class Client(asyncio.Protocol):
    """One socket with one subscription."""

    __slots__ = ("_bytes", "_first", "_number", "_plan", "_transport", "_watched")

    def __init__(self, plan: Plan, number: int, watched: str, first: "asyncio.Future[None]") -> None:
        self._plan, self._number, self._watched = plan, number, watched
        self._first: asyncio.Future[None] | None = first
        self._bytes = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes.
        self._transport = cast("asyncio.Transport", transport)
        lines = (
            f"GET {self._plan.path} HTTP/1.1",
            f"Host: {self._plan.host}:{self._plan.port}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
            "Sec-WebSocket-Protocol: graphql-transport-ws",
        )
        self._transport.write("\r\n".join((*lines, "", "")).encode())

    def data_received(self, data: bytes) -> None:
        at = monotonic()
        self._bytes += data
        if self._bytes.startswith(b"HTTP"):
            head, end, rest = self._bytes.partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self._fail(head.decode())
            self._bytes = rest
            key = self._plan.keys[self._number % len(self._plan.keys)]
            self._send({"type": "connection_init", "payload": {"authorization": f"Bearer {key}"}})
        while (frame := self._frame()) is not None:
            self._take(*frame, at)

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(f"socket {self._number} was closed: {error}")

    def _frame(self) -> tuple[int, bytes] | None:
        """The next whole frame; a server's are not masked."""
        data = self._bytes
        if len(data) < 2:  # noqa: PLR2004 - the least a frame has
            return None
        length, begin = data[1], 2
        if length == SHORT_FRAME:
            length, begin = struct.unpack_from("!H", data, 2)[0] if len(data) > 3 else LINE_BYTES_MAX, 4  # noqa: PLR2004
        elif length == LONG_FRAME:
            length, begin = struct.unpack_from("!Q", data, 2)[0] if len(data) > 9 else LINE_BYTES_MAX, 10  # noqa: PLR2004
        if len(data) < begin + length:
            return None
        self._bytes = data[begin + length :]
        return data[0] & 0xF, data[begin : begin + length]

    def _take(self, kind: int, content: bytes, at: float) -> None:
        if kind == PING:
            self._write(PONG, content)
        elif kind == CLOSE:
            self._fail(f"socket {self._number} was closed: {content!r}")
        elif kind == TEXT:
            self._hear(orjson.loads(content), at)

    def _hear(self, message: dict[str, Any], at: float) -> None:
        match message["type"]:
            case "connection_ack":
                payload = {"query": self._plan.query, "variables": {"id": self._watched}}
                self._send({"id": "1", "type": "subscribe", "payload": payload})
            case "ping":
                self._send({"type": "pong"})
            case "next" if "errors" not in message["payload"]:
                if self._first is not None:
                    self._first.set_result(None)
                    self._first = None
                    return
                (told,) = message["payload"]["data"].values()
                tell(f"{self._number} {at:.6f} {told['status']}")
            case _:
                self._fail(f"socket {self._number} heard {message}")

    def _send(self, message: object) -> None:
        self._write(TEXT, orjson.dumps(message))

    def _write(self, kind: int, content: bytes) -> None:
        size = len(content)
        head = bytes((FINAL | kind, MASKED | size)) if size < SHORT_FRAME else b""
        head = head or struct.pack("!BBH", FINAL | kind, MASKED | SHORT_FRAME, size)
        self._transport.write(head + NO_MASK + content)

    def _fail(self, why: str) -> None:
        """One socket less is no measurement: the process ends, and the benchmark with it."""
        sys.stderr.write(f"{why}\n")
        asyncio.get_running_loop().stop()


def tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def serve() -> None:
    loop = asyncio.get_running_loop()
    asks = asyncio.StreamReader(limit=LINE_BYTES_MAX)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(asks), sys.stdin)
    opening, count = asyncio.Semaphore(OPENING_MAX), 0
    while line := await asks.readline():
        plan = Plan(**orjson.loads(line))
        async with asyncio.TaskGroup() as tasks:
            for watched in plan.ids:
                await opening.acquire()
                tasks.create_task(_open(plan, count, watched)).add_done_callback(lambda _: opening.release())
                count += 1
        tell(f"open {count}")


async def _open(plan: Plan, number: int, watched: str) -> None:
    loop = asyncio.get_running_loop()
    first = loop.create_future()
    address = f"127.0.0.{2 + number // SOCKETS_PER_ADDRESS}"
    await loop.create_connection(
        lambda: Client(plan, number, watched, first), plan.host, plan.port, local_addr=(address, 0)
    )
    await first


if __name__ == "__main__":
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    uvloop.run(serve())
