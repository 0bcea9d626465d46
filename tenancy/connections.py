"""One connection to one tenant's database: opened, proven to be that tenant's, and wrapped for the ORM."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import asyncpg
import structlog
from sqlalchemy import make_url
from sqlalchemy.engine import URL, Engine
from sqlalchemy.engine.interfaces import DBAPIConnection, Dialect
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import StaticPool
from sqlalchemy.util import LRUCache

from tenancy.errors import Capacity, TenantUnavailable
from tenancy.metrics import IDENTITY_MISMATCHES
from tenancy.sessions import AUTOCOMMIT
from tenancy.tenant_ref import TenantRef

CONNECT_TIMEOUT_S: Final = 5.0
CLOSE_TIMEOUT_S: Final = 2.0
MEND_TIMEOUT_S: Final = 10.0
"""A statement that was cancelled ends at the server's statement_timeout at the latest."""
COMPILED_STATEMENTS_MAX: Final = 1_000
"""Of all tenants together: they run the same statements."""

UNREACHABLE: Final = (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.PostgresError)

_log = structlog.get_logger()


class Connector:
    """Opens connections to tenant databases, and shares one dialect and its compiled statements."""

    def __init__(self, application_name: str) -> None:
        self._settings = {"application_name": application_name}
        # Without asking the server for the ids of json and jsonb on each new connection: SQLAlchemy
        # decodes their text itself.
        self._dialect = create_async_engine("postgresql+asyncpg://").sync_engine.dialect
        self._dialect.supports_native_json_deserialization = False
        self._compiled: LRUCache[Any, Any] = LRUCache(COMPILED_STATEMENTS_MAX)
        self._initialised = False
        self._initialising = asyncio.Lock()
        self._arguments: dict[str, Mapping[str, Any]] = {}

    async def open(self, ref: TenantRef) -> asyncpg.Connection:
        """Connect, and check in one round trip that the database is this tenant's.

        Raises:
            TenantUnavailable: it can't be reached, or belongs to another tenant.
            Capacity: the database server has no connection left.
        """
        try:
            connection: asyncpg.Connection = await asyncpg.connect(
                database=ref.database,
                timeout=CONNECT_TIMEOUT_S,
                server_settings=self._settings,
                **self._arguments_of(ref.database_url),
            )
        except asyncpg.TooManyConnectionsError as error:
            raise Capacity from error
        except UNREACHABLE as error:
            _log.warning("tenant_unreachable", tenant=str(ref.id), error=type(error).__name__)
            raise TenantUnavailable from error
        try:
            await _check_identity(connection, ref)
        except BaseException:
            connection.terminate()
            raise
        return connection

    async def engine(self, connection: asyncpg.Connection) -> AsyncEngine:
        """An engine that has this connection and never another one."""
        url = URL.create("postgresql+asyncpg")
        pool = _OneConnection(self._dialect, connection)
        shell = Engine(
            pool,
            self._dialect,
            url,
            # They would stand in errors, and so in logs.
            hide_parameters=True,
            execution_options={"compiled_cache": self._compiled},
        )
        engine = AsyncEngine(shell)
        if not self._initialised:
            await self._initialise(engine)
        return engine

    async def _initialise(self, engine: AsyncEngine) -> None:
        """Let the dialect ask the first server for its version, once for all tenants."""
        async with self._initialising:
            if not self._initialised:
                async with engine.connect() as connection:
                    await connection.run_sync(self._dialect.initialize)
                self._initialised = True

    def _arguments_of(self, database_url: str) -> Mapping[str, Any]:
        known = self._arguments.get(database_url)
        if known is None:
            _, known = self._dialect.create_connect_args(make_url(database_url))
            known.pop("database", None)
            self._arguments[database_url] = known
        return known


class _OneConnection(StaticPool):
    """The pool of an engine whose only connection is opened and closed by us."""

    def __init__(self, dialect: Dialect, connection: asyncpg.Connection) -> None:
        async def given(*_: object, **__: object) -> asyncpg.Connection:
            if connection.is_closed():
                raise asyncpg.ConnectionDoesNotExistError("connection is closed")
            return connection

        def adapted() -> DBAPIConnection:
            adapter: DBAPIConnection = dialect.connect(async_creator_fn=given)
            return adapter

        super().__init__(adapted, dialect=dialect)


async def _check_identity(connection: asyncpg.Connection, ref: TenantRef) -> None:
    try:
        # In the simple protocol the count of rows comes back with the command's tag: one round trip.
        # The id is a UUID, so it can't end the literal.
        status = await connection.execute(f"SELECT FROM identity WHERE tenant_id = '{ref.id}'")
    except asyncpg.UndefinedTableError:
        status = "no table"
    except UNREACHABLE as error:
        _log.warning("tenant_unreachable", tenant=str(ref.id), error=type(error).__name__)
        raise TenantUnavailable from error
    if status != "SELECT 1":
        IDENTITY_MISMATCHES.inc()
        _log.error("identity_mismatch", alert=True, tenant=str(ref.id), database=ref.database)
        raise TenantUnavailable


async def mend(connection: asyncpg.Connection) -> bool:
    """Bring a connection back to rest after a cancellation; says whether it can be used again."""
    try:
        await connection.reset(timeout=MEND_TIMEOUT_S)
    except UNREACHABLE:
        connection.terminate()
    return not connection.is_closed()


async def close(connection: asyncpg.Connection) -> None:
    """Close, and wait until the server has let go of it, so that the budget counts what is there."""
    try:
        await connection.close(timeout=CLOSE_TIMEOUT_S)
    except UNREACHABLE:
        connection.terminate()


def reading(engine: AsyncEngine) -> AsyncEngine:
    """The same connection, each statement a transaction of its own."""
    return engine.execution_options(isolation_level=AUTOCOMMIT)
