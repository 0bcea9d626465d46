"""The catalog as it is shipped: releases of rows that staff may then change."""

import json
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, text

from core.ids import new_id
from tenancy.sessions import OwnerSession

RELEASES: Final = Path(__file__).resolve().parent.parent / "migrations" / "catalog"
"""One JSON file a release, never edited once it has shipped: a correction is a new release.

The tiers' rates are in units of GraphQL cost. A page of 20 payments costs some 200 and a mutation
some 20, so `enterprise` sustains a hundred mixed requests a second with room to spare,
`small_business` a busy till, and `free` a page every other second after a burst of ten.
"""

_PROVIDER: Final = text(
    "INSERT INTO payment_providers (id, created_at, code, name, api_base_url, sandbox_api_base_url,"
    " methods, features, config_schema, settings, recommendation, is_enabled)"
    " VALUES (:id, now(), :code, :name, :api_base_url, :sandbox_api_base_url, CAST(:methods AS jsonb),"
    " CAST(:features AS jsonb), CAST(:config_schema AS jsonb), CAST(:settings AS jsonb),"
    " :recommendation, true)"
    " ON CONFLICT (code) DO NOTHING"
)
_CURRENCY: Final = text(
    "INSERT INTO provider_currency_support (id, created_at, provider_id, currency, min_minor, max_minor)"
    " SELECT :id, now(), payment_providers.id, :currency, :min_minor, :max_minor"
    " FROM payment_providers WHERE code = :code"
    " ON CONFLICT (provider_id, currency) DO NOTHING"
)
_TIER: Final = text(
    "INSERT INTO tiers (id, created_at, code, name, request_units_capacity, request_units_per_s, sockets_max)"
    " VALUES (:id, now(), :code, :name, :request_units_capacity, :request_units_per_s, :sockets_max)"
    " ON CONFLICT (code) DO NOTHING"
)
_CLAIM: Final = text(
    "INSERT INTO catalog_releases (release, loaded_at) VALUES (:release, now())"
    " ON CONFLICT (release) DO NOTHING RETURNING release"
)
# Each column takes its new value only where it still has the shipped one, or none.
_CHANGE: Final = text(
    "UPDATE payment_providers SET"
    " features = CASE WHEN features = CAST(:shipped_features AS jsonb)"
    "  THEN CAST(:features AS jsonb) ELSE features END,"
    " config_schema = CASE WHEN config_schema = CAST(:shipped_config_schema AS jsonb)"
    "  THEN CAST(:config_schema AS jsonb) ELSE config_schema END,"
    " settings = CAST(:settings AS jsonb) || settings,"
    " documentation_url = coalesce(documentation_url, :documentation_url)"
    " WHERE code = :code"
)
_CHANGE_CURRENCY: Final = text(
    "UPDATE provider_currency_support SET step_minor = :step_minor, fee_bps = :fee_bps,"
    " fee_fixed_minor = :fee_fixed_minor, is_recommended = :is_recommended"
    " FROM payment_providers WHERE payment_providers.id = provider_id AND payment_providers.code = :code"
    " AND currency = :currency AND fee_bps = 0 AND fee_fixed_minor = 0 AND step_minor = 1"
    " AND NOT is_recommended"
)
_AS_JSON: Final = ("methods", "features", "config_schema", "settings")


async def ensure_catalog(session: OwnerSession) -> None:
    """Add what the shipped releases have and the database lacks; what staff changed stays."""
    connection = await session.connection()
    for release in sorted(path.stem for path in RELEASES.glob("*.json")):
        load = load_changes if "changes" in _read(release) else load_release
        await connection.run_sync(load, release)


def load_changes(connection: Connection, release: str) -> None:
    """Bring what earlier releases shipped to this one, once in the life of a database.

    Columns that staff changed stay as they are. In SQL for the reason of `load_release`.
    """
    if connection.execute(_CLAIM, {"release": release}).scalar() is None:
        return
    shipped = shipped_before(release)
    for change in _read(release)["changes"]:
        before = shipped[change["code"]]
        now = {
            "features": change.get("features", before["features"]),
            "config_schema": change.get("config_schema", before["config_schema"]),
            "settings": change.get("settings", {}),
            "shipped_features": before["features"],
            "shipped_config_schema": before["config_schema"],
        }
        encoded = {name: json.dumps(value) for name, value in now.items()}
        told = {"code": change["code"], "documentation_url": change.get("documentation_url")}
        connection.execute(_CHANGE, {**told, **encoded})
        for currency in change.get("currencies", []):
            connection.execute(_CHANGE_CURRENCY, {"code": change["code"], **currency})


def shipped_before(release: str) -> dict[str, dict[str, Any]]:
    """Every provider as the releases before left it, where nobody changed anything."""
    shipped: dict[str, dict[str, Any]] = {}
    for earlier in sorted(path.stem for path in RELEASES.glob("*.json") if path.stem < release):
        found = _read(earlier)
        for provider in [*found.get("providers", []), *found.get("changes", [])]:
            shipped[provider["code"]] = {**shipped.get(provider["code"], {}), **provider}
    return shipped


def _read(release: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RELEASES / f"{release}.json").read_text())
    return found


def load_release(connection: Connection, release: str) -> None:
    """Add the missing rows of one release.

    In SQL that names its columns, not through the models: it also runs in a migration, where the
    tables are older than the models.
    """
    found = _read(release)
    for tier in found["tiers"]:
        connection.execute(_TIER, {"id": new_id(), **tier})
    for provider in found["providers"]:
        _load_provider(connection, provider)


def _load_provider(connection: Connection, provider: dict[str, Any]) -> None:
    plain = {name: value for name, value in provider.items() if name != "currencies"}
    encoded = {name: json.dumps(plain[name]) for name in _AS_JSON}
    connection.execute(_PROVIDER, {"id": new_id(), **plain, **encoded})
    for currency in provider["currencies"]:
        connection.execute(_CURRENCY, {"id": new_id(), "code": provider["code"], **currency})
