"""The rooms' names belong to us alone."""

from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROOMS = ("core", "tenancy", "owner_db", "tenant_db", "integrations", "resolvers", "schema", "jobs", "server")


def test_no_other_distribution_owns_a_rooms_name() -> None:
    owners = packages_distributions()

    assert [(room, owners[room]) for room in ROOMS if set(owners.get(room, [])) - {"hazina"}] == []


def test_every_top_level_package_is_a_room() -> None:
    packages = {place.parent.name for place in ROOT.glob("*/__init__.py")}

    assert packages == set(ROOMS)
