"""Sends one signed message to a tenant's endpoint (Standard Webhooks 1.0.0)."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import httpx
from standardwebhooks import Webhook

from integrations.redaction import redact_text
from integrations.webhooks_out.addresses import AddressRefused, Network, public_address

TIMEOUT_S: Final = 15.0
RESPONSE_BYTES_MAX: Final = 2_000
"""Kept of an answer, for whoever looks for the reason of a failure."""


@dataclass(frozen=True, slots=True)
class OutgoingWebhook:
    """One message and where it goes."""

    url: str = field(repr=False)
    message_id: str
    """The same at every try: whoever gets it twice can tell."""
    event: str
    occurred_at: datetime
    data: Mapping[str, Any] = field(repr=False)
    secrets: Sequence[str] = field(repr=False)
    """`whsec_…`: signed with each of them."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """How one try ended."""

    status: int | None
    response: str | None
    error: str | None
    duration_ms: int


async def deliver(webhook: OutgoingWebhook, now: datetime, allowed: Sequence[Network] = ()) -> Delivered:
    """Send it once. Redirects are not followed, and only the address that was checked is called."""
    started = time.monotonic()
    try:
        async with asyncio.timeout(TIMEOUT_S):
            status, body = await _post(webhook, now, allowed)
    except AddressRefused as refusal:
        return _ended(started, None, None, str(refusal))
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        return _ended(started, None, None, f"No answer: {type(error).__name__}.")
    return _ended(started, status, redact_text(body.decode(errors="replace")), None)


async def _post(webhook: OutgoingWebhook, now: datetime, allowed: Sequence[Network]) -> tuple[int, bytes]:
    parts = urlsplit(webhook.url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    address = await public_address(host, port, allowed)
    literal = f"[{address}]" if address.version == 6 else str(address)  # noqa: PLR2004 - IPv6
    url = urlunsplit((parts.scheme, f"{literal}:{port}", parts.path or "/", parts.query, ""))
    content = body_of(webhook)
    headers = {**_signed(webhook, content, now), "host": parts.netloc, "content-type": "application/json"}
    # A client of its own: a kept connection to one host must not serve another at the same address.
    async with httpx.AsyncClient(
        trust_env=False, follow_redirects=False, timeout=TIMEOUT_S, headers=_PLAIN
    ) as http:
        request = http.build_request("POST", url, content=content, headers=headers)
        request.extensions["sni_hostname"] = host
        response = await http.send(request, stream=True)
        try:
            return response.status_code, await _beginning(response)
        finally:
            await response.aclose()


def body_of(webhook: OutgoingWebhook) -> bytes:
    """The JSON text: `type`, `timestamp` and `data`; the same at every try."""
    message = {
        "type": webhook.event,
        "timestamp": webhook.occurred_at.isoformat().replace("+00:00", "Z"),
        "data": dict(webhook.data),
    }
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()


def _signed(webhook: OutgoingWebhook, content: bytes, now: datetime) -> dict[str, str]:
    text = content.decode()
    signatures = [Webhook(secret).sign(webhook.message_id, now, text) for secret in webhook.secrets]
    return {
        "webhook-id": webhook.message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


async def _beginning(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) >= RESPONSE_BYTES_MAX:
            break
    return bytes(body[:RESPONSE_BYTES_MAX])


def _ended(started: float, status: int | None, response: str | None, error: str | None) -> Delivered:
    return Delivered(status, response, error, round((time.monotonic() - started) * 1_000))


_PLAIN: Final = {"accept-encoding": "identity", "user-agent": "Hazina-Webhooks/1"}
