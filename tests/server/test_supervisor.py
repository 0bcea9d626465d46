"""The supervisor, with children that live and die as told."""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

from server.child import LOG_BYTES_MAX, QUICK_FAILURES_MAX, Child
from server.startup_errors import CannotStart, ChildFailed, DiskFull, StopRequested
from server.supervisor import Supervisor

LIVES: Final = "import os, signal; print('born', os.getpid(), flush=True); signal.pause()"
STUBBORN: Final = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {LIVES}"
UNBORN: Final = "import signal; signal.pause()"
TELLS: Final = f"""
import sys, signal
def end(*_):
    print(sys.argv[1], file=open(sys.argv[2], 'a'))
    sys.exit()
signal.signal(signal.SIGTERM, end)
{LIVES}
"""
FAILS: Final = "print('a reason'); raise SystemExit(3)"


class Said:
    """What a supervisor says, and a way to wait for it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._more = asyncio.Event()

    def __call__(self, line: str) -> None:
        self.lines.append(line)
        self._more.set()

    async def wait_for(self, line: str) -> None:
        async with asyncio.timeout(20):
            while line not in self.lines:
                await self._more.wait()
                self._more.clear()


def child(folder: Path, name: str, program: str, *arguments: str) -> Child:
    """A child that is ready when its log names a process that lives."""
    log_path = folder / f"{name}.log"

    async def is_born() -> bool:
        return bool(pids(log_path)) and is_alive(pids(log_path)[-1])

    argv = [sys.executable, "-c", program, *arguments]
    return Child(name=name, argv=argv, log_path=log_path, ready=is_born)


def pids(log_path: Path) -> list[int]:
    """All that were born, in order."""
    words = log_path.read_text().split()
    return [int(after) for word, after in pairwise(words) if word == "born"]


def is_alive(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


async def test_a_child_that_dies_is_started_again_each_time(tmp_path: Path) -> None:
    said = Said()
    supervisor = Supervisor(said)
    kept = child(tmp_path, "worker", LIVES)
    await supervisor.start(kept)

    for number in (signal.SIGKILL, signal.SIGSEGV):
        os.kill(pids(kept.log_path)[-1], number)
        await said.wait_for(f"worker stopped (signal {int(number)}); starting it again")
        await said.wait_for("worker runs again")
        said.lines.remove("worker runs again")

    first, second, third = pids(kept.log_path)
    assert is_alive(third)
    assert not is_alive(first)
    assert not is_alive(second)
    await supervisor.stop()
    assert not is_alive(third)


async def test_a_child_that_never_gets_up_is_given_up_with_its_last_lines(tmp_path: Path) -> None:
    said = Said()
    supervisor = Supervisor(said)
    failing = child(tmp_path, "server", FAILS)

    with pytest.raises(ChildFailed) as refusal:
        await supervisor.start(failing)

    assert said.lines == ["server stopped (exit status 3); starting it again"] * (QUICK_FAILURES_MAX - 1)
    assert "a reason" in refusal.value.message
    assert str(failing.log_path) in refusal.value.message
    await supervisor.stop()


async def test_a_child_past_help_ends_everything(tmp_path: Path) -> None:
    said = Said()
    # The second birth finds the folder taken: from then on this child only fails.
    once = child(tmp_path, "once", f"import os, sys; os.mkdir(sys.argv[1]); {LIVES}", str(tmp_path / "once"))
    reason = CannotStart("It was born once.")
    once = replace(once, explain=lambda log: reason if "FileExistsError" in log else None)
    other = child(tmp_path, "other", LIVES)
    async with Supervisor(said) as supervisor:
        await supervisor.start(other)
        await supervisor.start(once)
        os.kill(pids(once.log_path)[-1], signal.SIGKILL)

        status = await supervisor.run_until_stopped()

    assert status == 1
    assert said.lines == ["once stopped (signal 9); starting it again", "It was born once."]
    assert not is_alive(pids(other.log_path)[-1])


async def test_a_child_past_help_ends_a_start_in_progress(tmp_path: Path) -> None:
    said = Said()
    once = child(tmp_path, "once", f"import os, sys; os.mkdir(sys.argv[1]); {LIVES}", str(tmp_path / "once"))
    once = replace(once, explain=lambda log: CannotStart("Gone.") if "FileExistsError" in log else None)
    async with Supervisor(said) as supervisor:
        await supervisor.start(once)
        os.kill(pids(once.log_path)[-1], signal.SIGKILL)
        await supervisor.start(child(tmp_path, "slow", UNBORN))

    assert said.lines[-1] == "Gone."
    assert supervisor.exit_status == 1


async def test_an_explained_failure_is_not_tried_again(tmp_path: Path) -> None:
    said = Said()
    supervisor = Supervisor(said)
    full = DiskFull("PostgreSQL", tmp_path)
    failing = replace(
        child(tmp_path, "postgres", FAILS), explain=lambda log: full if "a reason" in log else None
    )

    with pytest.raises(DiskFull):
        await supervisor.start(failing)

    assert said.lines == []
    await supervisor.stop()


async def test_what_a_child_wrote_in_good_times_does_not_explain_its_death(tmp_path: Path) -> None:
    said = Said()
    supervisor = Supervisor(said)
    kept = child(tmp_path, "postgres", f"print('a reason'); {LIVES}")
    kept = replace(kept, explain=lambda log: CannotStart("explained") if "a reason" in log else None)
    await supervisor.start(kept)

    os.kill(pids(kept.log_path)[-1], signal.SIGKILL)

    await said.wait_for("postgres runs again")
    await supervisor.stop()


async def test_children_stop_in_reverse_order(tmp_path: Path) -> None:
    supervisor = Supervisor(Said())
    order = tmp_path / "order"
    for name in ("first", "second", "third"):
        await supervisor.start(child(tmp_path, name, TELLS, name, str(order)))

    await supervisor.stop()

    assert order.read_text().split() == ["third", "second", "first"]


async def test_a_child_that_does_not_stop_is_killed_after_its_time(tmp_path: Path) -> None:
    supervisor = Supervisor(Said())
    stubborn = replace(child(tmp_path, "stubborn", STUBBORN), stop_timeout_s=0.2)
    await supervisor.start(stubborn)

    await supervisor.stop()

    assert not is_alive(pids(stubborn.log_path)[-1])


async def test_a_second_request_to_stop_waits_for_nobody(tmp_path: Path) -> None:
    supervisor = Supervisor(Said())
    stubborn = child(tmp_path, "stubborn", STUBBORN)
    await supervisor.start(stubborn)
    running = asyncio.create_task(supervisor.run_until_stopped())
    supervisor.request_stop()

    async with asyncio.timeout(stubborn.stop_timeout_s / 2):
        supervisor.request_stop()
        assert await running == 0

    assert not is_alive(pids(stubborn.log_path)[-1])


async def test_a_child_that_is_not_ready_in_time_is_stopped_and_tried_again(tmp_path: Path) -> None:
    lines = []

    def say(line: str) -> None:
        lines.append(line)
        supervisor.request_stop()

    slow = replace(child(tmp_path, "slow", UNBORN), ready_timeout_s=0.2)
    async with Supervisor(say) as supervisor:
        await supervisor.start(slow)

    assert lines == ["slow was not ready after 0.2 s; starting it again"]


async def test_a_start_in_progress_ends_on_request(tmp_path: Path) -> None:
    supervisor = Supervisor(Said())
    async with supervisor:
        asyncio.get_running_loop().call_later(0.2, supervisor.request_stop)
        await supervisor.start(child(tmp_path, "slow", UNBORN))
    assert supervisor.exit_status == 0


async def test_nothing_is_started_once_it_stopped(tmp_path: Path) -> None:
    supervisor = Supervisor(Said())
    await supervisor.stop()
    with pytest.raises(StopRequested):
        await supervisor.start(child(tmp_path, "late", LIVES))


async def test_a_log_that_grew_too_long_is_set_aside(tmp_path: Path) -> None:
    supervisor = Supervisor(Said())
    chatty = child(tmp_path, "chatty", LIVES)
    chatty.log_path.write_bytes(b"x" * (LOG_BYTES_MAX + 1))

    await supervisor.start(chatty)
    await supervisor.stop()

    assert len(pids(chatty.log_path)) == 1
    assert (tmp_path / "chatty.log.1").stat().st_size == LOG_BYTES_MAX + 1


async def test_children_are_kept_when_nobody_reads_the_lines_any_more(tmp_path: Path) -> None:
    tried = asyncio.Event()

    def say(line: str) -> None:
        if "runs again" in line:
            tried.set()
        raise BrokenPipeError

    supervisor = Supervisor(say)
    kept = child(tmp_path, "worker", LIVES)
    await supervisor.start(kept)

    os.kill(pids(kept.log_path)[-1], signal.SIGKILL)

    async with asyncio.timeout(20):
        await tried.wait()
    assert len(pids(kept.log_path)) == 2
    await supervisor.stop()


async def test_a_child_that_can_not_be_watched_any_more_ends_everything(tmp_path: Path) -> None:
    said = Said()
    kept = child(tmp_path, "worker", LIVES)
    is_up = kept.ready

    async def up_once() -> bool:
        if len(pids(kept.log_path)) > 1:
            raise ZeroDivisionError
        return await is_up()

    async with Supervisor(said) as supervisor:
        await supervisor.start(replace(kept, ready=up_once))
        os.kill(pids(kept.log_path)[-1], signal.SIGKILL)
        assert await supervisor.run_until_stopped() == 1

    assert said.lines[-1] == "What keeps worker failed: ZeroDivisionError()"
    assert not is_alive(pids(kept.log_path)[-1])


async def test_a_folder_for_the_log_that_is_missing_is_named(tmp_path: Path) -> None:
    supervisor = Supervisor(Said())
    with pytest.raises(CannotStart, match="no-such-folder"):
        await supervisor.start(child(tmp_path / "no-such-folder", "lost", LIVES))
    await supervisor.stop()


async def test_another_error_in_the_block_stops_the_children_and_is_not_swallowed(tmp_path: Path) -> None:
    kept = child(tmp_path, "worker", LIVES)
    with pytest.raises(ZeroDivisionError):
        async with Supervisor(Said()) as supervisor:
            await supervisor.start(kept)
            raise ZeroDivisionError
    assert not is_alive(pids(kept.log_path)[-1])
