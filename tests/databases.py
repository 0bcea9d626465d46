"""Fresh databases for tests: clones of a template that is made once a run."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import asyncpg
from sqlalchemy import make_url

import owner_db.models  # noqa: F401 - completes the metadata
from server.embedded_roles import MAINTENANCE_DATABASE, MIGRATOR_ROLE, OWNER_ROLE, TENANT_ROLE, prepare_roles
from tenancy.migrations import upgrade
from tenancy.revisions import Which
from tests.embedded import throwaway_postgres
from tests.recycling import Recycling, recycling

ROLE_PASSWORD: Final = "for-tests-only"
PASSWORDS: Final[Mapping[str, str]] = dict.fromkeys((OWNER_ROLE, TENANT_ROLE, MIGRATOR_ROLE), ROLE_PASSWORD)
PREPARE_LOCK: Final = 4_021_733_190
"""Processes of one test run must not change the same roles at the same moment."""


@dataclass(slots=True)
class PostgresServer:
    """One PostgreSQL server with the three roles, and the templates that tests clone."""

    superuser_url: str
    """For SQLAlchemy and asyncpg: postgresql+asyncpg://…/postgres."""
    prefix: str
    """Starts the name of every database this process makes."""
    owner_template: str = ""
    tenant_template: str = ""
    _made: int = field(default=0)
    _recycling: dict[str, Recycling] = field(default_factory=dict)
    _lent: dict[str, Recycling] = field(default_factory=dict)
    _altered: set[str] = field(default_factory=set)
    """Databases into which somebody was let who may change more than rows."""

    def url(self, role: str, database: str) -> str:
        """A SQLAlchemy URL of one of the three roles."""
        if role == MIGRATOR_ROLE:
            self._altered.add(database)
        return self._url(role, database)

    def _url(self, role: str, database: str) -> str:
        url = make_url(self.superuser_url).set(username=role, password=ROLE_PASSWORD, database=database)
        return url.render_as_string(hide_password=False)

    def tenant_url(self) -> str:
        """As `TenantRef.database_url`: role hazina_tenant, no database."""
        url = make_url(self.superuser_url).set(username=TENANT_ROLE, password=ROLE_PASSWORD, database="")
        return url.render_as_string(hide_password=False)

    async def connect(self, role: str, database: str) -> asyncpg.Connection:
        """A bare connection; the caller closes it."""
        return await asyncpg.connect(self.url(role, database).replace("+asyncpg", "", 1))

    async def connect_as_superuser(self, database: str = "postgres") -> asyncpg.Connection:
        """To look at other roles' sessions; the caller closes it."""
        self._altered.add(database)
        return await self._connect_as_superuser(database)

    async def connect_to_tamper(self, database: str) -> asyncpg.Connection:
        """As the superuser whom no trigger stops, to write rows and nothing else; the caller closes it."""
        connection = await self._connect_as_superuser(database)
        await connection.execute("SET session_replication_role = replica")
        return connection

    async def _connect_as_superuser(self, database: str) -> asyncpg.Connection:
        url = make_url(self.superuser_url).set(database=database, drivername="postgresql")
        return await asyncpg.connect(url.render_as_string(hide_password=False))

    def new_name(self) -> str:
        """A database name that nobody has."""
        self._made += 1
        return f"{self.prefix}{self._made}_{secrets.token_hex(4)}"

    async def clone(self, template: str, role: str) -> str:
        """Copy a template; only `role` (and its owner, the migrator) may connect to the copy."""
        name = self.new_name()
        connection = await self.connect(MIGRATOR_ROLE, MAINTENANCE_DATABASE)
        try:
            await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY WAL_LOG')
            await connection.execute(
                f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC; GRANT CONNECT ON DATABASE "{name}" TO {role}'
            )
        finally:
            await connection.close()
        return name

    async def clone_tenant(self, tenant_id: UUID) -> str:
        """A tenant database with its identity row."""
        name = await self.clone(self.tenant_template, TENANT_ROLE)
        await self._run(name, _identity(tenant_id))
        return name

    async def lend_owner(self) -> str:
        """An owner database as good as new; `take_back` it."""
        return await self._lend(self.owner_template, OWNER_ROLE)

    async def lend_tenant(self, tenant_id: UUID) -> str:
        """A tenant database as good as new, with its identity row; `take_back` it."""
        return await self._lend(self.tenant_template, TENANT_ROLE, _identity(tenant_id))

    async def take_back(self, name: str) -> None:
        """Keep a lent database for another test, unless more than its rows may have been changed."""
        if name in self._altered:
            await self.drop(name)
        else:
            self._lent[name].waiting.append(name)

    async def drop_lent(self) -> None:
        """Drop what was lent, taken back or not."""
        for name in list(self._lent):
            await self.drop(name)

    async def drop(self, name: str) -> None:
        """Drop a database, whoever is connected."""
        self._lent.pop(name, None)
        connection = await self.connect(MIGRATOR_ROLE, MAINTENANCE_DATABASE)
        try:
            await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        finally:
            await connection.close()

    async def _lend(self, template: str, role: str, first: str = "") -> str:
        if template not in self._recycling:
            self._recycling[template] = await recycling(self._connect_as_superuser, template)
        kept = self._recycling[template]
        while kept.waiting:
            name = kept.waiting.pop()
            if await kept.like_new(name, first):
                return name
            await self.drop(name)
        name = await self.clone(template, role)
        if first:
            await self._run(name, first)
        self._lent[name] = kept
        return name

    async def _run(self, name: str, statements: str) -> None:
        connection = await self._connect_as_superuser(name)
        try:
            await connection.execute(statements)
        finally:
            await connection.close()


def _identity(tenant_id: UUID) -> str:
    # The id is a UUID, so it can't end the literal.
    return f"INSERT INTO identity (is_only, tenant_id) VALUES (true, '{tenant_id}')"  # noqa: S608 - see above


@asynccontextmanager
async def postgres_server(worker: str) -> AsyncIterator[PostgresServer]:
    """The server of this test process, with templates: HAZINA_TEST_DATABASE_URL (a superuser), or our own."""
    given = os.environ.get("HAZINA_TEST_DATABASE_URL")
    if given is None:
        async with (
            throwaway_postgres() as embedded,
            _templates(PostgresServer(embedded.url("postgres", "postgres"), "t_")) as server,
        ):
            yield server
        return
    url = make_url(given).set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)
    async with _templates(PostgresServer(url, f"test_{worker}_{secrets.token_hex(3)}_")) as server:
        yield server


@asynccontextmanager
async def _templates(server: PostgresServer) -> AsyncIterator[PostgresServer]:
    lock = await server.connect_as_superuser()
    try:
        await lock.execute("SELECT pg_advisory_lock($1)", PREPARE_LOCK)
        await prepare_roles(server.superuser_url, PASSWORDS)
    finally:
        await lock.close()
    server.owner_template, server.tenant_template = await asyncio.gather(
        _template(server, Which.OWNER), _template(server, Which.TENANT)
    )
    try:
        yield server
    finally:
        await server.drop_lent()
        await server.drop(server.owner_template)
        await server.drop(server.tenant_template)


async def _template(server: PostgresServer, which: Which) -> str:
    """A database as the chain of migrations makes it, never `create_all`."""
    name = server.new_name()
    connection = await server.connect(MIGRATOR_ROLE, MAINTENANCE_DATABASE)
    try:
        await connection.execute(f'CREATE DATABASE "{name}"')
    finally:
        await connection.close()
    await upgrade(server.url(MIGRATOR_ROLE, name), which)
    return name
