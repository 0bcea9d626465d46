"""`hazina up`: everything, on one machine, with one command."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import redis.asyncio
from redis.exceptions import RedisError

from server.child import Child
from server.cli_running import SERVICES_FILE
from server.compose import process
from server.demo import demo_payment, ensure_demo, write_private
from server.embedded import EmbeddedPostgres, EmbeddedRedis
from server.embedded_places import sole_use
from server.embedded_roles import MAINTENANCE_DATABASE, MIGRATOR_ROLE, OWNER_ROLE, TENANT_ROLE
from server.migrating import all_at, upgrade_fleet
from server.ports import require_free_port
from server.preparing import prepare_platform
from server.settings import Settings
from server.supervisor import Supervisor
from tenancy.revisions import Which, head

LAUNCHER_CONNECTIONS: Final = 2
UPGRADERS: Final = 2
PROBE_TIMEOUT_S: Final = 2.0
SANDBOX_PORT_AFTER: Final = 1
MAIL_PORT_AFTER: Final = 2
METRICS_PORT_AFTER: Final = 3
"""Where the worker serves its metrics; the server's are at /metrics."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for."""

    port: int
    data_dir: Path
    demo: str = field(default="yes")
    """`yes` or `no`."""


async def run_up(options: Options, say: Say) -> int:
    """Start everything, say when it serves, keep it running until asked to stop; gives the exit status.

    Raises:
        CannotStart: a port, the data directory or a child is in the way; the message says what to do.
    """
    sandbox_port, mail_port = options.port + SANDBOX_PORT_AFTER, options.port + MAIL_PORT_AFTER
    with sole_use(options.data_dir):
        for port in (options.port, sandbox_port, mail_port, options.port + METRICS_PORT_AFTER):
            require_free_port("127.0.0.1", port, "--port")
        async with Supervisor(say) as supervisor:
            settings = await _services(options, supervisor, say)
            await prepare_platform(settings)
            if await all_at(settings, head(Which.TENANT)) is None:
                say("An older version wrote this data directory: upgrading the businesses' databases")
                await upgrade_fleet(settings, UPGRADERS)
            # So that operators' commands find what runs here.
            lines = "".join(f"{name}={value}\n" for name, value in _environment(settings).items())
            write_private(options.data_dir / SERVICES_FILE, lines)
            children = _children(settings, sandbox_port, mail_port)
            await asyncio.gather(*(supervisor.start(child) for child in children))
            await _show(options, settings, say)
            await supervisor.run_until_stopped()
        return supervisor.exit_status


async def _services(options: Options, supervisor: Supervisor, say: Say) -> Settings:
    """Start PostgreSQL and Redis unless the environment names others; gives the settings of all children."""
    given = Settings(data_dir=options.data_dir, port=options.port)
    found: dict[str, object] = {
        "sandbox_url": given.sandbox_url or f"http://127.0.0.1:{options.port + SANDBOX_PORT_AFTER}",
        "smtp_port": options.port + MAIL_PORT_AFTER,
        "metrics_port": options.port + METRICS_PORT_AFTER,
        "public_url": given.base_url,
    }
    if given.database_url is None:
        postgres = EmbeddedPostgres(options.data_dir)
        await postgres.prepare()
        for note in postgres.notes:
            say(note)
        await supervisor.start(postgres.child())
        await postgres.ready()
        found |= {
            "database_url": postgres.url(OWNER_ROLE, OWNER_ROLE),
            "migrator_url": postgres.url(MIGRATOR_ROLE, MAINTENANCE_DATABASE),
            "tenant_url": postgres.url(TENANT_ROLE, ""),
        }
    if given.redis_url is None:
        embedded = EmbeddedRedis(options.data_dir)
        await embedded.prepare()
        await supervisor.start(embedded.child())
        found["redis_url"] = embedded.url
    return given.model_copy(update=found)


def _children(settings: Settings, sandbox_port: int, mail_port: int) -> list[Child]:
    environment = {**os.environ, **_environment(settings)}
    sandbox = ["sandbox", "--port", str(sandbox_port), "--mail-port", str(mail_port)]

    def child(name: str, arguments: list[str], ready: Callable[[], Awaitable[bool]]) -> Child:
        return Child(
            name=name,
            argv=[sys.executable, "-m", "server.cli", *arguments],
            log_path=settings.data_dir / "log" / f"{name}.log",
            ready=ready,
            env=environment,
        )

    return [
        child("sandbox", sandbox, partial(_answers, sandbox_port, "/")),
        child("server", ["server"], partial(_answers, settings.port, "/readyz")),
        child("worker", ["worker"], partial(_listens, str(settings.redis_url))),
    ]


def _environment(settings: Settings) -> Mapping[str, str]:
    names = (
        "data_dir",
        "port",
        "database_url",
        "migrator_url",
        "tenant_url",
        "redis_url",
        "sandbox_url",
        "smtp_port",
        "metrics_port",
        "public_url",
    )
    return {f"HAZINA_{name.upper()}": str(getattr(settings, name)) for name in names}


async def _answers(port: int, path: str) -> bool:
    """Whether a child answers 200 on loopback."""
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
            status = await reader.readline()
            writer.close()
    except (OSError, TimeoutError):
        return False
    return b" 200 " in status


async def _listens(redis_url: str) -> bool:
    """Whether a worker's relays wait for nudges."""
    client = redis.asyncio.Redis.from_url(redis_url)
    try:
        found = await client.pubsub_numsub("global:nudge:payments")
    except (RedisError, OSError):
        return False
    finally:
        await client.aclose()
    return bool(found[0][1])


async def _show(options: Options, settings: Settings, say: Say) -> None:
    """Set the demo up, say that it serves, and make the demo payment."""
    if options.demo == "no":
        say(f"ready {settings.base_url}/graphql")
        return
    async with process(settings, connections=LAUNCHER_CONNECTIONS, name="hazina-up") as here:
        demo = await ensure_demo(here, settings.data_dir / "demo.json", str(settings.sandbox_url))
        say(f"ready {settings.base_url}/graphql")
        step = say if sys.stdout.isatty() else _unsaid
        step(f"Mails: {demo.mailbox_url}   Credentials: {settings.data_dir / 'demo.json'}   Stop: Ctrl-C")
        say(await demo_payment(here, demo, step))


def _unsaid(_line: str) -> None:
    """Steps are for people at a terminal."""
