"""Keeps foreground children running, and takes all of them along when it ends."""

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
from types import TracebackType
from typing import Final

from server.startup_errors import CannotStart, ChildFailed, StopRequested

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
LOG_BYTES_MAX: Final = 10_000_000
"""A log longer than this is set aside at the next start, in place of the one set aside before."""

_SHIM: Final = Path(__file__).with_name("supervised.py")
_STOPPING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _nothing_known(log: str) -> CannotStart | None:
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


class Supervisor:
    """Starts children in order, starts again those that die, stops all in reverse order.

    As a context manager it also takes Ctrl-C, SIGTERM and SIGHUP: they cancel the code inside the
    block, or end `run_until_stopped`, and leave the block without an exception.
    Must be used in the main thread: the kernel ties a child's life to the thread that started it.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._running: list[_Running] = []
        self._ended = asyncio.Event()
        self._failure: CannotStart | None = None
        self._launcher: asyncio.Task[object] | None = None
        self._is_waiting = False
        self._is_stopping = False

    async def start(self, child: Child) -> None:
        """Start a child and wait until it is ready; from then on it is kept running.

        Raises:
            CannotStart: it died again and again or never got ready; its log says why.
        """
        if self._is_stopping:
            raise StopRequested
        running = _Running(child)
        self._running.append(running)
        await self._bring_up(running)
        running.keeper = asyncio.create_task(self._keep(running), name=f"keeps {child.name}")

    async def run_until_stopped(self) -> int:
        """Wait for Ctrl-C, SIGTERM or a child past help, then stop everything; gives the exit status."""
        self._listen()
        self._is_waiting = True
        await self._ended.wait()
        await self.stop()
        return self.exit_status

    @property
    def exit_status(self) -> int:
        """0 unless a child was past help."""
        return 0 if self._failure is None else 1

    def request_stop(self) -> None:
        """What Ctrl-C does. A second one no longer waits for anybody."""
        if self._ended.is_set():
            for running in self._running:
                running.kill()
            return
        self._end()

    async def stop(self) -> None:
        """Stop all children, the last started first; each gets its time, then SIGKILL."""
        self._is_stopping = True
        for running in reversed(self._running):
            if running.keeper is not None:
                running.keeper.cancel()
        for running in reversed(self._running):
            await running.stop()
        self._running.clear()

    async def __aenter__(self) -> "Supervisor":
        self._launcher = asyncio.current_task()
        self._listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        was_asked = kind is asyncio.CancelledError and self._ended.is_set()
        if was_asked and self._launcher is not None:
            self._launcher.uncancel()
        self._is_waiting = True
        await self.stop()
        loop = asyncio.get_running_loop()
        for number in _STOPPING:
            loop.remove_signal_handler(number)
        return was_asked

    def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        for number in _STOPPING:
            loop.add_signal_handler(number, self.request_stop)

    async def _bring_up(self, running: "_Running") -> None:
        """Start until ready, with growing pauses, at most QUICK_FAILURES_MAX times in a row."""
        while True:
            how = await running.try_start()
            if how is None:
                return
            failure = running.judge(how)
            if failure is not None:
                raise failure
            self._say(f"{running.child.name} {how}; starting it again")
            await asyncio.sleep(running.pause_s())

    async def _keep(self, running: "_Running") -> None:
        """Bring a child back whenever it dies, until one is past help: then everything ends."""
        try:
            while True:
                how = await running.died()
                failure = running.judge(how)
                if failure is not None:
                    raise failure
                self._say(f"{running.child.name} {how}; starting it again")
                await asyncio.sleep(running.pause_s())
                await self._bring_up(running)
        except CannotStart as failure:
            self._failure = failure
            self._say(failure.message)
            self._end()

    def _end(self) -> None:
        self._ended.set()
        if self._launcher is not None and not self._is_waiting:
            self._launcher.cancel()


class _Running:
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
        self._process = process = await self._spawn()
        deadline = monotonic() + self.child.ready_timeout_s
        while process.returncode is None:
            if await self.child.ready():
                self._ready_at = monotonic()
                return None
            if monotonic() > deadline:
                await self.stop()
                return f"was not ready after {self.child.ready_timeout_s:.0f} s"
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), READY_POLL_S)
        return _how(process.returncode)

    async def died(self) -> str:
        """Wait for its death; gives how it died."""
        assert self._process is not None
        return _how(await self._process.wait())

    def judge(self, how: str) -> CannotStart | None:
        """Count a death; gives the reason to give up, if there is one."""
        if self._ready_at is not None and monotonic() - self._ready_at >= HEALTHY_AFTER_S:
            self._quick_failures = 0
        self._quick_failures += 1
        log = self._log_since_start()
        explained = self.child.explain(log)
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

    async def _spawn(self) -> asyncio.subprocess.Process:
        uid, gid = self.child.user or (-1, -1)
        shim = [sys.executable, "-I", "-S", str(_SHIM), str(os.getpid())]
        as_whom = [str(int(self.child.parent_death_signal)), str(uid), str(gid)]
        with _opened_log(self.child.log_path) as log:
            self._log_offset = log.tell()
            # A session of its own: Ctrl-C in a terminal reaches the launcher alone, which keeps the order.
            return await asyncio.create_subprocess_exec(
                *shim,
                *as_whom,
                *self.child.argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(self.child.env),
                cwd=self.child.cwd,
                start_new_session=True,
            )

    def _log_since_start(self) -> str:
        with self.child.log_path.open("rb") as log:
            log.seek(self._log_offset)
            return log.read().decode(errors="replace")


def _opened_log(path: Path) -> BufferedWriter:
    """Open for appending; a log grown too long is set aside first."""
    if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
        path.replace(path.with_suffix(".log.1"))
    log = path.open("ab")
    log.seek(0, os.SEEK_END)
    return log


def _how(status: int) -> str:
    return f"stopped (signal {-status})" if status < 0 else f"stopped (exit status {status})"
