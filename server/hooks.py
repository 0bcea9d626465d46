"""`/hooks/…`: what providers send is stored raw, once, and answered; a job makes something of it."""

import asyncio
from collections.abc import Mapping, Sequence
from hashlib import sha256
from ipaddress import ip_address
from typing import Final

import asyncpg
import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from core.clock import utc_now
from integrations.mpesa.events import CONFIRMATION_ANSWER, STK_ANSWER
from integrations.redaction import without_hook_paths
from owner_db.tenants.hooks import Endpoint
from server.callers import request_info
from server.hook_endpoints import Endpoints, EndpointUnreachable
from server.mpesa_hooks import Validations, addressed, external_id
from server.settings import Network
from server.webhook_receiving import Refused, Webhooks, digest
from tenancy.addresses import counted
from tenancy.context import Services
from tenancy.errors import RateLimited, TenantNotServed, TenantUnknown, TransactionInterrupted
from tenancy.inbox import NewMessage, store
from tenancy.metrics import HOOKS
from tenancy.outbox import announce
from tenancy.wrappers import KeyMissing, SealBroken
from tenant_db.inbox.storing import store_at_once

BODY_BYTES_MAX: Final = 65_536
QUEUE: Final = "inbox"
VALIDATION: Final = "c2b_validation"
WEBHOOK: Final = "webhook"
TENANT_PATIENCE_S: Final = 3.0
"""A tenant's database that takes longer than this is taken for away: the provider waits some seconds."""
UNKNOWN_PER_MINUTE_MAX: Final = 30
"""Paths that lead nowhere, for one address. Paths that lead somewhere are never limited."""
TOKEN_CHARACTERS_MAX: Final = 128
KEPT_HEADERS: Final = ("content-type", "user-agent")
AWAY: Final = (
    TenantNotServed,
    TransactionInterrupted,
    SQLAlchemyError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    OSError,
)

log = structlog.get_logger()


