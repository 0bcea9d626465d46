"""Starts launcher.py as a process of its own, and watches what it leaves behind."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import asyncpg

from server.embedded_places import short_folder
from server.embedded_roles import MAINTENANCE_DATABASE, MIGRATOR_ROLE

ROOT: Final = Path(__file__).parents[2]
LAUNCHER: Final = Path(__file__).with_name("launcher.py")
PATIENCE_S: Final = 60


class Launched:
    """A launcher that runs, and its data directory."""

    def __init__(self, data_dir: Path, process: asyncio.subprocess.Process) -> None:
        self.data_dir = data_dir
        self.process = process
        self.said: list[str] = []
        self.socket_dir = Path()

    async def says(self, part: str) -> str:
        """Wait for a line that has `part` in it."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            while line := (await self.process.stdout.readline()).decode():
                self.said.append(line.rstrip())
                if part in line:
                    return line.rstrip()
        raise AssertionError(f"it never said {part!r}, but: {self.said}")

    async def up(self) -> "Launched":
        """Wait until PostgreSQL and Redis serve."""
        self.socket_dir = Path((await self.says("up /")).removeprefix("up "))
        return self

    async def ends(self) -> tuple[int, str]:
        """Wait for its end: the exit status, and all it said."""
        async with asyncio.timeout(PATIENCE_S):
            rest, _ = await self.process.communicate()
        self.said += rest.decode().splitlines()
        assert self.process.returncode is not None
        return self.process.returncode, "\n".join(self.said)

    async def connect(self) -> asyncpg.Connection:
        return await asyncpg.connect(
            host=str(self.socket_dir), port=5432, user=MIGRATOR_ROLE, database=MAINTENANCE_DATABASE
        )


@asynccontextmanager
async def launched(data_dir: Path, through: Sequence[str] = ()) -> AsyncIterator[Launched]:
    """Start the launcher, by way of the command `through` if one is given."""
    process = await asyncio.create_subprocess_exec(
        # Whoever runs the tests with nohup has every signal of a closed terminal ignored.
        *("env", "--default-signal=HUP"),
        *through,
        sys.executable,
        str(LAUNCHER),
        str(data_dir),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd="/",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    launch = Launched(data_dir, process)
    try:
        yield launch
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        await launch.ends()
        remove_short_folders(data_dir)


def remove_short_folders(data_dir: Path) -> None:
    """Remove what a long or unreachable data directory needed for its sockets."""
    for service in ("postgres", "redis"):
        with suppress(FileNotFoundError):
            short_folder(data_dir / "run" / service).rmdir()


def working_in(folder: Path) -> set[int]:
    """The processes whose working directory is in `folder`: each of PostgreSQL's, and Redis."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").readlink().is_relative_to(folder):
                found.add(int(process.name))
    return found


async def ended(pids: set[int], within_s: float) -> None:
    """Wait until none of them runs; raises TimeoutError."""
    async with asyncio.timeout(within_s), asyncio.TaskGroup() as group:
        for pid in pids:
            group.create_task(_ended(pid))


async def _ended(pid: int) -> None:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop = asyncio.get_running_loop()
    gone = asyncio.Event()
    loop.add_reader(handle, gone.set)
    try:
        await gone.wait()
    finally:
        loop.remove_reader(handle)
        os.close(handle)
