"""Programs of node: the load generator, and PostGraphile."""

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from results import ROOT

BENCH: Final = ROOT / "bench"
INSTALLED: Final = BENCH / "node_modules" / ".package-lock.json"
LOCK: Final = BENCH / "package-lock.json"
READY_TIMEOUT_S: Final = 60.0
MISSING: Final = "not measured: node and npm are not installed"

Settings = Mapping[str, Any]


def has_node() -> bool:
    """Whether node is there; its packages are then installed as they were locked."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        print("  node or npm is not installed: install Node.js 20 to measure this row", flush=True)
        return False
    if not INSTALLED.exists() or INSTALLED.stat().st_mtime < LOCK.stat().st_mtime:
        print("  installing the packages of bench/package-lock.json", flush=True)
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=BENCH, check=True)  # noqa: S607 - wherever npm is
    return True


async def run_node(script: str, settings: Settings) -> dict[str, Any]:
    """Run a script to its end; gives the JSON it printed."""
    process = await asyncio.create_subprocess_exec(
        "node", script, json.dumps(settings), cwd=BENCH, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{script} ended with {process.returncode}")
    found: dict[str, Any] = json.loads(output)
    return found


@asynccontextmanager
async def serving_node(script: str, settings: Settings) -> AsyncIterator[None]:
    """Run a server, in production mode, until the end of the block."""
    process = await asyncio.create_subprocess_exec(
        "node",
        script,
        json.dumps(settings),
        cwd=BENCH,
        env={"NODE_ENV": "production", "GRAPHILE_ENV": "production", "PATH": "/usr/local/bin:/usr/bin:/bin"},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None  # noqa: S101 - it was asked for
    try:
        async with asyncio.timeout(READY_TIMEOUT_S):
            while await process.stdout.readline() != b"ready\n":
                if process.returncode is not None:
                    raise RuntimeError(f"{script} did not start")
        yield
    finally:
        process.terminate()
        await process.wait()