class Hooks:
    """The endpoints that providers call."""

    def __init__(self, services: Services, networks: Sequence[Network]) -> None:
        """`networks` are those that M-Pesa calls from; none is anywhere. Webhooks are signed instead."""
        self._services = services
        self._networks = networks
        self._endpoints = Endpoints(services.owner)
        self._webhooks = Webhooks(services)
        self._validations = Validations(services)

    def routes(self) -> list[Route]:
        return [
            Route("/hooks/{endpoint}", self.receive, methods=["POST"]),
            Route("/hooks/{endpoint}/{item}", self.receive, methods=["POST"]),
        ]

    async def receive(self, request: Request) -> Response:
        """Store what came, then answer as the provider expects; nothing is acted on here.

        Once it is stored the answer is 200, whatever it says: a provider that is refused does not
        send again. A path that nobody was given is a 404 that stores nothing.
        """
        endpoint = await self._resolve(request)
        if isinstance(endpoint, Response):
            return endpoint
        body = await _body(request)
        if body is None:
            return _answered(endpoint.purpose, "too_large", 413)
        if endpoint.purpose == VALIDATION:
            HOOKS.labels(VALIDATION, "answered").inc()
            return JSONResponse(await self._validations.answer(endpoint, body))
        if endpoint.purpose == WEBHOOK:
            return await self._told(endpoint, request, body)
        return await self._stored(endpoint, _message(endpoint, request, body))

    async def _resolve(self, request: Request) -> Endpoint | Response:
        ip = request_info(request).ip
        try:
            endpoint = await self._endpoint(request.path_params["endpoint"], ip)
        except RateLimited:
            return _answered("none", "limited", 429)
        except EndpointUnreachable:
            return _answered("none", "unreachable", 503)
        if endpoint is None:
            return _answered("none", "unknown", 404)
        # A webhook proves by its signature where it comes from.
        if endpoint.purpose != WEBHOOK and not self._is_allowed(ip):
            return _answered(endpoint.purpose, "address", 404)
        return endpoint

    async def _told(self, endpoint: Endpoint, request: Request, body: bytes) -> Response:
        """A message that proves where it comes from is stored like all others; any other is refused."""
        try:
            proven = await self._webhooks.proven(endpoint, request.headers, body)
        except Refused as refused:
            return _answered(WEBHOOK, refused.why, refused.status)
        except TenantUnknown:
            return _answered(WEBHOOK, "no_tenant", 404)
        except (*AWAY, KeyMissing, SealBroken):
            # It can't be proven now, so it may not be kept: the provider sends it again.
            log.exception("message_not_proven")
            return _answered(WEBHOOK, "unreachable", 503)
        return await self._stored(endpoint, proven)

    async def _stored(self, endpoint: Endpoint, message: NewMessage) -> Response:
        try:
            await self._keep(endpoint, message)
        except TenantUnknown:
            return _answered(endpoint.purpose, "no_tenant", 404)
        except AWAY:
            log.exception("message_not_stored", purpose=endpoint.purpose)
            return _answered(endpoint.purpose, "unreachable", 503)
        HOOKS.labels(endpoint.purpose, "stored").inc()
        return JSONResponse(ANSWERS[endpoint.purpose])

    async def _endpoint(self, token: str, ip: str) -> Endpoint | None:
        if len(token) > TOKEN_CHARACTERS_MAX:
            found = None
        else:
            found = await self._endpoints.find(sha256(token.encode()).digest())
        if found is None or found.purpose not in KNOWN:
            await self._services.limits.hit(
                "hooks_unknown", counted(ip), limit=UNKNOWN_PER_MINUTE_MAX, per_s=60
            )
            return None
        return found

    async def _keep(self, endpoint: Endpoint, message: NewMessage) -> None:
        """Store it with its tenant, or, while that can't be reached, with the platform.

        A tenant that answers too late may have stored it all the same: the platform's copy then
        finds it there.
        """
        try:
            async with asyncio.timeout(TENANT_PATIENCE_S):
                await self._keep_with_tenant(endpoint, message)
        except TenantUnknown:
            raise
        except AWAY as error:
            log.warning("message_waits", tenant=str(endpoint.tenant_id), why=type(error).__name__)
            await self._keep_with_platform(endpoint, message)

    async def _keep_with_tenant(self, endpoint: Endpoint, message: NewMessage) -> None:
        tenant = await self._services.tenants.settling(endpoint.tenant_id)
        await store_at_once(tenant, message, "process_inbox", QUEUE, utc_now())

    async def _keep_with_platform(self, endpoint: Endpoint, message: NewMessage) -> None:
        async with self._services.owner.transaction() as session:
            stored = await store(session, message, tenant_id=endpoint.tenant_id)
            if stored is not None:
                announce(session, "forward_inbox", queue=QUEUE, inbox_id=str(stored))

    def _is_allowed(self, ip: str) -> bool:
        if not self._networks:
            return True
        try:
            address = ip_address(ip)
        except ValueError:
            return False
        return any(address in network for network in self._networks)


ANSWERS: Final[Mapping[str, Mapping[str, str | int]]] = {
    "stk": STK_ANSWER,
    "c2b_confirmation": CONFIRMATION_ANSWER,
    WEBHOOK: {},
}
"""What each purpose expects once its message is stored."""
KNOWN: Final = frozenset({*ANSWERS, VALIDATION})
KINDS: Final = {"stk": "stk_result", "c2b_confirmation": "c2b_confirmation"}


def _answered(purpose: str, result: str, status: int) -> Response:
    HOOKS.labels(purpose, result).inc()
    return Response(status_code=status)


async def _body(request: Request) -> bytes | None:
    """The whole body; None where it is larger than any provider's message."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_BYTES_MAX:
                return None
    except ClientDisconnect:
        return None
    return bytes(body)


def _message(endpoint: Endpoint, request: Request, body: bytes) -> NewMessage:
    item = request.path_params.get("item")
    told = addressed(endpoint.purpose, KINDS[endpoint.purpose], item)
    item_hash = None if told.item is None else sha256(told.item.encode()).digest()
    whole = None if item is None else sha256(item.encode()).digest()
    kept = {name: request.headers[name][:200] for name in KEPT_HEADERS if name in request.headers}
    return NewMessage(
        source=f"{endpoint.provider}:{endpoint.channel_id}",
        kind=told.kind,
        external_id=f"{external_id(told.kind, body)}:{digest(whole, body)}",
        headers=kept,
        body=without_hook_paths(body),
        item_hash=item_hash,
    )
