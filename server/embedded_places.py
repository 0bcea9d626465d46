"""Where the embedded services keep their files, and as whom they run."""

import fcntl
import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from server.startup_errors import BinariesMissing, DataDirBusy, DataDirUnusable

ACCOUNT: Final = "hazina"
SYSTEM_DIR: Final = Path("/var/lib/hazina")
SOCKET_PATH_BYTES_MAX: Final = 107
"""What the kernel's sun_path holds beside its final zero."""
_LONGEST_SOCKET: Final = "/.s.PGSQL.5432.lock"
_SAFE_PATH: Final = re.compile(r"[A-Za-z0-9/._ -]+")
"""A comma would list two directories, a colon start a port, a percent sign an escape."""


@dataclass(frozen=True, slots=True)
class Account:
    """An OS user."""

    name: str
    uid: int
    gid: int

    def can(self, test: str, path: Path) -> bool:
        """Ask the kernel as that user; `test` is an option of test(1) such as `-x`."""
        test_program = shutil.which("test", path="/usr/bin:/bin")
        assert test_program is not None
        probe = subprocess.run(  # noqa: S603 - a fixed program
            [test_program, test, str(path)],
            user=self.uid,
            group=self.gid,
            extra_groups=[],
            cwd="/",
            check=False,
        )
        return probe.returncode == 0


def database_account() -> Account | None:
    """The user PostgreSQL runs as: None for our own, or another where we are root.

    PostgreSQL refuses root, and its initdb refuses a number without a name. So root makes the
    system user `hazina` on first use; where no account can be made, `nobody` serves.
    """
    if os.geteuid() != 0:
        return None
    for name in (ACCOUNT, "nobody"):
        entry = _entry(name) or (_create_account() if name == ACCOUNT else None)
        if entry is not None:
            return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    raise DataDirUnusable(
        "PostgreSQL can't run as root, and this system has no other user. Create one named hazina."
    )


def _entry(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _create_account() -> pwd.struct_passwd | None:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin")
    if useradd is not None:
        options = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
        subprocess.run(  # noqa: S603 - a fixed program
            [useradd, *options, "--shell", "/usr/sbin/nologin", ACCOUNT], capture_output=True, check=False
        )
    return _entry(ACCOUNT)


def make_data_dir(data_dir: Path) -> None:
    """Create the data directory and its folders; one that exists keeps its mode.

    Raises:
        DataDirUnusable: it can't be written.
    """
    # Root's own folders must let PostgreSQL's user through to what is his.
    mode = 0o711 if os.geteuid() == 0 else 0o700
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        for folder in (data_dir / "log", data_dir / "run", data_dir / "redis"):
            new_folder(folder, mode)
    except OSError as error:
        raise DataDirUnusable(
            f"The data directory {data_dir} can't be written: {error.strerror}. Choose another --data-dir."
        ) from error


def new_folder(path: Path, mode: int, owner: Account | None = None) -> None:
    """Create a folder with exactly this mode and owner, or leave the one that exists as it is."""
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        return
    if owner is not None:
        os.chown(path, owner.uid, owner.gid)
    path.chmod(mode)


@contextmanager
def sole_use(data_dir: Path) -> Iterator[None]:
    """Hold the data directory alone; the kernel lets go when this process ends in any way.

    Raises:
        DataDirBusy: another process holds it.
        DataDirUnusable: it can't be written.
    """
    make_data_dir(data_dir)
    try:
        lock = (data_dir / "hazina.lock").open("a+")
    except OSError as error:
        raise DataDirUnusable(
            f"The data directory {data_dir} can't be written: {error.strerror}. It belongs to another"
            " user: run as that user, or choose another --data-dir."
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise DataDirBusy(data_dir, lock.read().strip()) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def short_name(path: Path) -> str:
    """A name for a path that is the same at every start."""
    return hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:16]


def socket_folder(wanted: Path, owner: Account | None) -> Path:
    """Make `wanted` for sockets, or a short private folder where its path is no use for them.

    Raises:
        DataDirUnusable: somebody else made the short folder's name his own.
    """
    if _fits(wanted) and (owner is None or owner.can("-x", wanted.parent)):
        new_folder(wanted, 0o700, owner)
        return wanted
    folder = _runtime_dir() / f"hazina-{short_name(wanted)}"
    new_folder(folder, 0o700, owner)
    found = folder.lstat()
    uid = os.geteuid() if owner is None else owner.uid
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid or stat.S_IMODE(found.st_mode) != 0o700:
        raise DataDirUnusable(f"{folder} exists and is not ours alone. Remove it, or use another --data-dir.")
    return folder


def _fits(folder: Path) -> bool:
    path = f"{folder}{_LONGEST_SOCKET}"
    return len(os.fsencode(path)) <= SOCKET_PATH_BYTES_MAX and _SAFE_PATH.fullmatch(path) is not None


def _runtime_dir() -> Path:
    """A folder with a short path: /run for root, the session's own, or the temporary one."""
    candidates = [Path("/run")] if os.geteuid() == 0 else []
    candidates += [Path(text) for text in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir()) if text]
    for candidate in candidates:
        if _fits(candidate / f"hazina-{'0' * 16}") and os.access(candidate, os.W_OK | os.X_OK):
            return candidate
    return Path("/tmp")  # noqa: S108 - the folder made in it is private, and checked to be


def package_program(package: str, relative: str) -> Path:
    """A program inside an installed package, found without importing it: imports have side effects.

    Raises:
        BinariesMissing: the package is not installed, or not for this platform.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise BinariesMissing(package.replace("_", "-"), relative)
    program = Path(spec.origin).parent / relative
    if not program.is_file():
        raise BinariesMissing(package.replace("_", "-"), relative)
    return program
