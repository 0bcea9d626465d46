"""The chains of migrations, read from their files: Alembic takes longer to import than a look takes."""

import re
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
_REVISION: Final = re.compile(r'^revision = "(\w+)"$', re.MULTILINE)
_AFTER: Final = re.compile(r'^down_revision = (?:None|"(\w+)")$', re.MULTILINE)


class Which(StrEnum):
    """Which of the two schemas a database has."""

    OWNER = "owner"
    TENANT = "tenant"


def folder(which: Which) -> Path:
    """Where the chain's files and its `env.py` are."""
    return ROOT / f"{which}_db" / "migrations"


def head(which: Which) -> str:
    """The newest revision of the chain that this process knows."""
    return _chain(which)[-1]


def revisions(which: Which) -> list[str]:
    """Every revision of the chain, the oldest first."""
    return list(_chain(which))


def too_old(which: Which) -> frozenset[str]:
    """Revisions that this code no longer serves: all before the newest but one.

    One that this code does not know is newer, for a later release has upgraded the tenant; since
    migrations only expand, it is served.
    """
    return frozenset(_chain(which)[:-2])


@cache
def _chain(which: Which) -> tuple[str, ...]:
    following: dict[str | None, str] = {}
    for path in (folder(which) / "versions").glob("*.py"):
        text = path.read_text()
        revision, after = _REVISION.search(text), _AFTER.search(text)
        if revision is None or after is None or after[1] in following:
            raise ValueError(f"{path} is no link of one chain")
        following[after[1]] = revision[1]
    chain: list[str] = []
    while (found := following.pop(chain[-1] if chain else None, None)) is not None:
        chain.append(found)
    if following or not chain:
        raise ValueError(f"{folder(which)} holds no whole chain")
    return tuple(chain)
