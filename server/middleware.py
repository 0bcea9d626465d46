"""What surrounds every HTTP answer: who really called, a request id, a body cap, headers, CORS.

Pure ASGI, outermost first:

    CORS → client address → request id → security headers → body cap → application

so that a refused body still has CORS headers, and a browser can read why.
"""

import re
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

import structlog
from starlette.datastructures import Headers
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
_REQUEST_ID: Final = REQUEST_ID_HEADER.lower().encode()
_SECURITY_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)
_NOTHING_LOADS: Final = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_STRICT_TRANSPORT: Final = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")


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
        request_id = secrets.token_hex(16)
        header = (_REQUEST_ID, request_id.encode())
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], header]
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await self._application(scope, receive, send_named)


class SecurityHeaders:
    """Tells browsers to guess, frame, cache and load nothing; pages may set a policy of their own."""

    def __init__(self, application: ASGIApp, transport: str) -> None:
        self._application = application
        strict = (_STRICT_TRANSPORT,) if transport == "tls" else ()
        self._of_pages = (*_SECURITY_HEADERS, *strict)
        self._of_data = (*self._of_pages, _NOTHING_LOADS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = self._guarded(list(message["headers"]))
            await send(message)

        await self._application(scope, receive, send_guarded)

    def _guarded(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """Adds what the application has not decided itself; raw pairs, since this runs for each answer."""
        present = dict(headers)
        is_page = present.get(b"content-type", b"").startswith(b"text/html")
        wanted = self._of_pages if is_page else self._of_data
        return headers + [header for header in wanted if header[0] not in present]


class BodyCap:
    """Refuses bodies above a size with 413 in JSON, whether they say their length or not."""

    def __init__(self, application: ASGIApp, bytes_max: int) -> None:
        self._application = application
        self._bytes_max = bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        length = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
        if length.isdigit() and int(length) > self._bytes_max:
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
