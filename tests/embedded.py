"""A PostgreSQL and a Redis for one test run, gone afterwards."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

from server.embedded import EmbeddedPostgres, EmbeddedRedis
from server.supervisor import Supervisor

FAST: Final[Mapping[str, str]] = {
    # A test run need not survive a power cut; every commit is still real.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    # Nobody recovers it or copies from it, and its databases are small.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "4GB",
    "autovacuum": "off",
}


@asynccontextmanager
async def throwaway_postgres(*, settings: Mapping[str, str] = FAST) -> AsyncIterator[EmbeddedPostgres]:
    """A PostgreSQL with the three roles and no database of ours, in a folder of its own."""
    with passable_folder() as folder:
        postgres = EmbeddedPostgres(folder, settings)
        supervisor = Supervisor(print)
        await postgres.prepare()
        try:
            await supervisor.start(postgres.child())
            await postgres.ready()
            yield postgres
        finally:
            await supervisor.stop()


@asynccontextmanager
async def throwaway_redis() -> AsyncIterator[EmbeddedRedis]:
    """An empty Redis, in a folder of its own."""
    with passable_folder() as folder:
        redis = EmbeddedRedis(folder)
        supervisor = Supervisor(print)
        await redis.prepare()
        try:
            await supervisor.start(redis.child())
            yield redis
        finally:
            await supervisor.stop()


@contextmanager
def passable_folder() -> Iterator[Path]:
    """A new folder that another user may pass through: as root, PostgreSQL runs as one."""
    folder = Path(tempfile.mkdtemp(prefix="hazina-test-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
