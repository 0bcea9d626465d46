"""What the processes of a quiet system hold in memory."""

import asyncio
from pathlib import Path
from typing import Final

from results import Row
from system import System

IDLE_S: Final = 20.0
NOTE: Final = (
    f"resident memory of server + worker + sandbox after the demo payment and {IDLE_S:.0f} s of nothing;"
    " without PostgreSQL, Redis and the launcher ({launcher:.0f} MB): {parts}"
)


async def idle_rss_mb(running: System) -> list[Row]:
    """Row `idle_rss_mb`."""
    await asyncio.sleep(IDLE_S)
    resident = {name: resident_mb(pid) for name, pid in running.pids().items()}
    parts = ", ".join(f"{name} {size:.0f}" for name, size in sorted(resident.items()))
    print(f"  {parts} MB", flush=True)
    note = NOTE.format(launcher=resident_mb(running.launcher.pid), parts=parts)
    return [Row("idle_rss_mb", sum(resident.values()), "MB", None, 1, note)]


def resident_mb(pid: int) -> float:
    """What a process holds in memory now."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"process {pid} has ended")
