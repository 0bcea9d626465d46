"""Installs a plugin the way pip does, from its pyproject.toml, without building or a network."""

import importlib
import shutil
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from integrations.registry import integrations

EXAMPLE = Path(__file__).parents[2] / "docs" / "plugins" / "example_bank"


@contextmanager
def installed_plugin(source: Path, target: Path) -> Iterator[None]:
    """Its packages and entry points lie in `target`, which is on the path until the end."""
    project = tomllib.loads((source / "pyproject.toml").read_text())
    packages: list[str] = project["tool"]["setuptools"]["packages"]
    for package in packages:
        shutil.copytree(source / package, target / package, ignore=shutil.ignore_patterns("__pycache__"))
    _write_dist_info(target, project["project"])
    with on_path(target):
        yield
    for name in [name for name in sys.modules if name.partition(".")[0] in packages]:
        del sys.modules[name]


@contextmanager
def on_path(target: Path) -> Iterator[None]:
    """As if it were a folder of installed packages."""
    sys.path.insert(0, str(target))
    importlib.invalidate_caches()
    integrations.cache_clear()
    try:
        yield
    finally:
        sys.path.remove(str(target))
        importlib.invalidate_caches()
        integrations.cache_clear()


def write_entry_points(target: Path, name: str, **entries: str) -> None:
    """A distribution that has nothing but plugins: `code="module:attribute"`."""
    _write_dist_info(
        target, {"name": name, "version": "1", "entry-points": {"hazina.providers": dict(entries)}}
    )


def _write_dist_info(target: Path, project: dict[str, object]) -> None:
    name, version = str(project["name"]), str(project["version"])
    info = target / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    groups = project["entry-points"]
    assert isinstance(groups, dict)
    lines = [
        f"[{group}]\n" + "".join(f"{entry} = {value}\n" for entry, value in entries.items())
        for group, entries in groups.items()
    ]
    (info / "entry_points.txt").write_text("\n".join(lines))
