"""Where the embedded services keep their files and sockets."""

import fcntl
import hashlib
import importlib.util
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO

from server.embedded_account import Account
from server.startup_errors import BinariesMissing, DataDirBusy, DataDirUnusable, unwritable

SYSTEM_DIR: Final = Path("/var/lib/hazina")
SOCKET_PATH_BYTES_MAX: Final = 107
"""What the kernel's sun_path holds beside its final zero."""
PRIVATE: Final = 0o700
PASSABLE: Final = 0o711
"""Private, but another user gets through to the folders below that are his."""
_LONGEST_SOCKET: Final = "/.s.PGSQL.5432.lock"
_SAFE_PATH: Final = re.compile(r"[A-Za-z0-9/._ -]+")
"""A comma would list two directories, a colon start a port, a percent sign an escape."""


@contextmanager
def sole_use(data_dir: Path) -> Iterator[None]:
    """Make the data directory and hold it alone; the kernel lets go however this process ends.

    Raises:
        DataDirBusy: another process holds it.
        CannotStart: it can't be written, or the disk is full.
    """
    make_data_dir(data_dir)
    try:
        lock = _locked(data_dir)
    except OSError as error:
        raise unwritable(error, data_dir) from error
    with lock:
        yield


def make_data_dir(data_dir: Path) -> None:
    """Create the data directory and its folders; one that exists keeps its mode.

    Raises:
        CannotStart: it can't be written, or the disk is full.
    """
    # Where root starts us, PostgreSQL's own user must get through to its files and sockets.
    mode = PASSABLE if os.geteuid() == 0 else PRIVATE
    try:
        data_dir.parent.mkdir(parents=True, exist_ok=True)
        new_folder(data_dir, mode)
        new_folder(data_dir / "run", mode)
        new_folder(data_dir / "log", PRIVATE)
    except OSError as error:
        raise unwritable(error, data_dir) from error


def new_folder(path: Path, mode: int, owner: Account | None = None) -> None:
    """Create a folder with exactly this mode and owner, or leave the one that exists as it is."""
    try:
        path.mkdir(mode=PRIVATE)
    except FileExistsError:
        return
    if owner is not None:
        os.chown(path, owner.uid, owner.gid)
    path.chmod(mode)


def short_name(path: Path) -> str:
    """A name for a path that is the same at every start."""
    return hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:16]


def socket_folder(wanted: Path, owner: Account | None) -> Path:
    """Make `wanted` for sockets, or a short private folder where its path is no use for them.

    Raises:
        DataDirUnusable: somebody else made the short folder's name his own.
    """
    if _fits(wanted) and (owner is None or owner.reaches(wanted.parent)):
        new_folder(wanted, PRIVATE, owner)
        return wanted
    folder = short_folder(wanted)
    new_folder(folder, PRIVATE, owner)
    found = folder.lstat()
    uid = os.geteuid() if owner is None else owner.uid
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid or stat.S_IMODE(found.st_mode) != PRIVATE:
        raise DataDirUnusable(f"{folder} exists and is not ours alone. Remove it, or use another --data-dir.")
    return folder


def short_folder(wanted: Path) -> Path:
    """What stands in for `wanted`: the same at every start of the same user."""
    return _runtime_dir() / f"hazina-{short_name(wanted)}"


def package_program(package: str, relative: str) -> Path:
    """A program inside an installed package, found without importing it: imports have side effects.

    Raises:
        BinariesMissing: the package is not installed, or not for this platform.
    """
    spec = importlib.util.find_spec(package)
    program = Path(spec.origin).parent / relative if spec is not None and spec.origin is not None else None
    if program is None or not program.is_file():
        raise BinariesMissing(package.replace("_", "-"), relative)
    return program


def _locked(data_dir: Path) -> TextIO:
    lock = (data_dir / "hazina.lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        with lock:
            lock.seek(0)
            raise DataDirBusy(data_dir, lock.read().strip()) from error
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def _fits(folder: Path) -> bool:
    path = f"{folder}{_LONGEST_SOCKET}"
    return len(os.fsencode(path)) <= SOCKET_PATH_BYTES_MAX and _SAFE_PATH.fullmatch(path) is not None


def _runtime_dir() -> Path:
    """A folder with a short path: /run for root, the session's own, or the temporary one."""
    named = ["/run"] if os.geteuid() == 0 else [os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir()]
    for candidate in (Path(text) for text in named if text):
        if _fits(candidate / f"hazina-{'0' * 16}") and os.access(candidate, os.W_OK | os.X_OK):
            return candidate
    return Path("/tmp")  # noqa: S108 - the folder made in it is private, and checked to be
