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
_AS_JSON: Final = ("methods", "features", "config_schema", "settings")


async def ensure_catalog(session: OwnerSession) -> None:
    """Add what the shipped releases have and the database lacks; what staff changed stays."""
    connection = await session.connection()
    for release in sorted(path.stem for path in RELEASES.glob("*.json")):
        await connection.run_sync(load_release, release)


def load_release(connection: Connection, release: str) -> None:
    """Add the missing rows of one release.

    In SQL that names its columns, not through the models: it also runs in a migration, where the
    tables are older than the models.
    """
    found = json.loads((RELEASES / f"{release}.json").read_text())
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
