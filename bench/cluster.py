"""A PostgreSQL and a Redis of our own with the settings of production, and a registry on them."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import asyncpg
import redis.asyncio
from sqlalchemy.ext.asyncio import create_async_engine

import owner_db.models  # noqa: F401 - completes the metadata
from owner_db.tenants.servers import Servers
from owner_db.tenants.templates import Template, ensure_template
from server.embedded import EmbeddedPostgres, EmbeddedRedis
from server.embedded_roles import MAINTENANCE_DATABASE, MIGRATOR_ROLE, OWNER_ROLE, TENANT_ROLE
from server.preparing import prepare_platform
from server.settings import Settings
from server.supervisor import Supervisor
from tenancy.sessions import OwnerDatabase
from tenancy.signals import RedisSignals

OWNER_DATABASE = "hazina_owner"
CAPACITY = 5_000


@dataclass(slots=True)
class Cluster:
    """One database server with the registry on it."""

    postgres: EmbeddedPostgres
    settings: Settings
    owner: OwnerDatabase
    servers: Servers
    client: redis.asyncio.Redis
    signals: RedisSignals

    @property
    def migrator_url(self) -> str:
        return str(self.settings.migrator_url)

    @property
    def environment(self) -> dict[str, str]:
        """What a command of Hazina needs to reach it all."""
        names = ("database_url", "migrator_url", "tenant_url", "redis_url", "data_dir")
        return {f"HAZINA_{name.upper()}": str(getattr(self.settings, name)) for name in names}

    def dsn(self, role: str, database: str) -> str:
        """For asyncpg and libpq."""
        return self.postgres.url(role, database).replace("+asyncpg", "", 1)

    async def superuser(self) -> asyncpg.Connection:
        """To look at other roles' sessions; the caller closes it."""
        return await asyncpg.connect(self.dsn("postgres", "postgres"))

    async def template(self) -> Template:
        """The frozen template of the newest revision."""
        async with self.servers.connect(self.migrator_url) as admin:
            return await ensure_template(admin, self.servers, self.migrator_url)

    async def ignore(self, tenant_id: UUID) -> None:
        """Stands for the invalidation of the directory: no other process looks."""


@asynccontextmanager
async def cluster() -> AsyncIterator[Cluster]:
    """Start it in a folder of its own; stopped and removed at the end."""
    with passable_folder() as folder:
        postgres, redis_server = EmbeddedPostgres(folder), EmbeddedRedis(folder)
        supervisor = Supervisor(print)
        await asyncio.gather(postgres.prepare(), redis_server.prepare())
        try:
            await supervisor.start(postgres.child())
            await supervisor.start(redis_server.child())
            await postgres.ready()
            client = redis.asyncio.Redis.from_url(redis_server.url)
            async with _registry(postgres, redis_server.url, client) as made:
                yield made
            await client.aclose()
        finally:
            await supervisor.stop()


@contextmanager
def passable_folder() -> Iterator[Path]:
    """A new folder that another user may pass through: as root, PostgreSQL runs as one."""
    folder = Path(tempfile.mkdtemp(prefix="hazina-bench-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@asynccontextmanager
async def _registry(
    postgres: EmbeddedPostgres, redis_url: str, client: redis.asyncio.Redis
) -> AsyncIterator[Cluster]:
    settings = Settings(
        database_url=postgres.url(OWNER_ROLE, OWNER_DATABASE),
        migrator_url=postgres.url(MIGRATOR_ROLE, MAINTENANCE_DATABASE),
        tenant_url=postgres.url(TENANT_ROLE, ""),
        redis_url=redis_url,
        data_dir=postgres.data_dir,
        database_server_capacity=CAPACITY,
    )
    await prepare_platform(settings)
    engine = create_async_engine(str(settings.database_url), pool_size=settings.owner_connections_max)
    signals = RedisSignals(client)
    try:
        yield Cluster(postgres, settings, OwnerDatabase(engine, signals), Servers(), client, signals)
    finally:
        await engine.dispose()
