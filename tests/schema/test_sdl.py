"""The committed SDL is what the code serves, and no client is broken in silence."""

import re
import subprocess
from pathlib import Path

import pytest
from graphql import build_schema, find_breaking_changes

from schema.sdl import SCHEMAS, print_sdl, sdl_file

ROOT = Path(__file__).resolve().parents[2]


def git(*arguments: str) -> str | None:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S607
    return done.stdout if done.returncode == 0 else None


def earlier(which: str) -> str | None:
    """What clients may rely on: the last release's SDL, else the last commit's that differs from now."""
    path = sdl_file(which).relative_to(ROOT)
    tag = git("describe", "--tags", "--abbrev=0")
    if tag is not None:
        return git("show", f"{tag.strip()}:{path}")
    now = sdl_file(which).read_text()
    return next(
        (
            text
            for commit in ("HEAD", "HEAD~1")
            if (text := git("show", f"{commit}:{path}")) not in {None, now}
        ),
        None,
    )


def unreleased_notes() -> str:
    changelog = ROOT / "CHANGELOG.md"
    text = changelog.read_text() if changelog.exists() else ""
    return re.split(r"^## \[?\d", text, maxsplit=1, flags=re.MULTILINE)[0]


@pytest.mark.parametrize("which", SCHEMAS)
def test_the_committed_sdl_is_what_the_code_serves(which: str) -> None:
    assert sdl_file(which).read_text() == print_sdl(which), (
        f"run: hazina schema {which} > schema/{which}.graphql"
    )


@pytest.mark.parametrize("which", SCHEMAS)
def test_a_change_that_breaks_clients_stands_in_the_changelog(which: str) -> None:
    old = earlier(which)
    if old is None:
        return

    breaking = find_breaking_changes(build_schema(old), build_schema(print_sdl(which)))

    notes = unreleased_notes()
    silent = [change.description for change in breaking if change.description not in notes]
    assert silent == [], "name each of these in CHANGELOG.md under Unreleased, with what clients should do"
