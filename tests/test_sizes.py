"""Functions and files stay small enough to be judged at once.

A longer one says why on its first line (`# long: one guard per refusal`) and stands here with its
size, which may only fall.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT = Path(__file__).parent.parent
PLACES = (
    *("core", "tenancy", "owner_db", "tenant_db", "integrations", "resolvers", "schema", "jobs", "server"),
    *("bench", "tests"),
)
FILE_LINES_MAX: Final = 300
FUNCTION_LINES_MAX: Final = 40
MARK: Final = "# long: "

LONG: Final[dict[str, int]] = {}
"""`file` or `file::function` → its lines; a smaller number replaces it, a larger one never."""


def sources() -> Iterator[Path]:
    for place in PLACES:
        for path in sorted((ROOT / place).rglob("*.py")):
            # A migration that has run is never edited, whatever its length.
            if "versions" not in path.parts and "node_modules" not in path.parts:
                yield path


def measured(path: Path) -> Iterator[tuple[str, int, int, str]]:
    """What is too long in a file: its name, lines, limit, and the line that should say why."""
    text = path.read_text()
    lines = text.splitlines()
    name = str(path.relative_to(ROOT))
    if len(lines) > FILE_LINES_MAX:
        yield name, len(lines), FILE_LINES_MAX, lines[0]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            count = (node.end_lineno or node.lineno) - node.lineno + 1
            if count > FUNCTION_LINES_MAX:
                yield f"{name}::{node.name}", count, FUNCTION_LINES_MAX, lines[node.lineno - 1]


@pytest.mark.parametrize("place", PLACES)
def test_what_is_long_says_why_and_only_shrinks(place: str) -> None:
    complaints = []
    for path in sources():
        if path.relative_to(ROOT).parts[0] != place:
            continue
        for name, count, limit, first_line in measured(path):
            if MARK not in first_line:
                complaints.append(
                    f"{name} has {count} lines, more than {limit}: split it, or say why it is long"
                )
            elif count > LONG.get(name, limit):
                complaints.append(
                    f"{name} has {count} lines; tests/test_sizes.py allows {LONG.get(name, limit)}"
                )
    assert complaints == []


def test_the_allowances_are_all_in_use() -> None:
    paths = {name.partition("::")[0] for name in LONG}
    found = {name: count for path in paths for name, count, _, _ in measured(ROOT / path)}

    assert {name: found.get(name, 0) for name in LONG} == LONG
