"""The whole system as a user starts it: `hazina up` in a process of its own."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

READY_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 60.0


@dataclass(slots=True)
class Running:
    """A running `hazina up` and what it said."""

    process: asyncio.subprocess.Process
    data_dir: Path
    port: int
    lines: list[str]

    @property
    def demo(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.data_dir / "demo.json").read_text())
        return found

    def service(self, name: str) -> str:
        """A setting that operators' commands read, such as HAZINA_REDIS_URL."""
        text = (self.data_dir / "services.env").read_text()
        return dict(line.split("=", 1) for line in text.splitlines())[name]

    async def line(self, start: str) -> str:
        """The first line that starts so, now or later."""
        for line in self.lines:
            if line.startswith(start):
                return line
        async with asyncio.timeout(READY_TIMEOUT_S):
            while True:
                line = await self._next()
                if line.startswith(start):
                    return line

    async def next_line(self, start: str) -> str:
        """The first line that starts so and was not waited for yet."""
        while True:
            async with asyncio.timeout(READY_TIMEOUT_S):
                line = await self._next()
            if line.startswith(start):
                return line

    async def stop(self) -> int:
        """Ctrl-C, and wait for the end; gives the exit status."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(STOP_TIMEOUT_S):
            return await self.process.wait()

    async def _next(self) -> str:
        assert self.process.stdout is not None
        raw = await self.process.stdout.readline()
        if not raw:
            raise AssertionError(f"hazina up ended early: {self.lines}")
        self.lines.append(raw.decode().rstrip("\n"))
        return self.lines[-1]


@asynccontextmanager
async def hazina_up(
    data_dir: Path, *arguments: str, port: int | None = None, through: Sequence[str] = ()
) -> AsyncIterator[Running]:
    """`hazina up` on free ports, by way of a command if one is given; stopped at the end of the block."""
    port = port or free_ports()
    process = await asyncio.create_subprocess_exec(
        *through,
        *(sys.executable, "-m", "server.cli", "up", "--data-dir", str(data_dir), "--port", str(port)),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if not name.startswith("HAZINA_")},
    )
    running = Running(process, data_dir, port, [])
    try:
        yield running
    finally:
        await running.stop()


def free_ports() -> int:
    """The first of four free ports in a row that no other process of this run is given, now or later."""
    for port in _PORTS:
        if all(_is_free(port + more) for more in range(PORTS_IN_A_ROW)):
            return port
    raise AssertionError("no four free ports in a row")


def _own_ports() -> Iterator[int]:
    """A range for each process of a split run, below the range that the kernel gives to clients.

    Each port is offered once: between the check and its use another start could take it.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    start = FIRST_PORT + int(worker.removeprefix("gw")) % WORKERS_MAX * PORTS_EACH
    offset = os.getpid() % (PORTS_EACH // PORTS_IN_A_ROW // 2) * PORTS_IN_A_ROW
    yield from range(start + offset, start + PORTS_EACH, PORTS_IN_A_ROW)


FIRST_PORT = 20_000
PORTS_EACH = 3_000
PORTS_IN_A_ROW = 4
WORKERS_MAX = 4
_PORTS = _own_ports()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
