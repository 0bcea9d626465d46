"""Verifies a tenant's ledger for an operator, who watches."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from jobs.proving import Proof
from owner_db.tenants.directory import find_named
from server.compose import Process
from tenant_db.ledger.verdicts import Progress as Seen

PART_S: Final = 60.0
"""One snapshot is held no longer than this."""
LINES: Final = 10
"""How many plain lines tell of the way from nothing to everything."""
ROWS_OF_A_TRANSFER: Final = 3
"""Itself and its two entries."""

Show = Callable[[Seen], None]


async def verify_tenant(here: Process, name: str, kept_head: str, show: Show) -> Seen:
    """Go over the whole ledger; gives what was seen, with the first broken row.

    Raises:
        TenantNotFound: no tenant has that name.
        TenantNotServed: its database can't be reached now.
        HeadNotOurs: `kept_head`, if not empty, was not signed for this tenant.
    """
    row = await find_named(here.services.owner, name)
    tenant = await here.services.tenants.settling(row.id)
    proof = Proof(here.services.owner, here.services.tokens, tenant, kept_head)
    seen = Seen()
    while not seen.is_over:
        await proof.go_on(seen, for_s=PART_S, tell=lambda: show(seen))
    return seen


@contextmanager
def shown(console: Console) -> Iterator[Show]:
    """A bar on a terminal, plain lines elsewhere."""
    if not console.is_terminal:
        yield _Lines(console)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("verifying", total=None)

        def show(seen: Seen) -> None:
            done, total = _rows(seen)
            bar.update(task, description=seen.phase.value, completed=done, total=total)

        yield show


class _Lines:
    """One line at each tenth of the way."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told = 0

    def __call__(self, seen: Seen) -> None:
        done, total = _rows(seen)
        tenth = LINES * done // total
        if tenth > self._told:
            self._told = tenth
            self._console.print(f"{seen.transfers} transfers, {seen.entries} entries seen", highlight=False)


def _rows(seen: Seen) -> tuple[int, int]:
    """Rows seen, and all there are as far as is known; never 0."""
    return (
        seen.transfers + seen.entries,
        max(1, ROWS_OF_A_TRANSFER * max(seen.transfers_total, seen.transfers)),
    )
