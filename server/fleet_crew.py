"""The processes that upgrade a fleet, seen from the one that leads them."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from server.fleet_worker import Assignment

END_TIMEOUT_S: Final = 30.0
_ROOT: Final = Path(__file__).resolve().parent.parent

Event = Mapping[str, Any]


@dataclass(slots=True)
class Worker:
    """One process, and what it is at."""

    process: asyncio.subprocess.Process
    at: Event | None = None
    """Its last `begun`, until it tells how that ended."""
    is_alive: bool = True


class Crew:
    """Processes that upgrade one tenant each at a time."""

    def __init__(self, workers: Sequence[Worker]) -> None:
        self._workers = workers
        self._events: asyncio.Queue[tuple[Worker, Event]] = asyncio.Queue()
        self._readers = [asyncio.create_task(self._read(worker)) for worker in workers]

    async def wave(self, number: int) -> AsyncIterator[Event]:
        """Have the tenants up to this wave upgraded; gives the events `done`, `failed` and `lost`.

        `lost` is a process that died; it names the item it was at, if it was at one.
        """
        busy = [worker for worker in self._workers if worker.is_alive]
        for worker in busy:
            _tell(worker, f"{number}\n".encode())
        while busy:
            worker, event = await self._events.get()
            if event["event"] in {"idle", "lost"} and worker in busy:
                busy.remove(worker)
            if event["event"] in {"done", "failed"} or "item" in event:
                yield event

    @property
    def is_lost(self) -> bool:
        """Whether no process is left."""
        return not any(worker.is_alive for worker in self._workers)

    async def end(self) -> None:
        """Let each finish the tenant it is at, and wait until all are gone."""
        for worker in self._workers:
            if worker.process.stdin is not None:
                worker.process.stdin.close()
        await asyncio.gather(*(_ended(worker) for worker in self._workers))
        await asyncio.gather(*self._readers)

    async def _read(self, worker: Worker) -> None:
        output = worker.process.stdout
        while output is not None and (line := await output.readline()):
            event = json.loads(line)
            worker.at = event if event["event"] == "begun" else None
            if worker.at is None:
                self._events.put_nowait((worker, event))
        worker.is_alive = False
        self._events.put_nowait((worker, {**(worker.at or {}), "event": "lost"}))


@asynccontextmanager
async def crew(processes: int, assignment: Assignment) -> AsyncIterator[Crew]:
    """Start so many processes; at the end of the block each finishes what it is at and ends."""
    workers = [await _start(assignment) for _ in range(processes)]
    led = Crew(workers)
    try:
        yield led
    finally:
        await led.end()


async def _start(assignment: Assignment) -> Worker:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "server.fleet_worker",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
    )
    worker = Worker(process)
    _tell(worker, assignment.line())
    return worker


def _tell(worker: Worker, line: bytes) -> None:
    if worker.process.stdin is not None and not worker.process.stdin.is_closing():
        worker.process.stdin.write(line)


async def _ended(worker: Worker) -> None:
    try:
        async with asyncio.timeout(END_TIMEOUT_S):
            await worker.process.wait()
    except TimeoutError:
        worker.process.kill()
        await worker.process.wait()
