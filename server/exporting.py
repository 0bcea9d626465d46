"""A tenant's whole database in one file, by PostgreSQL's own pg_dump."""

import asyncio
import os
import shutil
from pathlib import Path
from typing import Final

from sqlalchemy import make_url

from core.errors import DomainError
from owner_db.tenants.servers import without_password
from server.embedded import POSTGRES_PACKAGE
from server.embedded_places import package_program
from server.startup_errors import BinariesMissing

EXPORT_TIMEOUT_S: Final = 3_600


class ExportFailed(DomainError):
    """Nothing was exported; the message has what pg_dump said."""

    code = "EXPORT_FAILED"


async def export_database(url: str, path: Path) -> None:
    """Write the database at `url` to `path`, in pg_dump's custom format, for its owner alone to read.

    An export that is broken off leaves no file.

    Raises:
        ExportFailed: pg_dump refused, or took longer than EXPORT_TIMEOUT_S.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.new")
    # Made before pg_dump opens it, so that its contents are never readable by others.
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    password = make_url(url).password
    place = without_password(url).replace("+asyncpg", "", 1)
    process = await asyncio.create_subprocess_exec(
        _program(),
        *("--format=custom", "--no-password", "--lock-wait-timeout=30s", "--file", str(draft), place),
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **({} if password is None else {"PGPASSWORD": str(password)})},
    )
    try:
        async with asyncio.timeout(EXPORT_TIMEOUT_S):
            _, said = await process.communicate()
        if process.returncode != 0:
            raise ExportFailed(f"The export failed: {said.decode(errors='replace').strip()}")
        draft.replace(path)
    except TimeoutError as error:
        process.kill()
        raise ExportFailed(f"The export took longer than {EXPORT_TIMEOUT_S} s.") from error
    finally:
        draft.unlink(missing_ok=True)


def _program() -> str:
    """The embedded server's pg_dump, or the machine's own: one older than the server refuses it."""
    try:
        return str(package_program(POSTGRES_PACKAGE, "pginstall18/bin/pg_dump"))
    except BinariesMissing as missing:
        found = shutil.which("pg_dump")
        if found is None:
            raise ExportFailed("There is no pg_dump here. Install PostgreSQL's client programs.") from missing
        return found
