"""GraphQL over HTTP, WebSocket and SSE: one ASGI application for each of the two schemas.

    view = GraphQLView(tenant_schema(), serving, context_of, ViewOptions())
    routes = [Route("/graphql", view), WebSocketRoute("/graphql", view)]

Sources: GraphQL over HTTP (all audits of npm graphql-http pass), npm graphql-ws PROTOCOL.md, npm
graphql-sse PROTOCOL.md.
"""

import secrets
import traceback
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final, Literal, cast

import orjson
import strawberry
import structlog
from graphql import OperationType
from starlette.requests import HTTPConnection
from starlette.requests import Request as HTTPRequest
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types.unset import UNSET, UnsetType

from core.clock import Clock, utc_now
from core.errors import DomainError
from schema.exchange import (
    MUTATION_NEEDS_POST,
    NO_TEXT,
    SUBSCRIPTION_NEEDS_STREAM,
    UNKNOWN_OPERATION,
    Outcome,
)
from schema.faults import FAULT
from schema.operations import Operations, Serving
from server.view_refusals import JSON, Refused, refused
from server.view_requests import GRAPHQL_RESPONSE, Accepts, accepts, parse_request
from server.view_sockets import Socket, SocketHandler, TextAdapter, socket_closed
from server.view_streams import EventStream
from server.view_watch import Context, Slots, Watch
from tenancy.addresses import counted
from tenancy.context import PAYER

ContextOf = Callable[[HTTPConnection, str | None], Awaitable[Context]]
"""From a connection and its `Bearer …`, who calls. Raises DomainError, shown by its code:
NotSignedIn (401) only for a credential that proves nothing, never for a missing one."""

IsOriginAllowed = Callable[[str], bool]

BY_GET: Final = frozenset({OperationType.QUERY})
BY_POST: Final = frozenset({OperationType.QUERY, OperationType.MUTATION})
BY_STREAM: Final = frozenset(OperationType)
SOCKETS_PER_ADDRESS_MAX: Final = 500
"""Open sockets of one IP address, or IPv6 network: many people may share it."""
STREAMS_PER_CALLER_MAX: Final = 100

_ALWAYS: Final = {
    # Whatever media type is accepted: nothing of GraphQL was understood.
    NO_TEXT: HTTPStatus.BAD_REQUEST,
    UNKNOWN_OPERATION: HTTPStatus.BAD_REQUEST,
    SUBSCRIPTION_NEEDS_STREAM: HTTPStatus.BAD_REQUEST,
    MUTATION_NEEDS_POST: HTTPStatus.METHOD_NOT_ALLOWED,
    "RATE_LIMITED": HTTPStatus.TOO_MANY_REQUESTS,
}
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ViewOptions:
    """What differs between deployments and tests."""

    ide: Literal["graphiql"] | None = None
    """Development only; the page loads GraphiQL from a public CDN."""
    is_origin_allowed: IsOriginAllowed = lambda _origin: False
    """Which browser origins may open a WebSocket, beside our own."""
    recheck_s: float = 3.0
    """How often an open connection's caller is looked up again. A proof may be 5 s old by then, and a
    revocation has to bite within 10 s."""
    comment_s: float = 15.0
    """How often a quiet event stream shows that it lives."""
    init_wait_s: float = 60.0
    """How long a socket may stay silent before connection_init."""
    operations_per_socket_max: int = 100
    clock: Clock = utc_now


