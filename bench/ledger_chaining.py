"""What sealing costs: the CPU time of a posting at a thousand a second, with the sealer and without it."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter, process_time
from typing import Final

from ledger_books import Books, books, sized
from ledger_hot import Callers
from results import Row, middle

from core.clock import utc_now
from tenancy.signals import SEAL_AFTER_S
from tenant_db.ledger.sealing import seal

PAIRS: Final = 5
RUN_S: Final = 13
RATE_PER_S: Final = 1_000
TICK_S: Final = 0.02
LAG_MAX_S: Final = 60.0
NOTE: Final = (
    f"median of {{pairs}} interleaved pairs of {{seconds}} s at {RATE_PER_S} postings a second, each with"
    " key, audit row and entries, through resolvers.ledger_batches; CPU time of the process that posts and"
    " seals, and of all of PostgreSQL: {with_sealer:.0f} us a posting with the sealer, {without:.0f} us"
    f" without; pairs: {{each}}; a block every {SEAL_AFTER_S:.0f} s, so the chain is at most {{lag:.1f}} s"
    " behind (< 60 wanted)"
)
_LAG: Final = """
SELECT coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0) FROM ledger_transfers
 WHERE transaction_id >= (SELECT coalesce(max(to_transaction_id), 0) FROM ledger_blocks)
"""


@dataclass(slots=True)
class Cost:
    """CPU seconds a posting, of each run."""

    without: list[float] = field(default_factory=list)
    with_sealer: list[float] = field(default_factory=list)
    lag_s: float = 0.0
    """How old the oldest transfer was, at most, that was not sealed yet."""

    @property
    def slowdowns(self) -> list[float]:
        pairs = zip(self.with_sealer, self.without, strict=True)
        return [100 * (sealed / plain - 1) for sealed, plain in pairs]


async def ledger_chain_slowdown_pct() -> list[Row]:
    """Row `ledger_chain_slowdown_pct`."""
    pairs, seconds = sized(PAIRS, 1), sized(RUN_S, 12)
    cost = Cost()
    async with books() as made:
        callers = Callers(made)
        await _post(callers, 2)
        for number in range(pairs):
            runs: list[Callable[[], Awaitable[None]]] = [
                lambda: _with(made, callers, cost, seconds),
                lambda: _without(made, callers, cost, seconds),
            ]
            for run in runs if number % 2 else reversed(runs):
                await run()
            print(f"  {cost.slowdowns[-1]:+.1f} %", flush=True)
        await made.require_sound()
    if cost.lag_s > LAG_MAX_S:
        raise AssertionError(f"the chain was {cost.lag_s:.0f} s behind")
    note = NOTE.format(
        pairs=pairs,
        seconds=seconds,
        with_sealer=middle(cost.with_sealer) * 1e6,
        without=middle(cost.without) * 1e6,
        each=", ".join(f"{each:+.1f}" for each in cost.slowdowns),
        lag=cost.lag_s,
    )
    return [Row("ledger_chain_slowdown_pct", middle(cost.slowdowns), "%", None, pairs, note)]


async def _without(made: Books, callers: Callers, cost: Cost, seconds: int) -> None:
    began = _cpu_s(made)
    posted = await _post(callers, seconds)
    cost.without.append((_cpu_s(made) - began) / posted)


async def _with(made: Books, callers: Callers, cost: Cost, seconds: int) -> None:
    """What the run before left is sealed first: each run seals its own."""
    await _seal_all(made)
    began = _cpu_s(made)
    sealer = asyncio.create_task(_keep_sealing(made, cost))
    posted = await _post(callers, seconds)
    sealer.cancel()
    await asyncio.gather(sealer, return_exceptions=True)
    await _catch_up(made, cost)
    cost.with_sealer.append((_cpu_s(made) - began) / posted)


async def _post(callers: Callers, seconds: int) -> int:
    """Post at the rate, whatever comes back when; gives how many it were."""
    began, asked = perf_counter(), 0
    async with asyncio.TaskGroup() as group:
        while (passed := perf_counter() - began) < seconds:
            while asked < passed * RATE_PER_S:
                group.create_task(callers.post())
                asked += 1
            await asyncio.sleep(TICK_S)
    return asked


async def _keep_sealing(made: Books, cost: Cost) -> None:
    while True:
        await asyncio.sleep(SEAL_AFTER_S)
        await _catch_up(made, cost)


async def _catch_up(made: Books, cost: Cost) -> None:
    """Seal everything; what waited for longest tells how far behind the chain was."""
    ((lag,),) = await made.tenant.rows(_LAG)
    began = perf_counter()
    await _seal_all(made)
    cost.lag_s = max(cost.lag_s, float(lag) + perf_counter() - began)


async def _seal_all(made: Books) -> None:
    while True:
        async with made.tenant.transaction() as session:
            if await seal(session, utc_now) is None:
                return


def _cpu_s(made: Books) -> float:
    """Of this process and of PostgreSQL, those of its processes included that have ended."""
    postmaster = int((made.cluster.postgres.cluster_dir / "postmaster.pid").read_text().split()[0])
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    ticks = sum(_ticks(int(child), 2) for child in children) + _ticks(postmaster, 4)
    return process_time() + ticks / os.sysconf("SC_CLK_TCK")


def _ticks(pid: int, count: int) -> int:
    """User and system time, and with a `count` of 4 those of children that were waited for."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        # It has ended since it was listed.
        return 0
    return sum(int(field) for field in fields[11 : 11 + count])
