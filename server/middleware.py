"""What surrounds every HTTP answer: who really called, a request id, a body cap, headers, CORS.

Pure ASGI, outermost first:

    CORS → client address → request id → security headers → body cap → application

so that a refused body still has CORS headers, and a browser can read why.
"""

import re
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.view_refusals import Refused

Network = IPv4Network | IPv6Network

REQUEST_ID_HEADER: Final = "X-Request-Id"
EXPOSED_HEADERS: Final = (
    "Retry-After",
    "RateLimit-Limit",
    "RateLimit-Remaining",
    "RateLimit-Reset",
    REQUEST_ID_HEADER,
)
ALLOWED_HEADERS: Final = ("authorization", "content-type", "graphql-require-preflight", "x-tenant-id")
PREFLIGHT_CACHE_S: Final = 600
_SECURITY_HEADERS: Final = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
)
_NOTHING_LOADS: Final = "default-src 'none'; frame-ancestors 'none'"
_STRICT_TRANSPORT: Final = "max-age=31536000; includeSubDomains"


@dataclass(frozen=True, slots=True)
class Edge:
    """How the server meets the network."""

    allowed_origins: Sequence[str] = ()
    """Browser origins that may call: https://app.example.com."""
    tenant_domain: str | None = None
    """Every https://{slug}.{tenant_domain} may call, too."""
    trusted_proxies: Sequence[Network] = field(default_factory=tuple)
    """Whose X-Forwarded-For is believed."""
    body_bytes_max: int = 2_000_000
    transport: str = "plain"
    """`tls` where everything is reached over https, also behind a proxy: adds HSTS."""

    @property
    def origin_pattern(self) -> str | None:
        """Matches the origins of all tenants' subdomains."""
        if self.tenant_domain is None:
            return None
        return rf"https://[a-z0-9]([a-z0-9-]{{0,61}}[a-z0-9])?\.{re.escape(self.tenant_domain)}"

    def is_origin_allowed(self, origin: str) -> bool:
        """Whether a page of this origin may open a WebSocket: browsers do not apply CORS to those."""
        if origin in self.allowed_origins:
            return True
        return self.origin_pattern is not None and re.fullmatch(self.origin_pattern, origin) is not None


def protected(application: ASGIApp, edge: Edge) -> ASGIApp:
    """Put everything of this module around an application."""
    capped = BodyCap(application, edge.body_bytes_max)
    named = RequestIds(SecurityHeaders(capped, edge.transport))
    return CORSMiddleware(
        ClientAddress(named, edge.trusted_proxies),
        allow_origins=list(edge.allowed_origins),
        allow_origin_regex=edge.origin_pattern,
        allow_methods=["GET", "POST"],
        allow_headers=list(ALLOWED_HEADERS),
        expose_headers=list(EXPOSED_HEADERS),
        max_age=PREFLIGHT_CACHE_S,
    )


class ClientAddress:
    """Replaces the peer's address by the client's, where the peer is a proxy we trust."""

    def __init__(self, application: ASGIApp, trusted: Sequence[Network]) -> None:
        self._application = application
        self._trusted = tuple(trusted)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._trusted and scope["type"] in {"http", "websocket"} and scope.get("client"):
            address = self._client(scope["client"][0], Headers(scope=scope).getlist("x-forwarded-for"))
            scope = {**scope, "client": (address, 0)}
        await self._application(scope, receive, send)

    def _client(self, peer: str, forwarded: Sequence[str]) -> str:
        """The last address that no trusted proxy vouches for; what stands left of it may be invented."""
        hops = [hop.strip() for line in forwarded for hop in line.split(",")]
        address = peer
        while hops and self._is_trusted(address):
            hop = hops.pop()
            if _parsed(hop) is None:
                break
            address = hop
        return address

    def _is_trusted(self, address: str) -> bool:
        parsed = _parsed(address)
        return parsed is not None and any(parsed in network for network in self._trusted)


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(address)
    except ValueError:
        return None


class RequestIds:
    """Names each request: in `scope["state"]["request_id"]`, in every log line, in the answer."""

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._application(scope, receive, send)
            return
        request_id = uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = request_id
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await self._application(scope, receive, send_named)


class SecurityHeaders:
    """Tells browsers to guess, frame, cache and load nothing; pages may set a policy of their own."""

    def __init__(self, application: ASGIApp, transport: str) -> None:
        self._application = application
        self._transport = transport

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._add(MutableHeaders(scope=message))
            await send(message)

        await self._application(scope, receive, send_guarded)

    def _add(self, headers: MutableHeaders) -> None:
        for name, value in _SECURITY_HEADERS:
            headers.setdefault(name, value)
        if not headers.get("content-type", "").startswith("text/html"):
            headers.setdefault("Content-Security-Policy", _NOTHING_LOADS)
        if self._transport == "tls":
            headers.setdefault("Strict-Transport-Security", _STRICT_TRANSPORT)


class BodyCap:
    """Refuses bodies above a size with 413 in JSON, whether they say their length or not."""

    def __init__(self, application: ASGIApp, bytes_max: int) -> None:
        self._application = application
        self._bytes_max = bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "")
        if length.isdecimal() and int(length) > self._bytes_max:
            await self._too_large().response()(scope, receive, send)
            return
        read_bytes = 0
        is_started = False

        async def receive_counted() -> Message:
            nonlocal read_bytes
            message = await receive()
            read_bytes += len(message.get("body", b""))
            if read_bytes > self._bytes_max:
                raise self._too_large()
            return message

        async def send_unless_refused(message: Message) -> None:
            nonlocal is_started
            # What the application makes of the refusal, a 500 perhaps, is not the answer.
            if read_bytes <= self._bytes_max or is_started:
                is_started = True
                await send(message)

        with suppress(Refused):
            await self._application(scope, receive_counted, send_unless_refused)
        if read_bytes > self._bytes_max and not is_started:
            await self._too_large().response()(scope, receive, send)

    def _too_large(self) -> Refused:
        message = f"A request has at most {self._bytes_max} bytes."
        return Refused(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "BODY_TOO_LARGE", message, {"Connection": "close"}
        )
