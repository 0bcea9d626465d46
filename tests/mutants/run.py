"""Judges the tests of the money paths: each patch here takes one guard away, and a test must fail.

A patch says in its head, on lines `# test: …`, which tests guard the line. They run in a temporary
worktree of HEAD: first as it is, where all must pass, then once under each patch, where one must fail.
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Final

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parent.parent
MARK: Final = "# test: "
PASSED: Final = 0
FAILED: Final = 1
"""pytest's: tests ran, and some failed. Anything else, such as a broken import, judges nothing."""
RUN_MAX_S: Final = 120.0
TEST_MAX_S: Final = 30.0
"""Added for each test that runs: before the first mutant, all of them do."""


def main() -> int:
    """Run all patches, or those that are named; print one line each. 0 if every one is noticed."""
    wanted = set(sys.argv[1:])
    patches = [path for path in sorted(HERE.glob("*.patch")) if not wanted or path.stem in wanted]
    if not patches:
        say("no such mutant")
        return 2
    with worktree() as place:
        guards = sorted({test for patch in patches for test in tests_of(patch)})
        if run_tests(place, guards) != PASSED:
            say("the tests fail without any mutant")
            return 2
        survivors = [patch.stem for patch in patches if not is_noticed(place, patch)]
    say(f"{len(patches) - len(survivors)} of {len(patches)} mutants noticed")
    return 1 if survivors else 0


def is_noticed(place: Path, patch: Path) -> bool:
    """Whether a test of the patch fails under it."""
    started = monotonic()
    git(place, "apply", str(patch))
    try:
        status = run_tests(place, tests_of(patch))
    finally:
        git(place, "apply", "--reverse", str(patch))
    verdict = {FAILED: "noticed", PASSED: "SURVIVES"}.get(status, f"NOT JUDGED ({status})")
    say(f"{patch.stem}: {verdict} ({monotonic() - started:.0f} s)")
    return status == FAILED


def tests_of(patch: Path) -> Sequence[str]:
    """The tests that its head names."""
    lines = patch.read_text().splitlines()
    return [line.removeprefix(MARK) for line in lines if line.startswith(MARK)]


def run_tests(place: Path, tests: Sequence[str]) -> int:
    """Run them; gives pytest's exit status. Tests that hang have failed."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    try:
        return subprocess.run(
            command, cwd=place, check=False, capture_output=True, timeout=RUN_MAX_S + TEST_MAX_S * len(tests)
        ).returncode
    except subprocess.TimeoutExpired:
        return FAILED


@contextmanager
def worktree() -> Iterator[Path]:
    """A checkout of HEAD that nobody else works in."""
    with TemporaryDirectory(prefix="hazina-mutants-") as folder:
        place = Path(folder) / "tree"
        git(ROOT, "worktree", "add", "--quiet", "--detach", str(place), "HEAD")
        try:
            yield place
        finally:
            git(ROOT, "worktree", "remove", "--force", str(place))


def git(place: Path, *arguments: str) -> None:
    """Raises subprocess.CalledProcessError: a patch does not fit any more."""
    subprocess.run(["git", *arguments], cwd=place, check=True, stdout=subprocess.DEVNULL)  # noqa: S607 - git is where the user has it


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
