"""From HTTP to what a client asked for: media types, the rule against forged GETs, the four parameters."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import orjson
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HTTPRequest

from schema.exchange import Request
from server.view_refusals import Refused

GRAPHQL_RESPONSE: Final = "application/graphql-response+json"
EVENT_STREAM: Final = "text/event-stream"
PREFLIGHT_HEADERS: Final = (
    "graphql-require-preflight",
    "apollo-require-preflight",
    "x-apollo-operation-name",
)
"""A page of another origin can't send these without asking first (CORS preflight)."""
BODY_WAIT_S: Final = 30.0
"""A body that is sent drop by drop holds memory, before anybody is asked for a token."""
_BAD_REQUEST: Final = HTTPStatus.BAD_REQUEST
_HASH_DIGITS: Final = 64


@dataclass(frozen=True, slots=True)
class Accepts:
    """What the Accept header asks for."""

    is_graphql_response: bool
    """application/graphql-response+json was named; else application/json is answered."""
    is_event_stream: bool
    is_html: bool


def accepts(request: HTTPRequest) -> Accepts:
    header = request.headers.get("accept", "")
    named = {part.partition(";")[0].strip().lower() for part in header.split(",")}
    return Accepts(GRAPHQL_RESPONSE in named, EVENT_STREAM in named, "text/html" in named)


async def parse_request(request: HTTPRequest) -> Request:
    """Read the parameters of a GET or POST request.

    Raises:
        Refused: it is no GraphQL request; the status and code say why.
    """
    if request.method == "GET":
        return _from_query(request)
    if request.method != "POST":
        raise Refused(
            HTTPStatus.METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", "Send GET or POST.", {"Allow": "GET, POST"}
        )
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", "Send application/json.")
    return parse_parameters(_decoded(await _body(request), "body"))


def parse_parameters(parameters: object) -> Request:
    """Check the types of `query`, `variables`, `operationName`, `extensions` and `documentId`."""
    if not isinstance(parameters, dict):
        raise Refused(_BAD_REQUEST, "BAD_REQUEST", "Send one JSON object; batches are not supported.")
    text = _typed(parameters, "query", str)
    variables = _typed(parameters, "variables", dict)
    name = _typed(parameters, "operationName", str)
    extensions = _typed(parameters, "extensions", dict)
    document_id = _document_id(_typed(parameters, "documentId", str), extensions or {})
    return Request(text, document_id, variables, name)


async def _body(request: HTTPRequest) -> bytes:
    try:
        async with asyncio.timeout(BODY_WAIT_S):
            return await request.body()
    except TimeoutError as error:
        message = f"The body did not arrive within {BODY_WAIT_S:g} s."
        closing = {"Connection": "close"}
        raise Refused(HTTPStatus.REQUEST_TIMEOUT, "BODY_TOO_SLOW", message, closing) from error
    except ClientDisconnect as error:
        # Nobody hears the answer; it is no fault of ours.
        raise Refused(_BAD_REQUEST, "BAD_REQUEST", "The body was broken off.") from error


def _from_query(request: HTTPRequest) -> Request:
    if not any(header in request.headers for header in PREFLIGHT_HEADERS):
        raise Refused(
            _BAD_REQUEST, "CSRF_HEADER_MISSING", "GET needs the header GraphQL-Require-Preflight: 1."
        )
    parameters: dict[str, Any] = dict(request.query_params)
    for name in ("variables", "extensions"):
        if parameters.get(name):
            parameters[name] = _decoded(parameters[name].encode(), name)
        else:
            parameters.pop(name, None)
    return parse_parameters(parameters)


def _decoded(body: bytes, what: str) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused(_BAD_REQUEST, "BAD_JSON", f"The {what} is no valid JSON in UTF-8.") from error


def _typed(parameters: Mapping[str, Any], name: str, kind: type) -> Any:  # noqa: ANN401 - of `kind`, or None
    value = parameters.get(name)
    if value is not None and not isinstance(value, kind):
        wanted = "an object" if kind is dict else "a string"
        raise Refused(_BAD_REQUEST, "BAD_REQUEST", f"`{name}` must be {wanted}.")
    return value


def _document_id(sent: str | None, extensions: Mapping[str, Any]) -> str | None:
    """The SHA-256 of a trusted document, as Apollo's clients or the specification's draft send it."""
    persisted = extensions.get("persistedQuery")
    found = sent if sent is not None else None
    if found is None and isinstance(persisted, dict):
        found = persisted.get("sha256Hash")
    if found is None:
        return None
    digits = found.removeprefix("sha256:").lower() if isinstance(found, str) else ""
    if len(digits) != _HASH_DIGITS:
        raise Refused(_BAD_REQUEST, "BAD_REQUEST", "A document's id is its SHA-256 in hex.")
    return digits
