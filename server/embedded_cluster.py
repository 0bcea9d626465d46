"""The files of the embedded PostgreSQL: where they are, how they are made and configured."""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from server.embedded_places import SYSTEM_DIR, Account, new_folder, short_name
from server.startup_errors import CannotStart, DataDirUnusable, DiskFull, PostgresVersionDiffers

VERSION: Final = "18"
SETTINGS_FILE: Final = "hazina.conf"
POINTER_FILE: Final = "postgres.location"
"""In the data directory: where PostgreSQL's files are when they could not be there."""
CREATE_TIMEOUT_S: Final = 120

SETTINGS: Final[Mapping[str, str]] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "min_wal_size": "80MB",
    "max_wal_size": "1GB",
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

_SHIM: Final = Path(__file__).with_name("supervised.py")


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where a cluster is, or shall be."""

    cluster_dir: Path
    bin_dir: Path
    is_new: bool
    notes: tuple[str, ...]
    """What the operator should know about the place."""


def find_cluster(data_dir: Path, bin_dir: Path, account: Account | None) -> Cluster:
    """Choose the place of PostgreSQL's files and programs: the data directory where its user can go.

    Raises:
        DataDirUnusable: files are there that can't be used, or no longer where they were.
        PostgresVersionDiffers: another major version wrote them.
    """
    notes: list[str] = []
    place = _place(data_dir, account)
    if place.parent != data_dir:
        notes.append(
            f"PostgreSQL's user {account and account.name} can't reach {data_dir}: its files are in {place}"
        )
    programs = _programs(bin_dir, account, notes)
    version = place / "PG_VERSION"
    try:
        found = version.read_text().strip() if version.exists() else None
    except PermissionError as error:
        raise DataDirUnusable(
            f"{place} belongs to another user. Run as that user, or choose another --data-dir."
        ) from error
    if found not in (None, VERSION):
        raise PostgresVersionDiffers(place, found, VERSION)
    return Cluster(place, programs, found is None, tuple(notes))


def _place(data_dir: Path, account: Account | None) -> Path:
    pointer = data_dir / POINTER_FILE
    if pointer.exists():
        place = Path(pointer.read_text().strip())
        if not place.exists():
            raise DataDirUnusable(
                f"PostgreSQL's files for {data_dir} were in {place} and are gone. Put them back, or remove"
                f" {pointer} to start with empty databases."
            )
        return place
    if account is None or (data_dir / "postgres").exists() or account.can("-x", data_dir):
        return data_dir / "postgres"
    new_folder(SYSTEM_DIR, 0o755)
    home = SYSTEM_DIR / short_name(data_dir)
    new_folder(home, 0o711)
    return home / "postgres"


def _programs(bin_dir: Path, account: Account | None, notes: list[str]) -> Path:
    """The programs, copied once to where PostgreSQL's user can run them if it can't reach the package."""
    if account is None or account.can("-x", bin_dir / "postgres"):
        return bin_dir
    install = bin_dir.parent
    package = install.parent
    new_folder(SYSTEM_DIR, 0o755)
    copy = SYSTEM_DIR / f"programs-{short_name(install)}"
    notes.append(f"PostgreSQL's user {account.name} can't reach {package}: its programs are copied to {copy}")
    if not copy.exists():
        unfinished = copy.with_name(f"{copy.name}.{os.getpid()}")
        shutil.copytree(install, unfinished / package.name / install.name, symlinks=True)
        # The programs look for these beside their package.
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
        unfinished.replace(copy)
    return copy / package.name / install.name / bin_dir.name


async def create_cluster(cluster_dir: Path, bin_dir: Path, account: Account | None, superuser: str) -> None:
    """Run initdb beside the final place and move the result there: a crash leaves nothing half-made.

    Raises:
        DiskFull: no space for an empty cluster, about 60 MB.
        CannotStart: initdb failed; the message has what it said.
    """
    unfinished = cluster_dir.with_name(f"{cluster_dir.name}.new")
    shutil.rmtree(unfinished, ignore_errors=True)
    new_folder(unfinished, 0o700, account)
    locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    options = ["--auth=trust", f"--username={superuser}", "--no-instructions", *locale]
    uid, gid = (account.uid, account.gid) if account is not None else (-1, -1)
    shim = [sys.executable, "-I", "-S", str(_SHIM), str(os.getpid()), str(int(signal.SIGKILL))]
    process = await asyncio.create_subprocess_exec(
        *shim,
        str(uid),
        str(gid),
        str(bin_dir / "initdb"),
        "-D",
        str(unfinished),
        *options,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        cwd="/",
        start_new_session=True,
    )
    async with asyncio.timeout(CREATE_TIMEOUT_S):
        output, _ = await process.communicate()
    said = output.decode(errors="replace")
    if process.returncode != 0:
        shutil.rmtree(unfinished, ignore_errors=True)
        if "No space left on device" in said:
            raise DiskFull("PostgreSQL", cluster_dir.parent)
        raise CannotStart(f"PostgreSQL's files could not be made in {cluster_dir}:\n{said.strip()}")
    unfinished.rename(cluster_dir)


def write_settings(cluster_dir: Path, account: Account | None, settings: Mapping[str, str]) -> None:
    """Write our settings; what the operator set with ALTER SYSTEM still goes over them."""
    lines = [
        f"{name} = '{value.replace(chr(39), chr(39) * 2)}'"
        for name, value in {**SETTINGS, **settings}.items()
    ]
    ours = cluster_dir / SETTINGS_FILE
    ours.write_text("\n".join(lines) + "\n")
    main = cluster_dir / "postgresql.conf"
    include = f"include = '{SETTINGS_FILE}'\n"
    text = main.read_text()
    if include not in text:
        main.write_text(text + include)
    if account is not None:
        os.chown(ours, account.uid, account.gid)
