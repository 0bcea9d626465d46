"""One supervised program, and the process it is now."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from io import BufferedWriter
from pathlib import Path
from time import monotonic
from typing import Final

from server.startup_errors import CannotStart, ChildFailed

READY_POLL_S: Final = 0.03
READY_TIMEOUT_S: Final = 30.0
STOP_TIMEOUT_S: Final = 10.0
HEALTHY_AFTER_S: Final = 2.0
"""A child that served this long did not die of its own start."""
QUICK_FAILURES_MAX: Final = 7
"""In a row; with the pauses below they span about ten seconds."""
PAUSE_FIRST_S: Final = 0.1
PAUSE_MAX_S: Final = 4.0
LAST_LINES: Final = 15
LAST_BYTES_MAX: Final = 64_000
LOG_BYTES_MAX: Final = 10_000_000
"""A log longer than this is set aside at the next start, in place of the one set aside before."""

_SHIM: Final = Path(__file__).with_name("supervised.py")


def _nothing_known(_log: str) -> CannotStart | None:
    return None


@dataclass(frozen=True, slots=True)
class Child:
    """One program in the foreground."""

    name: str
    argv: Sequence[str]
    """The program's full path first."""
    log_path: Path
    ready: Callable[[], Awaitable[bool]]
    """Asked again and again until it says yes; raises nothing."""
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    cwd: Path | None = None
    user: tuple[int, int] | None = None
    """uid and gid to run as; None keeps the launcher's."""
    stop_signal: signal.Signals = signal.SIGTERM
    parent_death_signal: signal.Signals = signal.SIGKILL
    """What the kernel sends when the launcher is killed. Five seconds later nothing may run, and a
    worker that finishes its work politely may wait longer than that on a provider. Killing it is
    safe: what it had not committed is still in the outbox."""
    ready_timeout_s: float = READY_TIMEOUT_S
    stop_timeout_s: float = STOP_TIMEOUT_S
    explain: Callable[[str], CannotStart | None] = _nothing_known
    """Reads the end of the log of a start that failed; an answer means that trying again is useless."""


class RunningChild:
    """A child and the process it is now."""

    def __init__(self, child: Child) -> None:
        self.child = child
        self.keeper: asyncio.Task[None] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._log_offset = 0
        self._quick_failures = 0
        self._ready_at: float | None = None

    async def try_start(self) -> str | None:
        """Start once; gives None when it is ready, else how it failed."""
        self._ready_at = None
        process = await self._spawned()
        deadline = monotonic() + self.child.ready_timeout_s
        while process.returncode is None:
            if await self.child.ready():
                self._ready_at = monotonic()
                return None
            if monotonic() > deadline:
                await self.stop()
                return f"was not ready after {self.child.ready_timeout_s:g} s"
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), READY_POLL_S)
        return _how(process.returncode)

    async def died(self) -> str:
        """Wait for the death of what `try_start` started; gives how it died."""
        if self._process is None:
            raise ValueError(f"{self.child.name} was never started")
        return _how(await self._process.wait())

    def judge(self, how: str) -> CannotStart | None:
        """Count a death; gives the reason to give up, if there is one."""
        if self._ready_at is not None and monotonic() - self._ready_at >= HEALTHY_AFTER_S:
            self._quick_failures = 0
        self._quick_failures += 1
        log = self._end_of_log()
        # What a child wrote while it served does not explain why it can't start.
        explained = self.child.explain(log) if self._ready_at is None else None
        if explained is not None:
            return explained
        if self._quick_failures < QUICK_FAILURES_MAX:
            return None
        last_lines = "\n".join(log.splitlines()[-LAST_LINES:])
        return ChildFailed(self.child.name, how, self.child.log_path, last_lines)

    def pause_s(self) -> float:
        return float(min(PAUSE_MAX_S, PAUSE_FIRST_S * 2 ** (self._quick_failures - 1)))

    async def stop(self) -> None:
        """Ask it to stop, and kill it when it does not."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(self.child.stop_signal)
        try:
            await asyncio.wait_for(process.wait(), self.child.stop_timeout_s)
        except TimeoutError:
            self.kill()
            await process.wait()

    def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def _spawned(self) -> asyncio.subprocess.Process:
        """Start the process, and know it even when cancelled meanwhile: `stop` must find it."""
        spawning = asyncio.ensure_future(self._spawn())
        try:
            self._process = await asyncio.shield(spawning)
        except asyncio.CancelledError:
            self._process = await spawning
            raise
        except OSError as error:
            raise CannotStart(f"{self.child.name} can't be started: {error}") from error
        return self._process

    async def _spawn(self) -> asyncio.subprocess.Process:
        argv = bound_to_us(self.child.argv, self.child.parent_death_signal, self.child.user)
        with _opened_log(self.child.log_path) as log:
            self._log_offset = log.tell()
            # A session of its own: Ctrl-C in a terminal reaches the launcher alone, which keeps the order.
            return await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(self.child.env),
                cwd=self.child.cwd,
                start_new_session=True,
            )

    def _end_of_log(self) -> str:
        """What the log got since the last start, as far as it matters."""
        with self.child.log_path.open("rb") as log:
            length = log.seek(0, os.SEEK_END)
            log.seek(max(self._log_offset, length - LAST_BYTES_MAX))
            return log.read().decode(errors="replace")


def bound_to_us(
    argv: Sequence[str], death_signal: signal.Signals, user: tuple[int, int] | None = None
) -> list[str]:
    """The command line that runs `argv` such that it dies with this process, as `user` (uid, gid)."""
    uid, gid = user or (-1, -1)
    # Isolated and without site-packages: a bare interpreter costs 10 ms.
    shim = [sys.executable, "-I", "-S", str(_SHIM)]
    return [*shim, str(os.getpid()), str(int(death_signal)), str(uid), str(gid), *argv]


def _opened_log(path: Path) -> BufferedWriter:
    """Open for appending; a log grown too long is set aside first."""
    if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
        path.replace(path.with_suffix(".log.1"))
    log = path.open("ab")
    log.seek(0, os.SEEK_END)
    return log


def _how(status: int) -> str:
    return f"stopped (signal {-status})" if status < 0 else f"stopped (exit status {status})"
