"""What a benchmark gives: one row beside its baseline, and the file that keeps all of them."""

import json
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
LATEST: Final = ROOT / "bench" / "results" / "latest.json"
DIGITS: Final = 4
"""Significant ones: the rest is noise."""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure; `baseline` is in the same unit, measured in the same run."""

    name: str
    value: float
    unit: str
    baseline: float | None
    samples: int
    note: str

    @property
    def ratio(self) -> float | None:
        """Ours over the baseline's: more is better for a rate, worse for a time."""
        return None if self.baseline is None else self.value / self.baseline

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "value": rounded(self.value),
            "unit": self.unit,
            "baseline": None if self.baseline is None else rounded(self.baseline),
            "ratio": None if self.ratio is None else rounded(self.ratio),
            "samples": self.samples,
            "note": self.note,
        }


@dataclass(frozen=True, slots=True)
class Machine:
    """Where it ran."""

    processor: str
    cores: int
    memory_gib: float
    system: str
    python: str


def percentile(samples: Sequence[float], per_cent: int) -> float:
    """Of at least two samples, interpolated."""
    return quantiles(samples, n=100, method="inclusive")[per_cent - 1]


def middle(samples: Iterable[float]) -> float:
    """The median."""
    return float(median(samples))


def rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def write(rows: Iterable[Row], settings: Mapping[str, Any], commands: Mapping[str, str]) -> None:
    """Put `rows` into the file; rows of an earlier run that were not measured again are left out."""
    document = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "machine": asdict(machine()),
        "settings": settings,
        "commands": commands,
        "rows": [row.as_json() for row in rows],
    }
    LATEST.parent.mkdir(exist_ok=True)
    LATEST.write_text(json.dumps(document, indent=1) + "\n")


def machine() -> Machine:
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=rounded(pages / 2**30),
        system=f"{platform.system()} {platform.release().split('-')[0]} {platform.machine()}",
        python=platform.python_version(),
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def _commit() -> str:
    """The commit that was measured, and whether the work tree differed from it."""
    head = _git("rev-parse", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ":!bench/results")
    return f"{head} with local changes" if changed else head


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(ROOT), *arguments],  # noqa: S607 - wherever git is
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()
