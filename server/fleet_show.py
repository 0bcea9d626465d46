"""How an upgrade of the fleet looks: a bar on a terminal, plain lines elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from owner_db.tenants import migrating
from server.fleet import Show

LINES: Final = 10
"""How many plain lines tell of the way from nothing to everything."""


class Lines:
    """One line at each tenth of the way, and one for each failure."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told = 0

    def began(self, progress: migrating.Progress, target: str) -> None:
        self._console.print(
            f"upgrading {progress.total - progress.done} tenants to {target}", highlight=False
        )

    def stepped(self, progress: migrating.Progress, code: str, error: str | None) -> None:
        if error is not None:
            self._console.print(f"failed {code}: {error}", highlight=False, markup=False, soft_wrap=True)
        tenth = LINES * progress.done // progress.total
        if tenth > self._told:
            self._told = tenth
            self._console.print(f"{progress.done} of {progress.total} done, {progress.failed} failed")


class Bar:
    """A progress bar; failures stand above it."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task: TaskID | None = None

    def began(self, progress: migrating.Progress, target: str) -> None:
        self._task = self._bar.add_task(f"tenants to {target}", total=progress.total, completed=progress.done)

    def stepped(self, progress: migrating.Progress, code: str, error: str | None) -> None:
        if error is not None:
            self._bar.console.print(f"failed {code}: {error}", markup=False)
        if self._task is not None:
            self._bar.update(self._task, completed=progress.done)


@contextmanager
def shown(console: Console) -> Iterator[Show]:
    """What fits the console."""
    if not console.is_terminal:
        yield Lines(console)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        yield Bar(bar)
