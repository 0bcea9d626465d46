"""Frozen template databases, one for each revision on each server, that new tenants are copied from."""

import hashlib
from dataclasses import dataclass
from typing import Final

import asyncpg

from owner_db.tenants.servers import Servers
from tenancy.catalogue import Catalogue, catalogue, catalogue_hash
from tenancy.migrations import upgrade
from tenancy.revisions import Which, head

BUILD_TIMEOUT: Final = "120s"
"""How long one process waits for another that is building the same template."""
_MARK: Final = "hazina tenant template, catalogue sha256 "


@dataclass(frozen=True, slots=True)
class Template:
    """A database that nobody can connect to, made from the migration chain alone."""

    name: str
    revision: str
    catalogue_hash: bytes
    """What every tenant of this revision must look like."""


async def ensure_template(
    admin: asyncpg.Connection, servers: Servers, migrator_url: str, revision: str | None = None
) -> Template:
    """Find the template of a revision (the newest), or build it on this server.

    `admin` is a connection to the server's maintenance database. A template gets its final name in
    the last step of its making, so one that is found is complete, whoever crashed before.
    """
    wanted = revision or head(Which.TENANT)
    found = await find_template(admin, wanted)
    if found is not None:
        return found
    key = _lock_key(wanted)
    await admin.execute(f"SET statement_timeout = '{BUILD_TIMEOUT}'; SET lock_timeout = '{BUILD_TIMEOUT}'")
    await admin.execute("SELECT pg_advisory_lock($1)", key)
    try:
        # By now a rival may have built it.
        return await find_template(admin, wanted) or await _build(admin, servers, migrator_url, wanted)
    finally:
        await admin.execute("SELECT pg_advisory_unlock($1)", key)
        await admin.execute("RESET statement_timeout; RESET lock_timeout")


async def find_template(admin: asyncpg.Connection, revision: str) -> Template | None:
    """The template of a revision, if this server has it."""
    name = _name(revision)
    said = await admin.fetchval(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database"
        " WHERE datname = $1 AND datistemplate AND NOT datallowconn",
        name,
    )
    if said is None or not said.startswith(_MARK):
        return None
    return Template(name, revision, bytes.fromhex(said.removeprefix(_MARK)))


async def template_catalogue(
    admin: asyncpg.Connection, servers: Servers, migrator_url: str, template: Template
) -> Catalogue:
    """What a template consists of, read from a passing copy: the template itself lets nobody in."""
    scratch = f"{template.name}_look_{hashlib.sha256(str(id(admin)).encode()).hexdigest()[:8]}"
    await admin.execute(f'CREATE DATABASE "{scratch}" TEMPLATE "{template.name}" STRATEGY WAL_LOG')
    try:
        async with servers.connect(migrator_url, scratch) as connection:
            return await catalogue(connection)
    finally:
        await admin.execute(f'DROP DATABASE IF EXISTS "{scratch}" WITH (FORCE)')


async def _build(admin: asyncpg.Connection, servers: Servers, migrator_url: str, revision: str) -> Template:
    final = _name(revision)
    building = f"{final}_building"
    await admin.execute(f'DROP DATABASE IF EXISTS "{building}" WITH (FORCE)')
    await admin.execute(f'CREATE DATABASE "{building}" TEMPLATE template0')
    await admin.execute(f'REVOKE ALL ON DATABASE "{building}" FROM PUBLIC')
    await upgrade(servers.url(migrator_url, building), Which.TENANT, revision)
    async with servers.connect(migrator_url, building) as connection:
        template = Template(final, revision, await catalogue_hash(connection))
    # An autovacuum worker looking at it would hold up the renaming: nobody comes in from here on.
    await admin.execute(f'ALTER DATABASE "{building}" WITH ALLOW_CONNECTIONS false IS_TEMPLATE true')
    await admin.execute(f"COMMENT ON DATABASE \"{building}\" IS '{_MARK}{template.catalogue_hash.hex()}'")
    await admin.execute(f'ALTER DATABASE "{building}" RENAME TO "{final}"')
    return template


def _name(revision: str) -> str:
    return f"tpl_{revision}"


def _lock_key(revision: str) -> int:
    digest = hashlib.sha256(f"hazina:template:{revision}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
