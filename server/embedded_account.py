"""The OS user that PostgreSQL runs as."""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from server.startup_errors import BinariesMissing, DataDirUnusable

NAME: Final = "hazina"
FALLBACK_NAME: Final = "nobody"
_SYSTEM_PATH: Final = "/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Account:
    """An OS user other than ours; only root can act for one."""

    name: str
    uid: int
    gid: int

    def reaches(self, path: Path) -> bool:
        """Whether that user may enter the folder, or run the program: the kernel is asked as that user."""
        program = shutil.which("test", path=_SYSTEM_PATH)
        if program is None:
            raise BinariesMissing("coreutils", "test")
        argv = [program, "-x", str(path)]
        try:
            probe = subprocess.run(  # noqa: S603 - a fixed program
                argv, user=self.uid, group=self.gid, extra_groups=[], cwd="/", check=False
            )
        except PermissionError as error:
            raise DataDirUnusable(
                f"PostgreSQL can't run as root, and this root may not act for the user {self.name}. Run as"
                " an ordinary user, or allow the capabilities SETUID and SETGID."
            ) from error
        return probe.returncode == 0


def account_for(cluster_dir: Path | None) -> Account | None:
    """Who runs PostgreSQL: None for ourselves, or another user where we are root.

    PostgreSQL refuses root, serves only files of its own user, and its initdb refuses a uid without
    a name. So files that exist are served by their owner; new ones by the system user `hazina`,
    made on first use, or by `nobody` where no user can be made.

    Raises:
        DataDirUnusable: the files belong to somebody we can't be, or we have no name to make them.
    """
    if os.geteuid() != 0:
        if cluster_dir is None and _entry_of(os.geteuid()) is None:
            raise DataDirUnusable(
                f"PostgreSQL's files can't be made by the user id {os.geteuid()}, which has no name on this"
                " system. Add it to /etc/passwd, or run as a user that is there."
            )
        return None
    if cluster_dir is None:
        return _own_account()
    found = cluster_dir.stat()
    if found.st_uid == 0:
        raise DataDirUnusable(
            f"{cluster_dir} belongs to root, and PostgreSQL can't run as root. Give it to another user:"
            f" chown -R {NAME} {cluster_dir}"
        )
    entry = _entry_of(found.st_uid)
    return Account(entry.pw_name if entry else str(found.st_uid), found.st_uid, found.st_gid)


def _own_account() -> Account:
    entry = _entry(NAME) or _created() or _entry(FALLBACK_NAME)
    if entry is None:
        raise DataDirUnusable(
            f"PostgreSQL can't run as root, and this system has no other user. Create one named {NAME}."
        )
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _created() -> pwd.struct_passwd | None:
    useradd = shutil.which("useradd", path=_SYSTEM_PATH)
    if useradd is None:
        return None
    options = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    subprocess.run(  # noqa: S603 - a fixed program
        [useradd, *options, "--shell", "/usr/sbin/nologin", NAME], capture_output=True, check=False
    )
    # Asked for rather than told by the exit status: another start may have been first.
    return _entry(NAME)


def _entry(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _entry_of(uid: int) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        return None
