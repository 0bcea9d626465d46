"""A file of the books over HTTP: ordered, watched until a worker has made it, fetched without a token."""

import asyncio
import csv
import io
import secrets
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.api import Api
from tests.running import Running

pytestmark = pytest.mark.timeout(180)

MADE_WITHIN_S = 60.0
WATCH = "subscription ($id: ID!) { exportUpdated(id: $id) { status progress failure } }"


@pytest.fixture
async def program(platform: Running) -> AsyncIterator[Api]:
    """The demo business, by its API key."""
    api = Api(platform.demo["graphql_url"], platform.demo["api_key"])
    yield api
    await api.close()


async def ordered(program: Api, format: str) -> str:
    """Has the transactions of a day made; gives the id once the file is ready."""
    now = datetime.now(UTC)
    period = {"since": (now - timedelta(days=1)).isoformat(), "before": (now + timedelta(days=1)).isoformat()}
    order = await program.succeed(
        "requestExport",
        "export { id }",
        kind="TRANSACTIONS",
        format=format,
        period=period,
        idempotencyKey=secrets.token_hex(8),
    )
    id_: str = order["export"]["id"]
    async with asyncio.timeout(MADE_WITHIN_S), aclosing(program.stream(WATCH, id=id_)) as events:
        async for event in events:
            assert event["exportUpdated"]["failure"] is None
            if event["exportUpdated"]["status"] == "READY":
                return id_
    raise AssertionError("the stream ended before the file was ready")


async def fetched(program: Api, id_: str) -> httpx.Response:
    link = await program.succeed("linkExport", "downloadUrl", id=id_)
    async with httpx.AsyncClient(trust_env=False) as http:
        return await http.get(link["downloadUrl"])


async def test_the_demo_payment_is_in_the_file(program: Api) -> None:
    answer = await fetched(program, await ordered(program, "CSV"))

    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert answer.headers["content-disposition"].startswith('attachment; filename="transactions-all-')
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert (rows[0]["Kind"], rows[0]["Amount (whole units)"]) == ("sale", "10.00")
    assert rows[0]["Reference"].startswith("pay_")


async def test_a_pdf_is_made_as_well(program: Api) -> None:
    answer = await fetched(program, await ordered(program, "PDF"))

    assert answer.headers["content-type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-")
