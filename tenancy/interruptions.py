"""What the database does to a transaction for reasons that pass, as refusals that say so."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.exc import DBAPIError

from tenancy.errors import TenantUnavailable, TransactionInterrupted

SERIALIZATION_FAILURE: Final = "40001"
DEADLOCK: Final = "40P01"


@contextmanager
def typed_interruptions() -> Iterator[None]:
    """Turn a deadlock, a lost connection or a statement that aged under a migration into a refusal.

    Raises:
        TransactionInterrupted: nothing was committed; the same again will do.
        TenantUnavailable: the connection broke. If it broke during the commit, only the idempotency
            key tells what became of it.
    """
    try:
        yield
    except DBAPIError as error:
        if is_stale_statement(error) or _sqlstate(error) in {SERIALIZATION_FAILURE, DEADLOCK}:
            raise TransactionInterrupted from error
        if error.connection_invalidated:
            raise TenantUnavailable from error
        raise


def is_stale_statement(error: DBAPIError) -> bool:
    """Whether a migration has changed what a prepared statement returns; prepared anew, it works."""
    return isinstance(error.orig, AsyncAdapt_asyncpg_dbapi.InvalidCachedStatementError)


def _sqlstate(error: DBAPIError) -> str | None:
    return getattr(error.orig, "sqlstate", None)
