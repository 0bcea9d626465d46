"""What `hazina up` has running, read from /proc."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

ROLES: Final = ("server", "worker", "sandbox")


def children(launcher: int) -> Mapping[str, int]:
    """The pids of a launcher's own children by name: postgres, redis, server, worker, sandbox."""
    return {_name(pid): pid for pid in _children_of(launcher)}


def descendants(pid: int) -> set[int]:
    """Every process below `pid`."""
    found = set(_children_of(pid))
    for child in list(found):
        found |= descendants(child)
    return found


def backends(postgres: int) -> list[int]:
    """The processes of PostgreSQL that serve connections of ours."""
    return [pid for pid in _children_of(postgres) if b" hazina_" in _command_line(pid)]


def is_any_alive(pids: Iterable[int]) -> bool:
    """Whether one of these still runs; who has ended and was not waited for does not."""
    for pid in pids:
        with suppress(OSError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                return True
    return False


def resident_kb(pid: int) -> int:
    """What a process holds in memory."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise ValueError(f"process {pid} has no memory of its own")


def _children_of(pid: int) -> Iterator[int]:
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            # The name in parentheses may itself hold any character, so count from its end.
            state, parent = (process / "stat").read_text().rpartition(")")[2].split()[:2]
            if int(parent) == pid and state != "Z":
                yield int(process.name)


def _name(pid: int) -> str:
    words = _command_line(pid).decode(errors="replace").split("\0")
    for name in ("postgres", "redis"):
        if name in Path(words[0]).name or any(word.endswith(f"/{name}-server") for word in words):
            return name
    # Until it has become the program, a child's command line still starts with our interpreter.
    for name in ("postgres", "redis-server"):
        if any(Path(word).name == name for word in words):
            return name.removesuffix("-server")
    return next((word for word in words if word in ROLES), words[0])


def _command_line(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()
