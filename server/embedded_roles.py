"""The three roles of a PostgreSQL server that Hazina uses, embedded or not."""

from collections.abc import Mapping
from typing import Final

import asyncpg

OWNER_ROLE: Final = "hazina_owner"
TENANT_ROLE: Final = "hazina_tenant"
MIGRATOR_ROLE: Final = "hazina_migrator"
MAINTENANCE_DATABASE: Final = "hazina_migrator"
"""Empty, owned by the migrator, reached by nobody else: where it stands to create databases."""

STATEMENT_TIMEOUT_S: Final = 5
IDLE_IN_TRANSACTION_TIMEOUT_S: Final = 15

_REQUESTS: Final = {
    "statement_timeout": f"{STATEMENT_TIMEOUT_S}s",
    "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_TIMEOUT_S}s",
    "jit": "off",
    "timezone": "UTC",
}
# An index on a large table takes as long as it takes; what waits for a lock sets its own limit.
_MIGRATIONS: Final = {"statement_timeout": "0", "jit": "off", "timezone": "UTC"}

ROLES: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    OWNER_ROLE: ("LOGIN NOCREATEDB", _REQUESTS),
    TENANT_ROLE: ("LOGIN NOCREATEDB", _REQUESTS),
    MIGRATOR_ROLE: ("LOGIN CREATEDB", _MIGRATIONS),
}


async def prepare_roles(superuser_dsn: str, passwords: Mapping[str, str] | None = None) -> None:
    """Create the three roles with their settings, and close every other database to the public.

    Safe to repeat on the same server; `passwords`, by role, are set anew each time. Whoever creates
    a database afterwards revokes PUBLIC's CONNECT on it: PostgreSQL gives it to every new one.
    `superuser_dsn` may carry SQLAlchemy's `+asyncpg`. This is all that the superuser is used for.
    """
    connection = await asyncpg.connect(superuser_dsn.replace("+asyncpg", "", 1))
    try:
        for role, (attributes, settings) in ROLES.items():
            await _ensure_role(connection, role, attributes, settings)
        for role, password in (passwords or {}).items():
            await connection.execute(await _quoted(connection, "ALTER ROLE %I PASSWORD %L", role, password))
        # DROP DATABASE … WITH (FORCE) ends sessions that are not the migrator's own.
        await connection.execute(f"GRANT pg_signal_backend TO {MIGRATOR_ROLE}")
        await _ensure_maintenance_database(connection)
        for database in ("postgres", "template1", MAINTENANCE_DATABASE):
            await connection.execute(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")
    finally:
        await connection.close()


async def _ensure_role(
    connection: asyncpg.Connection, role: str, attributes: str, settings: Mapping[str, str]
) -> None:
    found = await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role)
    verb = "ALTER" if found else "CREATE"
    await connection.execute(f"{verb} ROLE {role} {attributes}")
    for name, value in settings.items():
        await connection.execute(f"ALTER ROLE {role} SET {name} = '{value}'")


async def _ensure_maintenance_database(connection: asyncpg.Connection) -> None:
    found = await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", MAINTENANCE_DATABASE)
    if not found:
        await connection.execute(f"CREATE DATABASE {MAINTENANCE_DATABASE} OWNER {MIGRATOR_ROLE}")


async def _quoted(connection: asyncpg.Connection, template: str, *values: str) -> str:
    """Let the server quote what can't be a parameter."""
    slots = ", ".join(f"${number}::text" for number in range(2, len(values) + 2))
    return str(await connection.fetchval(f"SELECT format($1::text, {slots})", template, *values))
