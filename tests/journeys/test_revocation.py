"""What is revoked stops working within ten seconds, open connections included."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from time import monotonic

import pytest

from tests.api import Api, Socket, socket
from tests.running import Running

log = logging.getLogger(__name__)

pytestmark = pytest.mark.timeout(120)

BITES_WITHIN_S = 10.0
POLL_S = 0.1
PAYMENTS = "subscription { paymentsUpdated { id } }"
STEP = "TenantStepInput"
QUERY = "{ payments(first: 1) { nodes { id } } }"


@dataclass(frozen=True, slots=True)
class Key:
    """An API key of the demo business, in use over HTTP, a socket and a stream."""

    id: str
    api: Api
    socket: Socket
    streaming: asyncio.Task[None]


@pytest.fixture
async def demo(platform: Running) -> AsyncIterator[Api]:
    api = Api(platform.demo["graphql_url"], platform.demo["api_key"])
    yield api
    await api.close()


@pytest.fixture
async def key(platform: Running, demo: Api) -> AsyncIterator[Key]:
    made = await demo.succeed("createApiKey", "apiKey { id } secret", name="Till 3", scopes=["payments:read"])
    api = demo.signed_in(made["secret"])
    await api.ask(QUERY)
    async with socket(platform.demo["ws_url"], made["secret"]) as opened:
        await opened.subscribe(PAYMENTS)
        await opened.event()
        begun = asyncio.Event()
        streaming = asyncio.create_task(listen(api, begun))
        await begun.wait()
        yield Key(made["apiKey"]["id"], api, opened, streaming)
        streaming.cancel()


async def listen(api: Api, begun: asyncio.Event) -> None:
    """Take events until the server ends the stream."""
    async with aclosing(api.stream(PAYMENTS)) as events:
        async for _ in events:
            begun.set()


async def code_of(api: Api) -> str | None:
    """Why a query is refused; None where it is answered."""
    body = (await api.raw(QUERY)).json()
    return body["errors"][0]["extensions"]["code"] if "errors" in body else None


async def shut_out(key: Key, code: str) -> float:
    """Seconds until everything that uses the key is refused or closed."""
    started = monotonic()
    async with asyncio.timeout(BITES_WITHIN_S):
        while (found := await code_of(key.api)) is None:  # noqa: ASYNC110 - nothing tells a caller that it was shut out
            await asyncio.sleep(POLL_S)
    assert found == code
    assert await key.socket.closed(BITES_WITHIN_S - (monotonic() - started)) == (4403, code)
    async with asyncio.timeout(BITES_WITHIN_S - (monotonic() - started)):
        await key.streaming
    return monotonic() - started


async def test_a_revoked_key_is_refused_and_its_connections_are_closed(demo: Api, key: Key) -> None:
    await demo.succeed("revokeApiKey", "apiKey { revokedAt }", id=key.id, reason="The till was stolen")

    log.info("shut out after %.2f s", await shut_out(key, "NOT_SIGNED_IN"))
    assert await code_of(demo) is None


async def test_a_suspended_business_is_refused_and_its_connections_are_closed(
    platform: Running, staff: Api, demo: Api, key: Key
) -> None:
    tenant_id = platform.demo["tenant"]["id"]
    suspended = await staff.succeed(
        "suspendTenant", "tenant { status }", STEP, tenantId=tenant_id, reason="A test of ours"
    )
    assert suspended["tenant"]["status"] == "SUSPENDED"

    log.info("shut out after %.2f s", await shut_out(key, "TENANT_SUSPENDED"))

    await staff.succeed(
        "resumeTenant", "tenant { status }", STEP, tenantId=tenant_id, reason="The test is over"
    )
    started = monotonic()
    async with asyncio.timeout(BITES_WITHIN_S):
        while await code_of(demo) is not None:  # noqa: ASYNC110 - nothing tells a caller that it is served again
            await asyncio.sleep(POLL_S)
    log.info("served again after %.2f s", monotonic() - started)
    log_page = await staff.ask("{ auditLog(first: 20) { nodes { action reason subject } } }")
    rows = log_page["auditLog"]["nodes"]
    assert {"action": "suspend_tenant", "reason": "A test of ours", "subject": tenant_id} in rows
    assert {"action": "resume_tenant", "reason": "The test is over", "subject": tenant_id} in rows
