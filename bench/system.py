"""The whole platform as `hazina up` starts it, with a shop on a tier that has room."""

import asyncio
import json
import os
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg
from calling import Caller
from cluster import OWNER_DATABASE, passable_folder
from results import ROOT
from shops import add_payments
from sqlalchemy.ext.asyncio import create_async_engine

from core.ids import Kind, inside
from server.embedded import PORT, SUPERUSER
from tenancy.sessions import TenantSession

PORTS: Final = 4
"""Server, sandbox, mailbox and the worker's metrics listen side by side."""
FIRST_PORTS: Final = range(20_000, 32_000, PORTS)
"""Below those that Linux gives to whoever connects somewhere."""
READY_TIMEOUT_S: Final = 90.0
STOP_TIMEOUT_S: Final = 30.0
PAYMENTS: Final = 2_000
TIER: Final = {"capacity": 100_000_000, "per_s": 10_000_000, "sockets": 20_000}
"""Above what one process can answer: the limiter runs and charges, and never refuses."""
TIER_POLL_S: Final = 0.25
CHILDREN: Final = ("server", "worker", "sandbox")


@dataclass(slots=True)
class System:
    """A running `hazina up`, and how to reach its parts."""

    data_dir: Path
    launcher: asyncio.subprocess.Process
    demo: dict[str, Any]
    database: str
    """The demo tenant's."""

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.demo['api_key']}", "content-type": "application/json"}

    @property
    def socket_dir(self) -> Path:
        return self.data_dir / "run" / "postgres"

    def dsn(self, role: str, database: str) -> str:
        """For asyncpg and libpq."""
        return f"postgresql://{role}@/{database}?host={self.socket_dir}&port={PORT}"

    def pids(self) -> dict[str, int]:
        """Of server, worker and sandbox."""
        found: dict[str, int] = {}
        for pid in _children_of(self.launcher.pid):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            for name in CHILDREN:
                if name.encode() in words:
                    found[name] = pid
        return found


@asynccontextmanager
async def system() -> AsyncIterator[System]:
    """Start it in a folder of its own; stopped and removed at the end."""
    with passable_folder() as folder:
        data_dir = folder / "data"
        launcher = await asyncio.create_subprocess_exec(
            *command(data_dir, free_ports()),
            cwd=ROOT,
            env={name: value for name, value in os.environ.items() if not name.startswith("HAZINA_")},
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            await _ready(launcher)
            yield await _prepared(data_dir, launcher)
        finally:
            await _stop(launcher)


@asynccontextmanager
async def paused(running: System, *names: str) -> AsyncIterator[None]:
    """Keep some of its processes from running until the end of the block."""
    pids = running.pids()
    for name in names:
        os.kill(pids[name], signal.SIGSTOP)
    try:
        yield
    finally:
        for name in names:
            os.kill(pids[name], signal.SIGCONT)


@asynccontextmanager
async def second_server(running: System) -> AsyncIterator[str]:
    """Another server process of the same system, until the end of the block; gives its GraphQL URL."""
    port = free_ports()
    environment = environment_of(running.pids()["server"])
    argv = [sys.executable, "-m", "server.cli", "server", "--port", str(port)]
    log = running.data_dir / "log" / "second.log"
    with log.open("wb") as stream:
        server = await asyncio.create_subprocess_exec(*argv, cwd=ROOT, env=environment, stderr=stream)
    url = f"http://127.0.0.1:{port}/graphql"
    try:
        async with asyncio.timeout(READY_TIMEOUT_S):
            while _is_free(port):  # noqa: ASYNC110 - another process begins to listen
                await asyncio.sleep(TIER_POLL_S)
        yield url
    finally:
        await _stop(server)


def command(data_dir: Path | str, port: int | str) -> list[str]:
    return [sys.executable, "-m", "server.cli", "up", "--data-dir", str(data_dir), "--port", str(port)]


def free_ports() -> int:
    """The first of PORTS ports in a row that nobody listens on."""
    while True:
        first = secrets.choice(FIRST_PORTS)
        if all(_is_free(first + offset) for offset in range(PORTS)):
            return first


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


async def _ready(launcher: asyncio.subprocess.Process) -> None:
    """Wait until the demo payment is through: nothing of the start is left to do."""
    assert launcher.stdout is not None  # noqa: S101 - it was asked for
    async with asyncio.timeout(READY_TIMEOUT_S):
        while line := await launcher.stdout.readline():
            print(f"  {line.decode().rstrip()}", flush=True)
            if line.startswith(b"demo payment"):
                return
    raise RuntimeError("hazina up ended before it was ready")


async def _prepared(data_dir: Path, launcher: asyncio.subprocess.Process) -> System:
    demo = json.loads((data_dir / "demo.json").read_text())
    made = System(data_dir, launcher, demo, "")
    made.database = await _give_room(made)
    engine = create_async_engine(made.dsn("hazina_migrator", made.database).replace("://", "+asyncpg://", 1))
    async with TenantSession(engine) as session:
        await add_payments(session, inside(Kind.CHANNEL, demo["channel_id"]), PAYMENTS)
        await session.commit()
    await engine.dispose()
    async with Caller(demo["graphql_url"], made.headers) as caller:
        # The directory and the limiter may remember the old tier for some seconds.
        while await _tier_of(caller) != TIER["capacity"]:  # noqa: ASYNC110 - another process forgets
            await asyncio.sleep(TIER_POLL_S)
    return made


async def _give_room(made: System) -> str:
    """Put the demo tenant on a roomy tier; gives its database's name."""
    connection = await asyncpg.connect(made.dsn(SUPERUSER, OWNER_DATABASE))
    try:
        await connection.execute(
            "INSERT INTO tiers (id, created_at, code, name, request_units_capacity, request_units_per_s,"
            " sockets_max) VALUES (gen_random_uuid(), now(), 'bench', 'Bench', $1, $2, $3)",
            TIER["capacity"],
            TIER["per_s"],
            TIER["sockets"],
        )
        database: str = await connection.fetchval(
            "UPDATE tenants SET tier_id = (SELECT id FROM tiers WHERE code = 'bench') WHERE id = $1"
            " RETURNING database",
            inside(Kind.TENANT, made.demo["tenant"]["id"]),
        )
    finally:
        await connection.close()
    return database


async def _tier_of(caller: Caller) -> int:
    answer = await caller.post({"query": "{ __typename payments(first: 1) { pageInfo { hasNextPage } } }"})
    return int(answer.headers[b"ratelimit-limit"])


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGINT)
    try:
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def environment_of(pid: int) -> dict[str, str]:
    """The settings a process was started with."""
    given = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return dict(pair.split("=", 1) for pair in given if "=" in pair)


def _children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
