"""What the database does to a transaction for reasons that pass, as refusals that say so."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import asyncpg
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.exc import DBAPIError

from tenancy.errors import TenantUnavailable, TransactionInterrupted

SERIALIZATION_FAILURE: Final = "40001"
DEADLOCK: Final = "40P01"
NOT_SERVING: Final = frozenset({"57P01", "57P02", "57P03", "53300"})
"""The server shuts down, has crashed, is starting up, or has no connection left."""


@contextmanager
def typed_interruptions() -> Iterator[None]:
    """Turn a deadlock, a lost connection or a statement that aged under a migration into a refusal.

    Raises:
        TransactionInterrupted: nothing was committed; the same again will do.
        TenantUnavailable: the server can't be reached, or the connection broke. If it broke during
            the commit, only the idempotency key tells what became of it.
    """
    try:
        yield
    except DBAPIError as error:
        if is_stale_statement(error) or _sqlstate(error) in {SERIALIZATION_FAILURE, DEADLOCK}:
            raise TransactionInterrupted from error
        if error.connection_invalidated or _sqlstate(error) in NOT_SERVING:
            raise TenantUnavailable from error
        raise
    except (OSError, asyncpg.CannotConnectNowError) as error:
        # asyncpg's own: a connection that could not be opened never reaches SQLAlchemy's errors.
        raise TenantUnavailable from error


def is_stale_statement(error: DBAPIError) -> bool:
    """Whether a migration has changed what a prepared statement returns; prepared anew, it works."""
    return isinstance(error.orig, AsyncAdapt_asyncpg_dbapi.InvalidCachedStatementError)


def _sqlstate(error: DBAPIError) -> str | None:
    return getattr(error.orig, "sqlstate", None)