class GraphQLView(GraphQL["Socket[Context]", None]):
    """Serves one schema."""

    graphql_transport_ws_handler_class = SocketHandler  # type: ignore[assignment]  # one Context is enough
    websocket_adapter_class = TextAdapter

    def __init__(
        self,
        schema: strawberry.Schema,
        serving: Serving[Context],
        context_of: ContextOf[Context],
        options: ViewOptions,
    ) -> None:
        super().__init__(
            schema,
            graphql_ide=options.ide,
            subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL],
            connection_init_wait_timeout=timedelta(seconds=options.init_wait_s),
            multipart_uploads_enabled=False,
            max_subscriptions_per_connection=options.operations_per_socket_max,
        )
        self.operations = Operations(schema, serving)
        self._connections_max = serving.connections_max
        self._context_of = context_of
        self._options = options
        self._slots = Slots()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._serve_socket(WebSocket(scope, receive, send))
            return
        request = HTTPRequest(scope, receive)
        with ExitStack() as held:
            try:
                response = await self._respond(request, held)
            except Refused as error:
                response = error.response()
            except DomainError as error:
                response = refused(error).response()
            except Exception:  # noqa: BLE001 - the outermost edge: log it, and answer with a reference
                response = _fault().response()
            await response(scope, receive, send)

    async def _respond(self, request: HTTPRequest, held: ExitStack) -> Response:
        wanted = accepts(request)
        if wanted.is_html and request.method == "GET" and "query" not in request.query_params:
            if self.graphql_ide is None:
                raise Refused(HTTPStatus.NOT_FOUND, "NOT_FOUND", "There is no page here; send a query.")
            return HTMLResponse(self.graphql_ide_html)
        asked = await parse_request(request)
        authorization = request.headers.get("authorization")
        context = await self._context_of(request, authorization)
        if wanted.is_event_stream:
            await self._take_slots(context, request, held)
            outcomes = self.operations.stream(
                asked, context, BY_STREAM if request.method == "POST" else BY_GET
            )
            watch = self._watch(context, request, authorization)
            return EventStream(outcomes, watch, self._options.comment_s)
        allowed = BY_GET if request.method == "GET" else BY_POST
        return _answer(await self.operations.run(asked, context, allowed), wanted)

    async def _take_slots(self, context: Context, connection: HTTPConnection, held: ExitStack) -> None:
        """Take the places of one open connection, until `held` is closed.

        Raises:
            Refused: the caller, the tenant, or who has no token, has too many open.
        """
        principal = context.principal
        if principal is None:
            limit = await self._connections_max(context)
            held.enter_context(self._slots.taken(f"nobody:{_address(connection)}", limit))
            return
        held.enter_context(self._slots.taken(f"{principal.kind}:{principal.id}", STREAMS_PER_CALLER_MAX))
        if principal.tenant_id is not None:
            limit = await self._connections_max(context)
            # Payers' pages must not take the places of the business' own people.
            whose = PAYER if principal.kind == PAYER else "t"
            held.enter_context(self._slots.taken(f"{whose}:{principal.tenant_id}", limit))

    async def _serve_socket(self, websocket: WebSocket) -> None:
        try:
            with self._slots.taken(f"ip:{_address(websocket)}", SOCKETS_PER_ADDRESS_MAX):
                await self.run(websocket)
        except Refused:
            # Closing before accepting answers the handshake with 403.
            await websocket.close()

    def is_websocket_origin_allowed(self, request: WebSocket, origin: str) -> bool:
        return self._options.is_origin_allowed(origin)

    async def get_context(self, request: Any, response: Any) -> "Socket[Context]":  # noqa: ANN401 - Strawberry's
        return Socket(response)

    async def on_ws_connect(self, context: "Socket[Context]") -> UnsetType:
        """Prove who opened the socket; the handler then watches over it."""
        try:
            caller = await self._context_of(context.websocket, context.authorization)
            await self._take_slots(caller, context.websocket, context.held)
        except (DomainError, Refused) as error:
            raise socket_closed(error) from error
        context.watch = self._watch(caller, context.websocket, context.authorization)
        return cast("UnsetType", UNSET)

    def _watch(
        self, context: Context, connection: HTTPConnection, authorization: str | None
    ) -> Watch[Context]:
        return Watch(
            context,
            lambda: self._context_of(connection, authorization),
            self._options.recheck_s,
            self._options.clock,
        )

    def encode_json(self, data: object) -> bytes:
        return orjson.dumps(data)

    def decode_json(self, data: str | bytes) -> object:
        """Raises json.JSONDecodeError, also for bad UTF-8 and for nesting without end."""
        return orjson.loads(data)


def _address(connection: HTTPConnection) -> str:
    return counted(connection.client.host) if connection.client else ""


def _answer(outcome: Outcome, wanted: Accepts) -> Response:
    headers: dict[str, str] = {}
    status = HTTPStatus.OK
    media_type = GRAPHQL_RESPONSE if wanted.is_graphql_response else JSON
    if outcome.code in _ALWAYS:
        status, media_type = _ALWAYS[outcome.code], JSON
    elif outcome.is_request_error and wanted.is_graphql_response:
        status = HTTPStatus.BAD_REQUEST
    if outcome.code == MUTATION_NEEDS_POST:
        headers["Allow"] = "POST"
    if outcome.retry_after_s is not None:
        headers["Retry-After"] = str(outcome.retry_after_s)
    if outcome.budget is not None:
        headers["RateLimit-Limit"] = str(outcome.budget.capacity)
        headers["RateLimit-Remaining"] = str(outcome.budget.available)
        headers["RateLimit-Reset"] = str(outcome.budget.full_after_s)
    return Response(orjson.dumps(outcome.body), status, headers, media_type)


def _fault() -> Refused:
    reference = secrets.token_hex(8)
    _log.error("request_fault", reference=reference, traceback=traceback.format_exc())
    message = f"Something failed on our side. Quote reference {reference} when you ask about it."
    return Refused(HTTPStatus.INTERNAL_SERVER_ERROR, FAULT, message)
