"""Upgrading 200 tenants by the command line: nothing to do, and one ALTER."""

import asyncio
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Final

from cluster import Cluster, cluster, passable_folder
from fleet import clone_fleet
from results import ROOT, Row, middle

from tenancy.revisions import Which, head

TENANTS: Final = 200
NOTHING_ROUNDS: Final = 5
ALTER_ROUNDS: Final = 3
ROOMS: Final = (
    "core",
    "tenancy",
    "owner_db",
    "tenant_db",
    "integrations",
    "resolvers",
    "schema",
    "jobs",
    "server",
)
REVISION: Final = '''"""One more column, as a release would bring it."""

from alembic import op

revision = "{revision}"
down_revision = "{down_revision}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("ALTER TABLE customers ADD COLUMN bench_{number} text")
'''
NOTHING_NOTE: Final = (
    f"`hazina migrate tenants` with {TENANTS} tenants that are at the newest revision, start included"
)
ALTER_NOTE: Final = (
    f"`hazina migrate tenants` with one ALTER TABLE on each of {TENANTS} tenants, canaries first, every live"
    " catalogue checked; start and the new revision's template included"
)


async def migrate_200() -> list[Row]:
    """Rows `migrate_200_noop_s` and `migrate_200_alter_s`."""
    async with cluster() as made:
        await clone_fleet(made, TENANTS)
        with _release() as release:
            await _migrate(release, made)
            nothing = [await _migrate(release, made) for _ in range(NOTHING_ROUNDS)]
            alter = []
            for number in range(ALTER_ROUNDS):
                _add_revision(release, number)
                alter.append(await _migrate(release, made))
                print(f"  one ALTER on {TENANTS} tenants: {alter[-1]:.1f} s", flush=True)
            await _require_upgraded(made)
    print(f"  nothing to do: {middle(nothing):.2f} s", flush=True)
    return [
        Row("migrate_200_noop_s", middle(nothing), "s", None, NOTHING_ROUNDS, NOTHING_NOTE),
        Row("migrate_200_alter_s", middle(alter), "s", None, ALTER_ROUNDS, ALTER_NOTE),
    ]


@contextmanager
def _release() -> Iterator[Path]:
    """The code as it is, in a folder where a revision can be added to it."""
    with passable_folder() as folder:
        for room in ROOMS:
            shutil.copytree(ROOT / room, folder / room)
        yield folder


def _add_revision(release: Path, number: int) -> None:
    versions = release / "tenant_db" / "migrations" / "versions"
    text = REVISION.format(revision=_name(number), down_revision=_name(number - 1), number=number)
    (versions / f"2099-01-01-{number:04}_pre_bench.py").write_text(text)


def _name(number: int) -> str:
    return head(Which.TENANT) if number < 0 else f"bench_{number}"


async def _migrate(release: Path, made: Cluster) -> float:
    began = perf_counter()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "server.cli",
        "migrate",
        "tenants",
        cwd=release,
        env=_environment(made.environment, release),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    took = perf_counter() - began
    if process.returncode:
        raise RuntimeError(f"hazina migrate tenants failed: {output.decode()}")
    return took


def _environment(given: Mapping[str, str], release: Path) -> dict[str, str]:
    return {**os.environ, **given, "PYTHONPATH": str(release)}


async def _require_upgraded(made: Cluster) -> None:
    """The last column is in every tenant's database, by the databases' own word."""
    connection = await made.superuser()
    try:
        names = await connection.fetch("SELECT datname FROM pg_database WHERE datname LIKE 't\\_%'")
    finally:
        await connection.close()
    if len(names) != TENANTS:
        raise AssertionError(f"{len(names)} tenant databases, not {TENANTS}")
    for row in names:
        async with made.servers.connect(made.migrator_url, row["datname"]) as tenant:
            if not await tenant.fetchval(
                "SELECT count(*) FROM pg_attribute WHERE attrelid = 'customers'::regclass AND attname = $1",
                f"bench_{ALTER_ROUNDS - 1}",
            ):
                raise AssertionError(f"{row['datname']} was not upgraded")
