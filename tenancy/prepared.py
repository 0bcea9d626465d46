"""Statements that are compiled once and run without SQLAlchemy: what a hot path can't spend on it."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement


class Prepared:
    """A statement as asyncpg takes it; `sql` is the same text each time, so connections keep it prepared."""

    def __init__(self, statement: ClauseElement) -> None:
        compiled = statement.compile(dialect=asyncpg_dialect())  # type: ignore[no-untyped-call] # SQLAlchemy's
        assert isinstance(compiled, SQLCompiler)  # noqa: S101 - of a statement
        self.sql = str(compiled)
        # As its execution contexts do it: values bound in the statement itself come with it.
        self._bound = [(name, compiled.params[name]) for name in compiled.positiontup or ()]
        self._processors: Mapping[str, Any] = compiled._bind_processors  # noqa: SLF001 - no public name

    def arguments(self, values: Mapping[str, object]) -> list[object]:
        """The arguments in their order. Raises KeyError where a value is missing that has no default."""
        processors = self._processors
        arguments: list[object] = []
        for name, bound in self._bound:
            value = values[name] if bound is None else values.get(name, bound)
            arguments.append(processors[name](value) if name in processors else value)
        return arguments
