"""The files of the embedded PostgreSQL: where they are, how they are made, who else holds them."""

import asyncio
import os
import shutil
import signal
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Final

from server.child import bound_to_us
from server.embedded_account import Account
from server.embedded_places import PASSABLE, PRIVATE, SYSTEM_DIR, new_folder, short_name
from server.startup_errors import (
    CannotStart,
    DataDirBusy,
    DataDirUnusable,
    DiskFull,
    PostgresVersionDiffers,
    tells_of_full_disk,
)

VERSION: Final = "18"
POINTER_FILE: Final = "postgres.location"
"""In the data directory: where PostgreSQL's files are, when they could not be in it."""
CREATE_TIMEOUT_S: Final = 120
PREDECESSOR_TIMEOUT_S: Final = 15.0
PREDECESSOR_POLL_S: Final = 0.05


def existing_cluster(data_dir: Path) -> Path | None:
    """The files of an earlier start.

    Raises:
        DataDirUnusable: they are no longer where they were, or belong to somebody else.
        PostgresVersionDiffers: another major version wrote them.
    """
    place = data_dir / "postgres"
    pointer = data_dir / POINTER_FILE
    if pointer.exists():
        place = Path(pointer.read_text().strip())
        if not place.exists():
            raise DataDirUnusable(
                f"PostgreSQL's files for {data_dir} were in {place} and are gone. Put them back, or remove"
                f" {pointer} to start with empty databases."
            )
    if not place.exists():
        return None
    try:
        version = (place / "PG_VERSION").read_text().strip()
    except OSError as error:
        raise DataDirUnusable(
            f"PostgreSQL's files in {place} can't be used: {error.strerror}. Run as the user they belong"
            " to, or choose another --data-dir."
        ) from error
    if version != VERSION:
        raise PostgresVersionDiffers(place, version, VERSION)
    return place


def new_place(data_dir: Path, account: Account | None) -> Path:
    """Choose where new files go: the data directory, or /var/lib/hazina if their user can't go there.

    Never where an earlier data directory of the same path left its files.
    """
    if account is None or account.reaches(data_dir):
        return data_dir / "postgres"
    new_folder(SYSTEM_DIR, 0o755)
    name = short_name(data_dir)
    number = 1
    while (home := SYSTEM_DIR / (name if number == 1 else f"{name}-{number}")).exists():
        number += 1
    new_folder(home, PASSABLE)
    return home / "postgres"


async def create_cluster(cluster_dir: Path, bin_dir: Path, account: Account | None, superuser: str) -> None:
    """Run initdb beside the final place and move the result there: a crash leaves nothing half-made.

    Raises:
        DiskFull: no space for an empty cluster, about 60 MB.
        CannotStart: initdb failed; the message has what it said.
    """
    unfinished = cluster_dir.with_name(f"{cluster_dir.name}.new")
    shutil.rmtree(unfinished, ignore_errors=True)
    new_folder(unfinished, PRIVATE, account)
    status, said = await _initdb(unfinished, bin_dir, account, superuser)
    if status != 0:
        shutil.rmtree(unfinished, ignore_errors=True)
        # Its folder below /var/lib/hazina was made for it alone; a data directory is never empty.
        with suppress(OSError):
            cluster_dir.parent.rmdir()
        if tells_of_full_disk(said):
            raise DiskFull("PostgreSQL", cluster_dir.parent)
        raise CannotStart(f"PostgreSQL's files could not be made in {cluster_dir}:\n{said.strip()}")
    unfinished.rename(cluster_dir)


async def _initdb(
    place: Path, bin_dir: Path, account: Account | None, superuser: str
) -> tuple[int | None, str]:
    # Sorts and folds the same on every machine: the operating system's locales are not asked.
    locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    options = ["--auth=trust", f"--username={superuser}", "--no-instructions", *locale]
    argv = [str(bin_dir / "initdb"), "-D", str(place), *options]
    process = await asyncio.create_subprocess_exec(
        *bound_to_us(argv, signal.SIGKILL, (account.uid, account.gid) if account is not None else None),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        cwd="/",
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(CREATE_TIMEOUT_S):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return process.returncode, output.decode(errors="replace")


def reachable_programs(bin_dir: Path, account: Account | None) -> Path:
    """The programs, copied once to where PostgreSQL's user can run them if it can't reach the package."""
    if account is None or account.reaches(bin_dir / "postgres"):
        return bin_dir
    install = bin_dir.parent
    package = install.parent
    new_folder(SYSTEM_DIR, 0o755)
    copy = SYSTEM_DIR / f"programs-{short_name(install)}"
    if not copy.exists():
        unfinished = copy.with_name(f"{copy.name}.{os.getpid()}")
        try:
            _copy_programs(install, unfinished / package.name / install.name)
        except OSError:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        unfinished.rename(copy)
    return copy / package.name / install.name / bin_dir.name


def _copy_programs(install: Path, copy: Path) -> None:
    shutil.copytree(install, copy, symlinks=True)
    # The programs look for these beside their package.
    libraries = install.parent.with_name(f"{install.parent.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, copy.parent.with_name(libraries.name), symlinks=True)


async def outlive_predecessor(cluster_dir: Path) -> None:
    """Wait for the server of a launcher that was killed: its processes need a moment to end.

    Afterwards its pid file is stale, whatever now has that pid; PostgreSQL itself can't tell, and
    would refuse to start after a container's restart gave the pid to another program. The caller
    holds the data directory alone.

    Raises:
        DataDirBusy: it does not end.
    """
    deadline = monotonic() + PREDECESSOR_TIMEOUT_S
    while (pid := _process_in(cluster_dir)) is not None:
        if monotonic() > deadline:
            raise DataDirBusy(cluster_dir, pid)
        await asyncio.sleep(PREDECESSOR_POLL_S)
    if sys.platform == "linux":
        (cluster_dir / "postmaster.pid").unlink(missing_ok=True)


def _process_in(cluster_dir: Path) -> str | None:
    """The pid of any process that works in the folder, as each of PostgreSQL's does."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").samefile(cluster_dir):
                return process.name
    return None
