"""`make bench`: each figure beside its baseline in the same run, written to bench/results/latest.json.

With names of benchmarks as arguments it measures those alone and writes nothing.
"""

import asyncio
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import uvloop
from callbacks import callback_to_event_p95_ms
from collecting import payments_end_to_end
from idling import idle_rss_mb
from ledger_bulk import ledger_bulk
from ledger_chaining import ledger_chain_slowdown_pct
from ledger_hot import ledger_hot_account
from ledger_http import ledger_bulk_http
from ledger_million import ledger_million
from migrating import migrate_200
from mixing import api_p95_ms_at_100rps
from noisy import noisy_neighbour_delay_ms
from provisioning import provision_tenant
from reading import read_page
from results import LATEST, Row, write
from routing import BUDGET, routing
from subscriptions import subscriptions
from system import TIER, System, command, system
from webhooks import webhooks_accepted
from writing import initiate_payment, pgbench_command

from server.embedded import SETTINGS

ROOT: Final = Path(__file__).resolve().parent.parent

Benchmark = Callable[[], Awaitable[list[Row]]]
OnSystem = Callable[[System], Awaitable[list[Row]]]

# Each group has a system of its own. Idling comes first, for what later ones ask for stays in the
# processes' memory; what writes much comes last, for PostgreSQL is busy with it for a while.
ON_SYSTEM: Final[Sequence[Mapping[str, OnSystem]]] = (
    {
        "idle_rss_mb": idle_rss_mb,
        "read_page": read_page,
        "callback_to_event_p95_ms": callback_to_event_p95_ms,
        "api_p95_ms_at_100rps": api_p95_ms_at_100rps,
        "initiate_payment": initiate_payment,
    },
    {"payments_end_to_end": payments_end_to_end},
    {
        "subscriptions": subscriptions,
        "noisy_neighbour_delay_ms": noisy_neighbour_delay_ms,
        "webhooks_accepted": webhooks_accepted,
    },
    {"ledger_bulk_http": ledger_bulk_http},
)
ALONE: Final[Mapping[str, Benchmark]] = {
    "provision_tenant": provision_tenant,
    "migrate_200": migrate_200,
    "routing": routing,
    "ledger_bulk": ledger_bulk,
    "ledger_hot_account": ledger_hot_account,
    "ledger_million": ledger_million,
    "ledger_chain_slowdown_pct": ledger_chain_slowdown_pct,
}
COMMANDS: Final = {
    "all": "make bench",
    "system": " ".join(["python", *command("DATA_DIR", "PORT")[1:]]),
    "postgraphile": "NODE_ENV=production node bench/postgraphile.mjs SETTINGS",
    "load": "node bench/load.mjs SETTINGS (autocannon, 16 connections)",
    "pgbench": " ".join(["pgbench", *pgbench_command("DATABASE", "SOCKET_DIR")[1:]]).replace(f"{ROOT}/", ""),
    "migrate": "python -m server.cli migrate tenants",
}
UNITS_WIDTH: Final = 12
FAILED: Final[list[str]] = []


def main(names: Sequence[str]) -> None:
    known = [*(name for group in ON_SYSTEM for name in group), *ALONE]
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"There is no benchmark {unknown[0]}; there are: {', '.join(known)}.")
    began = perf_counter()
    # Kept after each: a run that is ended early has measured something.
    keep = _not_kept if names else _kept
    rows = uvloop.run(measure(names or known, keep))
    print(f"\nin {perf_counter() - began:.0f} s:")
    for row in rows:
        print(_line(row))
    if not names:
        print(f"written to {LATEST}")
    if FAILED:
        sys.exit(f"not measured: {', '.join(FAILED)}")


def _kept(rows: Sequence[Row]) -> None:
    write(rows, _settings(), COMMANDS)


def _not_kept(_rows: Sequence[Row]) -> None:
    """Some benchmarks alone are no result of the project."""


async def measure(names: Sequence[str], keep: Callable[[Sequence[Row]], None]) -> list[Row]:
    task = asyncio.current_task()
    if task is not None:
        # As Ctrl-C does it: leave the blocks, so that what was started is stopped and its folders go.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    rows: list[Row] = []
    for group in ON_SYSTEM:
        wanted = [name for name in group if name in names]
        if not wanted:
            continue
        print("hazina up …", flush=True)
        async with system() as running:
            for name in wanted:
                rows.extend(await _measured(name, partial(group[name], running)))
                keep(rows)
    for name in ALONE:
        if name in names:
            rows.extend(await _measured(name, ALONE[name]))
            keep(rows)
    return rows


async def _measured(name: str, benchmark: Benchmark) -> list[Row]:
    print(f"{name} …", flush=True)
    try:
        return await benchmark()
    except Exception:  # noqa: BLE001 - one that fails does not cost the others their rows
        traceback.print_exc()
        FAILED.append(name)
        return []


def _line(row: Row) -> str:
    found = row.as_json()
    beside = "" if row.baseline is None else f"  baseline {found['baseline']}  ratio {found['ratio']}"
    return f"  {row.name:26} {found['value']:>9} {row.unit:{UNITS_WIDTH}}{beside}"


def _settings() -> dict[str, Any]:
    return {
        "postgresql": {name: value for name, value in SETTINGS.items() if not name.startswith("l")},
        "demo_tenant_tier": TIER,
        "tenant_connections_max": BUDGET,
        "processes": "one server, one worker, one sandbox, one PostgreSQL, one Redis",
    }


if __name__ == "__main__":
    main(sys.argv[1:])
