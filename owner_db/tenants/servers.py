"""Database servers: their rows, and connections to them as the migrator."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import asyncpg
from sqlalchemy import URL, func, make_url
from sqlalchemy.dialects.postgresql import insert

from core.ids import new_id
from owner_db.tenants.errors import ServerUnreachable
from owner_db.tenants.models import DatabaseServer
from tenancy.sessions import OwnerSession

CONNECT_TIMEOUT_S: Final = 10.0
LOCK_TIMEOUT: Final = "5s"
UNREACHABLE: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.OperatorInterventionError,
    asyncpg.TooManyConnectionsError,
)
"""The server went away or is full; whether the last statement counts is told by looking again."""


@dataclass(frozen=True, slots=True)
class NewServer:
    """A PostgreSQL server with the three roles on it."""

    name: str
    tenant_url: str
    """For hazina_tenant, without a database."""
    migrator_url: str
    """For hazina_migrator; its database is where CREATE DATABASE runs."""
    capacity: int


class Servers:
    """Reaches the database servers. Their passwords come from the environment, never from the registry."""

    def __init__(self, passwords: Mapping[str, str] | None = None) -> None:
        """`passwords` by role; a role without one is trusted or uses a password file."""
        self._passwords = dict(passwords or {})

    @classmethod
    def from_urls(cls, *urls: str) -> "Servers":
        """With the passwords of these URLs, each for its own role."""
        parsed = [make_url(url) for url in urls]
        return cls({url.username: str(url.password) for url in parsed if url.username and url.password})

    @property
    def passwords(self) -> Mapping[str, str]:
        """By role, to hand to a process of our own."""
        return self._passwords

    def url(self, stored: str, database: str | None = None) -> str:
        """A registry's URL, completed by its role's password and, where given, another database."""
        url = make_url(stored)
        url = url.set(password=self._passwords.get(url.username or "", url.password))
        return _text(url if database is None else url.set(database=database))

    @asynccontextmanager
    async def connect(self, stored: str, database: str | None = None) -> AsyncIterator[asyncpg.Connection]:
        """A connection of one's own as the migrator, closed at the end.

        Raises:
            ServerUnreachable: there was no answer, or no room for a connection.
        """
        url = make_url(self.url(stored, database)).set(drivername="postgresql")
        try:
            connection = await asyncpg.connect(
                _text(url),
                timeout=CONNECT_TIMEOUT_S,
                server_settings={"application_name": "hazina-provisioning", "lock_timeout": LOCK_TIMEOUT},
            )
        except UNREACHABLE as error:
            raise ServerUnreachable(url.host or "localhost", str(error)) from error
        try:
            yield connection
        finally:
            await connection.close()


def without_password(url: str) -> str:
    """The same URL, for where anybody may read it."""
    # Not `set`, which takes None for "as it is".
    return _text(make_url(url)._replace(password=None))


async def ensure_server(session: OwnerSession, new: NewServer) -> None:
    """Add a server to the registry, or correct its addresses and capacity; passwords are left out."""
    values = {
        "tenant_url": without_password(new.tenant_url),
        "migrator_url": without_password(new.migrator_url),
        "capacity": new.capacity,
    }
    await session.execute(
        insert(DatabaseServer)
        .values(id=new_id(), created_at=func.now(), name=new.name, is_open=True, **values)
        .on_conflict_do_update(index_elements=["name"], set_=values)
    )


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)
