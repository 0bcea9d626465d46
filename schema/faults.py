"""Which errors clients may see, and how the rest is masked.

A GraphQL error shows as it is; a DomainError shows its message and code; anything else is a fault:
the client gets a reference, and the log line with the same reference has the traceback.
"""

import secrets
import traceback
from collections.abc import Iterable
from typing import Final

import structlog
from graphql import GraphQLError

from core.errors import DomainError

FAULT = "INTERNAL_ERROR"
BAD_VARIABLES = "BAD_USER_INPUT"

_NO_TEXT: Final = frozenset({"22021", "22P05"})
"""SQLSTATEs of a string with U+0000 in it, which PostgreSQL can't store: a client's mistake, not ours."""

_log = structlog.get_logger()


def shown(errors: Iterable[GraphQLError], *, operation: str | None, tenant: str | None) -> list[GraphQLError]:
    """What clients see of these errors; faults are logged with their traceback, never with variables."""
    return [_shown(error, operation, tenant) for error in errors]


def refusal(error: DomainError) -> GraphQLError:
    """A DomainError outside of a union, with its code and, where it has one, the time to wait."""
    return GraphQLError(error.message, original_error=error, extensions=_told(error))


def _shown(error: GraphQLError, operation: str | None, tenant: str | None) -> GraphQLError:
    cause = error.original_error
    if isinstance(cause, DomainError):
        return _relocated(error, cause.message, _told(cause))
    # Coercion errors of variables carry a GraphQLError here; both are the client's to mend.
    if cause is None or isinstance(cause, GraphQLError):
        return error
    if getattr(getattr(cause, "orig", cause), "sqlstate", None) in _NO_TEXT:
        return _relocated(error, "Text may not hold the character U+0000.", {"code": BAD_VARIABLES})
    reference = secrets.token_hex(8)
    _log.error(
        "operation_fault",
        reference=reference,
        operation=operation,
        tenant=tenant,
        path=None if error.path is None else ".".join(str(part) for part in error.path),
        # As text: a pretty traceback would print local variables, and with them what clients sent.
        traceback="".join(traceback.format_exception(cause)),
    )
    message = f"Something failed on our side. Quote reference {reference} when you ask about it."
    return _relocated(error, message, {"code": FAULT, "reference": reference})


def _told(error: DomainError) -> dict[str, object]:
    told: dict[str, object] = {"code": error.code}
    for name, shown_as in (("retry_after_s", "retryAfterS"), ("field", "field"), ("scope", "scope")):
        value = getattr(error, name, None)
        if isinstance(value, str | int):
            told[shown_as] = value
    return told


def _relocated(error: GraphQLError, message: str, extensions: dict[str, object]) -> GraphQLError:
    return GraphQLError(message, nodes=error.nodes, path=error.path, extensions=extensions)
