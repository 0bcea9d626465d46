"""Sessions that only read."""

from typing import Any, Final

from sqlalchemy import TextClause, event
from sqlalchemy.engine import Result
from sqlalchemy.exc import NotSupportedError
from sqlalchemy.orm import ORMExecuteState, Session

from tenancy.interruptions import is_stale_statement

READING_WORDS: Final = ("select", "with", "show", "explain", "values")


class ReadOnlySession(Session):
    """Refuses to write: its connection is in AUTOCOMMIT, where nothing could be rolled back."""


@event.listens_for(ReadOnlySession, "before_flush")
def _refuse_flush(*_: object) -> None:
    raise ValueError("A reading session writes nothing: open a transaction.")


@event.listens_for(ReadOnlySession, "do_orm_execute")
def _read(state: ORMExecuteState) -> Result[Any]:
    if not _reads(state):
        raise ValueError("A reading session writes nothing: open a transaction.")
    try:
        return state.invoke_statement()
    except NotSupportedError as error:
        if not is_stale_statement(error):
            raise
    # A migration changed a type since this was prepared; the caches are cleared by now.
    return state.invoke_statement()


def _reads(state: ORMExecuteState) -> bool:
    if isinstance(state.statement, TextClause):
        return state.statement.text.lstrip().lower().startswith(READING_WORDS)
    return state.is_select
