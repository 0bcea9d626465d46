"""Two server processes over the same services: who pays through one is heard through the other."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from time import monotonic
from typing import Any

import asyncpg
import httpx
import pytest

from tests.api import Api, socket
from tests.paying import ENDED, any_phone, pay
from tests.running import Running, free_ports

log = logging.getLogger(__name__)

pytestmark = pytest.mark.timeout(180)

READY_WITHIN_S = 30.0
POLL_S = 0.05
QUIET_S = 6.0
"""Longer than the interval at which an open connection's rights are checked."""
PAYMENTS = "subscription { paymentsUpdated { id status } }"


@pytest.fixture(scope="module")
async def second(platform: Running) -> AsyncIterator[str]:
    """The base URL of another server process, as behind a load balancer."""
    port = free_ports()
    services = (platform.data_dir / "services.env").read_text().splitlines()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "server.cli", "server", "--port", str(port)),
        env={**os.environ, **dict(line.split("=", 1) for line in services)},
        stderr=asyncio.subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    async with asyncio.timeout(READY_WITHIN_S), httpx.AsyncClient(trust_env=False) as http:
        while not await is_ready(http, url):  # noqa: ASYNC110 - another program can't set our event
            await asyncio.sleep(POLL_S)
    yield url
    process.send_signal(signal.SIGTERM)
    await process.wait()


async def is_ready(http: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await http.get(f"{url}/readyz")).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture
async def first_api(platform: Running) -> AsyncIterator[Api]:
    api = Api(platform.demo["graphql_url"], platform.demo["api_key"])
    yield api
    await api.close()


@pytest.fixture
async def second_api(platform: Running, second: str) -> AsyncIterator[Api]:
    api = Api(f"{second}/graphql", platform.demo["api_key"])
    yield api
    await api.close()


async def statuses(events: AsyncIterator[dict[str, Any]], payment_id: str) -> list[str]:
    """What a stream of all payments tells about one, up to its end."""
    seen: list[str] = []
    async for event in events:
        payment = event["paymentsUpdated"]
        if payment["id"] == payment_id:
            seen.append(payment["status"])
            if seen[-1] in ENDED:
                return seen
    raise AssertionError(f"the stream ended after {seen}")


async def test_the_first_hears_what_is_paid_through_the_second(
    platform: Running, first_api: Api, second_api: Api
) -> None:
    await pay(first_api, platform.demo["channel_id"])
    async with asyncio.timeout(READY_WITHIN_S), aclosing(first_api.stream(PAYMENTS)) as events:
        await anext(events)

        payment_id = await pay(second_api, platform.demo["channel_id"])

        assert (await statuses(events, payment_id))[-1] == "SUCCEEDED"


async def test_the_second_hears_over_a_socket_what_the_first_was_called_back_about(
    platform: Running, second: str, first_api: Api
) -> None:
    # The sandbox calls back at the public URL, which is the first server's.
    url = second.replace("http", "ws", 1) + "/graphql"
    async with socket(url, platform.demo["api_key"]) as listening:
        await listening.subscribe(PAYMENTS)
        await listening.event()

        payment_id = await pay(first_api, platform.demo["channel_id"])

        while True:
            payment = (await listening.event())["paymentsUpdated"]
            if payment["id"] == payment_id and payment["status"] in ENDED:
                break
    assert payment["status"] == "SUCCEEDED"


async def test_a_callback_taken_by_the_second_is_told_by_the_first(
    platform: Running, second: str, first_api: Api
) -> None:
    phone = any_phone()
    async with httpx.AsyncClient(base_url=platform.demo["sandbox_url"], trust_env=False) as sandbox:
        plan = {"outcomes": ["withheld_callback"], "phone": phone.removeprefix("+")}
        (await sandbox.post("/_control/mpesa/next", json=plan)).raise_for_status()
        async with asyncio.timeout(READY_WITHIN_S), aclosing(first_api.stream(PAYMENTS)) as events:
            await anext(events)
            payment_id = await pay(first_api, platform.demo["channel_id"], phone=phone)
            prompt = await prompt_to(sandbox, phone)

            started = monotonic()
            path = httpx.URL(prompt["callback_url"]).path
            answer = await sandbox.post(second + path, json=success_of(prompt))

            assert answer.status_code == 200
            assert (await statuses(events, payment_id))[-1] == "SUCCEEDED"
            log.info("callback to event: %.0f ms", (monotonic() - started) * 1_000)


async def prompt_to(sandbox: httpx.AsyncClient, phone: str) -> dict[str, Any]:
    """The prompt a phone got, once its payer has acted."""
    while True:
        for prompt in (await sandbox.get("/_control/mpesa/book")).json()["stk"]:
            if prompt["phone"] == phone.removeprefix("+") and prompt["receipt"]:
                found: dict[str, Any] = prompt
                return found
        await asyncio.sleep(POLL_S)  # the book tells nobody


def success_of(prompt: dict[str, Any]) -> dict[str, Any]:
    """The callback that the sandbox keeps back."""
    items = {
        "Amount": prompt["amount"],
        "MpesaReceiptNumber": prompt["receipt"],
        "TransactionDate": int(prompt["acted_at"]),
        "PhoneNumber": int(prompt["phone"]),
    }
    told = {
        "MerchantRequestID": prompt["merchant_request_id"],
        "CheckoutRequestID": prompt["id"],
        "ResultCode": 0,
        "ResultDesc": "The service request is processed successfully.",
        "CallbackMetadata": {"Item": [{"Name": name, "Value": value} for name, value in items.items()]},
    }
    return {"Body": {"stkCallback": told}}


async def test_idle_subscriptions_run_no_sql_in_the_business_database(
    platform: Running, second: str, first_api: Api, second_api: Api
) -> None:
    async with (
        aclosing(first_api.stream(PAYMENTS)) as events,
        socket(second.replace("http", "ws", 1) + "/graphql", platform.demo["api_key"]) as listening,
        statements(platform) as asked,
    ):
        await anext(events)
        await listening.subscribe(PAYMENTS)
        await listening.event()

        before = len(asked())
        await asyncio.sleep(QUIET_S)  # that nothing happens can only be seen over a while
        idle = asked()[before:]
        await second_api.ask("{ payments(first: 1) { nodes { id } } }")

        assert idle == []
        assert any("FROM payments" in statement for statement in asked())


@asynccontextmanager
async def statements(platform: Running) -> AsyncIterator[Callable[[], list[str]]]:
    """What server processes ask of tenants' databases; the worker's sweeps are not counted."""
    admin = await asyncpg.connect(
        platform.service("HAZINA_MIGRATOR_URL").replace("+asyncpg", ""), user="postgres", database="postgres"
    )
    log = platform.data_dir / "log" / "postgres.log"
    start = log.stat().st_size
    await admin.execute("ALTER SYSTEM SET log_line_prefix = '%a|%d|'")
    await admin.execute("ALTER SYSTEM SET log_statement = 'all'")
    await admin.execute("SELECT pg_reload_conf()")

    def asked() -> list[str]:
        lines = log.read_bytes()[start:].decode().splitlines()
        return [line for line in lines if line.startswith("hazina-server|t_")]

    yield asked
    await admin.execute("ALTER SYSTEM RESET log_statement")
    await admin.execute("ALTER SYSTEM RESET log_line_prefix")
    await admin.execute("SELECT pg_reload_conf()")
    await admin.close()
