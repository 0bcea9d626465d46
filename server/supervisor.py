"""Keeps foreground children running, and takes all of them along when it ends."""

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from server.child import Child, RunningChild
from server.startup_errors import CannotStart, StopRequested

__all__ = ["Child", "Supervisor"]

_STOPPING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Supervisor:
    """Starts children in order, starts again those that die, stops all in reverse order.

    As a context manager it also takes Ctrl-C, SIGTERM and SIGHUP: they cancel the code inside the
    block, or end `run_until_stopped`, and leave the block without an exception.
    Must be used in the main thread: the kernel ties a child's life to the thread that started it.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._listener = say
        self._running: list[RunningChild] = []
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
        running = RunningChild(child)
        self._running.append(running)
        await self._bring_up(running)
        running.keeper = asyncio.create_task(self._keep(running), name=f"keeps {child.name}")
        running.keeper.add_done_callback(self._on_keeper_done)

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
        keepers = [running.keeper for running in self._running if running.keeper is not None]
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)
        for running in reversed(self._running):
            await running.stop()
        self._running.clear()

    async def __aenter__(self) -> Self:
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
            # nohup asks to survive the terminal by ignoring it.
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, self.request_stop)

    async def _bring_up(self, running: RunningChild) -> None:
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

    async def _keep(self, running: RunningChild) -> None:
        """Bring a child back whenever it dies; raises CannotStart when it is past help."""
        while True:
            how = await running.died()
            failure = running.judge(how)
            if failure is not None:
                raise failure
            self._say(f"{running.child.name} {how}; starting it again")
            await asyncio.sleep(running.pause_s())
            await self._bring_up(running)
            self._say(f"{running.child.name} runs again")

    def _on_keeper_done(self, keeper: asyncio.Task[None]) -> None:
        """A child that nobody keeps ends everything: half a system serves nobody."""
        error = None if keeper.cancelled() else keeper.exception()
        if error is None or self._is_stopping:
            return
        if isinstance(error, CannotStart):
            self._failure = error
        else:
            self._failure = CannotStart(f"What {keeper.get_name()} failed: {error!r}")
        self._say(self._failure.message)
        self._end()

    def _say(self, line: str) -> None:
        # Whoever read our lines may have gone, as in `hazina up | head -1`; the children stay.
        with suppress(BrokenPipeError):
            self._listener(line)

    def _end(self) -> None:
        self._ended.set()
        if self._launcher is not None and not self._is_waiting:
            self._launcher.cancel()
