"""The client for outside calls: sends once, and says of each failure whether it may have arrived."""

import asyncio
import ipaddress
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final, Literal
from urllib.parse import urlsplit

import httpx

from integrations.errors import BadMessage, OutcomeUnknown, ProviderUnavailable
from integrations.redaction import redact, redact_text
from integrations.wire_json import Json, read_json, write_json

TIMEOUT: Final = httpx.Timeout(connect=5, read=45, write=10, pool=2)
"""A call's own deadline ends its reading sooner."""
LIMITS: Final = httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=20)
DEADLINE_S: Final = 35.0
"""Of one whole call: a server that drips its answer would outlive any read timeout, and the job."""
RESPONSE_BYTES_MAX: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Call:
    """One outside call, redacted: ready for a row of `provider_calls`."""

    provider: str
    operation: str
    """`token`, `stk_push`, `stk_query`, `c2b_register`."""
    method: str
    path: str
    request: dict[str, Json]
    status: int | None
    """HTTP status; None where no answer came."""
    response: dict[str, Json] | None
    outcome: Literal["answered", "unavailable", "unknown"]
    duration_ms: int


CallLog = Callable[[Call], Awaitable[None]]
"""Told of every call when it has ended. It may write to a database: no transaction is open."""


async def ignore_call(call: Call) -> None:
    """The log of those who keep none."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One request to a provider."""

    provider: str
    operation: str
    method: Literal["GET", "POST"]
    url: str
    reference: str
    """Ours, for OutcomeUnknown."""
    headers: dict[str, str] = field(repr=False)
    body: Mapping[str, Json] | None = field(default=None, repr=False)
    """Sent as JSON; a Decimal is written digit by digit."""
    form: Mapping[str, str] | None = field(default=None, repr=False)
    """Form-encoded instead: names as the provider writes them, brackets included."""
    deadline_s: float = DEADLINE_S


@dataclass(frozen=True, slots=True)
class Reply:
    """What the provider answered, whatever its status."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """By lower-case names."""


def open_client(timeout: httpx.Timeout = TIMEOUT) -> httpx.AsyncClient:
    """One client for a process and all its tenants; the caller closes it.

    It keeps no cookies, follows no redirect and reads no proxy, certificate or password from the
    environment, so nothing of one tenant's call reaches another's, or a third party.
    """
    return httpx.AsyncClient(
        timeout=timeout,
        limits=LIMITS,
        follow_redirects=False,
        trust_env=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        # A compressed answer of a few bytes could fill the memory.
        headers={"accept-encoding": "identity", "user-agent": "hazina"},
    )


def checked_base_url(base_url: str) -> str:
    """The base URL without a slash at its end.

    Raises:
        ValueError: it is no URL, or neither https nor on this machine: keys would travel in clear.
    """
    parts = urlsplit(base_url)
    if not parts.hostname or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
        raise ValueError("a provider's base URL looks like https://api.example.com")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("a provider's base URL is https, unless it is on this machine")
    return base_url.rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether the host is this machine by its name or number; nothing is looked up."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def send(http: httpx.AsyncClient, outgoing: Outgoing, log: CallLog) -> Reply:
    """Send once and read the whole answer; any HTTP status is an answer.

    Raises:
        ProviderUnavailable: no connection came about, so nothing was sent.
        OutcomeUnknown: it was sent, and no complete answer came.
    """
    started = time.monotonic()
    try:
        reply = await _exchange(http, outgoing)
    except ProviderUnavailable as error:
        await log(_call(outgoing, started, None, "unavailable", error.message))
        raise
    except OutcomeUnknown as error:
        await log(_call(outgoing, started, None, "unknown", error.message))
        raise
    await log(_call(outgoing, started, reply, "answered", ""))
    return reply


async def _exchange(http: httpx.AsyncClient, outgoing: Outgoing) -> Reply:
    try:
        async with asyncio.timeout(outgoing.deadline_s):
            return await _read(http, outgoing)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        raise ProviderUnavailable(f"no connection: {type(error).__name__}") from error
    except (httpx.RequestError, TimeoutError) as error:
        raise OutcomeUnknown(outgoing.reference, f"no answer: {type(error).__name__}") from error


async def _read(http: httpx.AsyncClient, outgoing: Outgoing) -> Reply:
    request = _request(http, outgoing)
    response = await http.send(request, stream=True)
    try:
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > RESPONSE_BYTES_MAX:
                raise OutcomeUnknown(outgoing.reference, "the answer has no end")
    finally:
        await response.aclose()
    return Reply(response.status_code, bytes(body), response.headers)


def _request(http: httpx.AsyncClient, outgoing: Outgoing) -> httpx.Request:
    headers = dict(outgoing.headers)
    if outgoing.form is not None:
        return http.build_request(outgoing.method, outgoing.url, headers=headers, data=dict(outgoing.form))
    if outgoing.body is None:
        return http.build_request(outgoing.method, outgoing.url, headers=headers)
    headers["content-type"] = "application/json"
    content = write_json(dict(outgoing.body))
    return http.build_request(outgoing.method, outgoing.url, headers=headers, content=content)


def _call(
    outgoing: Outgoing,
    started: float,
    reply: Reply | None,
    outcome: Literal["answered", "unavailable", "unknown"],
    why: str,
) -> Call:
    request = redact(dict(outgoing.body or outgoing.form or {}))
    return Call(
        provider=outgoing.provider,
        operation=outgoing.operation,
        method=outgoing.method,
        path=urlsplit(outgoing.url).path,
        request=request if isinstance(request, dict) else {},
        status=None if reply is None else reply.status,
        response={"error": why} if reply is None else {**_redacted(reply.body), **_named(reply)},
        outcome=outcome,
        duration_ms=round((time.monotonic() - started) * 1_000),
    )


def _redacted(body: bytes) -> dict[str, Json]:
    try:
        answer = redact(read_json(body))
    except BadMessage:
        return {"text": redact_text(body[:2_000].decode(errors="replace"))}
    return answer if isinstance(answer, dict) else {"answer": answer}


def _named(reply: Reply) -> dict[str, Json]:
    """The provider's own name of the request: its support asks for it."""
    name = reply.headers.get("request-id")
    return {} if name is None else {"request_id": redact_text(name)}
