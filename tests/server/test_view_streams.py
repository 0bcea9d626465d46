"""GraphQL over Server-Sent Events."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pytest

from core.clock import utc_now
from schema.operations import Serving
from server.view import ViewOptions
from tenancy.roles import Scope
from tests.schema.toy import ToyContext, free
from tests.server.listening import listening
from tests.server.toy_app import Callers, toy_application

STREAM = {"Accept": "text/event-stream", "Authorization": "Bearer toy"}


@pytest.fixture
def callers() -> Callers:
    callers = Callers()
    callers.add("toy", Scope.PAYMENTS_READ)
    return callers


async def one(_context: ToyContext) -> int:
    return 1


@asynccontextmanager
async def streaming(
    callers: Callers, query: str, options: ViewOptions | None = None
) -> AsyncIterator[httpx.Response]:
    async with (
        listening(toy_application(callers, None, options)) as address,
        httpx.AsyncClient(timeout=5) as client,
        client.stream("POST", f"http://{address}/graphql", json={"query": query}, headers=STREAM) as response,
    ):
        yield response


async def whole(callers: Callers, query: str, options: ViewOptions | None = None) -> str:
    async with streaming(callers, query, options) as response:
        return (await response.aread()).decode()


async def test_each_event_is_sent_then_the_end(callers: Callers) -> None:
    text = await whole(callers, "subscription { count(to: 2) }")

    assert text == (
        'event: next\ndata: {"data":{"count":1}}\n\n'
        'event: next\ndata: {"data":{"count":2}}\n\n'
        "event: complete\ndata:\n\n"
    )


async def test_a_query_is_one_event(callers: Callers) -> None:
    text = await whole(callers, "{ forks }")

    assert text.count("event: next") == text.count("event: complete") == 1


async def test_a_request_error_is_one_event_without_data(callers: Callers) -> None:
    text = await whole(callers, "{ nowhere }")

    assert "GRAPHQL_VALIDATION_FAILED" in text
    assert '"data":' not in text


async def test_nothing_between_may_hold_events_back(callers: Callers) -> None:
    async with streaming(callers, "{ forks }") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-cache, no-transform"
        assert response.headers["x-accel-buffering"] == "no"


async def test_a_quiet_stream_shows_that_it_lives(callers: Callers) -> None:
    options = ViewOptions(comment_s=0.02)
    async with streaming(callers, "subscription { silence }", options) as response:
        chunks = response.aiter_text()

        assert [await anext(chunks) for _ in range(2)] == [":\n\n", ":\n\n"]


async def test_a_stream_ends_with_its_token(callers: Callers) -> None:
    callers.add("toy", Scope.PAYMENTS_READ, expires_at=utc_now() + timedelta(seconds=0.15))

    text = await whole(callers, "subscription { silence }")

    assert text == "event: complete\ndata:\n\n"


async def test_a_stream_ends_with_a_revocation(callers: Callers) -> None:
    options = ViewOptions(recheck_s=0.02)
    async with streaming(callers, "subscription { silence }", options) as response:
        callers.by_token.clear()

        assert (await response.aread()).decode() == "event: complete\ndata:\n\n"


async def test_a_client_that_leaves_frees_its_place(callers: Callers) -> None:
    serving = Serving(free, connections_max=one)
    async with (
        listening(toy_application(callers, serving, ViewOptions(comment_s=0.02))) as address,
        httpx.AsyncClient(timeout=5) as client,
    ):
        body = {"query": "subscription { silence }"}
        url = f"http://{address}/graphql"
        async with client.stream("POST", url, json=body, headers=STREAM) as first:
            assert first.status_code == 200
            refused = await client.post(url, json=body, headers=STREAM)
            assert refused.status_code == 429
            assert refused.json()["errors"][0]["extensions"]["code"] == "TOO_MANY_CONNECTIONS"
        async with asyncio.timeout(5):
            while True:
                async with client.stream("POST", url, json=body, headers=STREAM) as second:
                    if second.status_code == 200:
                        break


async def test_the_single_connection_mode_is_refused(callers: Callers) -> None:
    async with (
        listening(toy_application(callers)) as address,
        httpx.AsyncClient(timeout=5) as client,
    ):
        response = await client.put(f"http://{address}/graphql", headers=STREAM)

    assert response.status_code == 405
