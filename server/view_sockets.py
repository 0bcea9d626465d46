"""Operations over WebSocket: the protocol graphql-transport-ws, by Strawberry's handler.

Ours on top: who connects is proven in `connection_init` and checked again while the socket is
open, each operation gets a context of its own, and documents may be named by their hash.
"""

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack, aclosing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Generic, cast

import structlog
from graphql import GraphQLError, GraphQLSyntaxError, OperationType
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState
from strawberry.asgi import ASGIWebSocketAdapter
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import (
    BaseGraphQLTransportWSHandler,
    Operation,
)
from strawberry.subscriptions.protocols.graphql_transport_ws.types import (
    ConnectionInitMessage,
    Message,
    SubscribeMessage,
)

from core.errors import DomainError
from schema.exchange import Outcome, Request
from server.view_refusals import Refused
from server.view_requests import parse_parameters
from server.view_watch import FORBIDDEN, TRY_AGAIN_LATER, Context, Ending, Watch
from tenancy.errors import RateLimited, TenantNotServed

if TYPE_CHECKING:
    from server.view import GraphQLView

ALL_KINDS: Final = frozenset(OperationType)
REASON_BYTES_MAX: Final = 123
"""Of a WebSocket close frame (RFC 6455, 5.5)."""

_log = structlog.get_logger()


@dataclass(slots=True)
class Socket(Generic[Context]):
    """One WebSocket: what Strawberry calls its context."""

    websocket: WebSocket
    connection_params: Mapping[str, Any] | None = None
    """The payload of connection_init."""
    watch: Watch[Context] | None = None
    """Set once the caller is known."""
    held: ExitStack = field(default_factory=ExitStack)
    """What is let go when the socket closes."""

    @property
    def authorization(self) -> str | None:
        """`Bearer …`, from connection_init: browsers can't set headers on a WebSocket."""
        for name, value in (self.connection_params or {}).items():
            if name.lower() == "authorization" and isinstance(value, str):
                return value
        return self.websocket.headers.get("authorization")


class SocketClosed(Exception):
    """The socket may not be used; it is closed with this ending."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.reason)
        self.ending = ending


def socket_closed(error: DomainError | Refused) -> SocketClosed:
    """4403 where the caller must do something, 1013 where waiting helps."""
    waiting_helps = isinstance(error, RateLimited | Refused) or (
        isinstance(error, TenantNotServed) and error.retry_after_s is not None
    )
    return SocketClosed(Ending(TRY_AGAIN_LATER if waiting_helps else FORBIDDEN, error.code))


class TextAdapter(ASGIWebSocketAdapter):
    """Sends text frames only; what comes too late for a closed socket is dropped."""

    async def send_json(self, message: Mapping[str, object]) -> None:
        if self.ws.application_state is not WebSocketState.CONNECTED:
            raise WebSocketDisconnected
        try:
            await self.ws.send_text(self.view.encode_json_string(message))
        except (WebSocketDisconnect, RuntimeError) as error:
            raise WebSocketDisconnected from error

    async def close(self, code: int, reason: str) -> None:
        if self.ws.application_state is WebSocketState.CONNECTED:
            short = reason.encode()[:REASON_BYTES_MAX].decode(errors="ignore")
            # The peer may have gone in the same instant.
            with suppress(WebSocketDisconnect, RuntimeError):
                await self.ws.close(code, short)


class SocketHandler(BaseGraphQLTransportWSHandler["Socket[Context]", None], Generic[Context]):
    """One socket's messages."""

    view: "GraphQLView[Context]"

    async def handle(self) -> None:
        with self.context.held:
            await super().handle()

    async def handle_message(self, message: Message) -> None:
        if not isinstance(message, dict) or not isinstance(message.get("type"), str):
            await self.handle_invalid_message("A message is an object with a type")
            return
        await super().handle_message(message)

    async def handle_connection_init(self, message: ConnectionInitMessage) -> None:
        try:
            await super().handle_connection_init(message)
        except SocketClosed as closed:
            await self.websocket.close(closed.ending.code, closed.ending.reason)
            return
        if self.connection_acknowledged and self.context.watch is not None:
            watching = asyncio.create_task(self._close_when_ended(self.context.watch))
            self.context.held.callback(watching.cancel)

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        if not self.connection_acknowledged:
            await self.websocket.close(code=4401, reason="Unauthorized")
            return
        try:
            request = parse_parameters(message["payload"])
        except Refused as refused:
            await self.handle_invalid_message(refused.message)
            return
        id_ = message["id"]
        if not isinstance(id_, str) or not id_ or (request.text is None and request.document_id is None):
            await self.handle_invalid_message("A subscribe message has an id and a query")
        elif id_ in self.operations:
            await self.websocket.close(code=4409, reason=f"Subscriber for {id_} already exists")
        elif len(self.operations) >= (self.max_subscriptions_per_connection or 0):
            error = GraphQLError(
                "Too many operations on this socket.", extensions={"code": "TOO_MANY_OPERATIONS"}
            )
            await self.send_message({"id": id_, "type": "error", "payload": [error.formatted]})
        else:
            self._start(id_, request)

    def _start(self, id: str, request: Request) -> None:
        operation: Operation[Socket[Context], None] = Operation(self, id, request.text or "", None, None)
        operation.task = asyncio.create_task(self._answer(operation, request))
        operation.task.add_done_callback(self._task_done)
        self.operations[id] = operation

    async def _answer(self, operation: Operation["Socket[Context]", None], request: Request) -> None:
        watch = cast("Watch[Context]", self.context.watch)
        outcomes = self.view.operations.stream(request, watch.context.fork(), ALL_KINDS)
        try:
            async with aclosing(outcomes):
                async for outcome in outcomes:
                    if outcome.is_request_error:
                        await self._reject(operation, outcome)
                        return
                    next_message = {"id": operation.id, "type": "next", "payload": outcome.body}
                    await operation.send_operation_message(cast("Message", next_message))
            await operation.send_operation_message({"id": operation.id, "type": "complete"})
        except WebSocketDisconnected:
            return
        except Exception:  # noqa: BLE001 - the edge of a task of its own: nobody above could tell the client
            _log.exception("socket_operation_failed")
            await self.websocket.close(1011, "Internal error")

    async def _reject(self, operation: Operation["Socket[Context]", None], outcome: Outcome) -> None:
        first = outcome.errors[0]
        if isinstance(first, GraphQLSyntaxError):
            await self.handle_invalid_message(first.message)
        else:
            await operation.send_initial_errors(outcome.errors)

    async def _close_when_ended(self, watch: Watch[Context]) -> None:
        ending = await watch.ended()
        await self.websocket.close(ending.code, ending.reason)
