"""What a transport hands to an operation, and what it gets back."""

from dataclasses import dataclass
from typing import Any, Final, cast

from graphql import GraphQLError, OperationType

from tenancy.limits import Budget

TIMEOUT: Final = "OPERATION_TIMEOUT"
NO_TEXT: Final = "MISSING_DOCUMENT"
UNKNOWN_OPERATION: Final = "UNKNOWN_OPERATION"
MUTATION_NEEDS_POST: Final = "MUTATION_NEEDS_POST"
SUBSCRIPTION_NEEDS_STREAM: Final = "SUBSCRIPTION_NEEDS_STREAM"


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked for."""

    text: str | None
    document_id: str | None = None
    """SHA-256 of the text in hex."""
    variables: dict[str, Any] | None = None
    operation_name: str | None = None


@dataclass(slots=True)
class Outcome:
    """What a client gets: the body, and what the transport should know of it."""

    body: dict[str, Any]
    errors: list[GraphQLError]
    is_request_error: bool = False
    """Nothing was executed; the body has no `data`."""
    budget: Budget | None = None
    retry_after_s: int | None = None
    code: str | None = None
    """The code of the error that kept it from running."""


@dataclass(frozen=True, slots=True)
class Report:
    """What metrics and logs learn of an operation."""

    name: str
    """`anonymous` where it has none."""
    kind: str
    seconds: float
    cost: int
    outcome: str
    """`ok`, `error` or the code that kept it from running."""


class NotExecuted(Exception):
    """The request can't run; these are its errors."""

    def __init__(self, errors: list[GraphQLError], retry_after_s: int | None = None) -> None:
        super().__init__(errors[0].message)
        self.errors = errors
        self.retry_after_s = retry_after_s
        self.code = cast("str | None", (errors[0].extensions or {}).get("code"))


NOT_HERE: Final = {
    OperationType.QUERY: ("QUERY_NOT_ALLOWED", "Queries are not allowed here."),
    OperationType.MUTATION: (MUTATION_NEEDS_POST, "Send mutations by POST."),
    OperationType.SUBSCRIPTION: (
        SUBSCRIPTION_NEEDS_STREAM,
        "Subscribe over WebSocket (graphql-transport-ws) or with Accept: text/event-stream.",
    ),
}
