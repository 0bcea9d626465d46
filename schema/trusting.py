"""Checking a document before it is trusted: it must run as it stands."""

from core.errors import InvalidInput
from schema.documents import Documents, Introspection
from schema.sdl import SCHEMAS


def require_runnable(which: str, text: str) -> None:
    """Check a document against the schema `tenant` or `owner`, with the limits of a request.

    Raises:
        InvalidInput: it does not parse, is not valid, or is too complex; says why.
    """
    schema = SCHEMAS[which]()
    documents = Documents(schema._schema, Introspection.REFUSED, {})  # noqa: SLF001 - Strawberry has no public name for it
    errors = documents.read(text).errors
    if errors:
        raise InvalidInput("document", "; ".join(error.message for error in errors))
