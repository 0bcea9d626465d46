import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from integrations.errors import OutcomeUnknown
from integrations.http import (
    RESPONSE_BYTES_MAX,
    Call,
    Outgoing,
    checked_base_url,
    ignore_call,
    open_client,
    send,
)
from tests.integrations.scripted import answer, scripted_server
from tests.sandbox import serving

DRIP_S = 0.05


def post(url: str) -> Outgoing:
    return Outgoing("mpesa", "stk_push", "POST", url, "INV1042", {}, {"Amount": 1})


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com",
        "http://10.0.0.1",
        "ftp://api.example.com",
        "api.example.com",
        "",
        "https://",
        "https://api.example.com?x=1",
        "http://127.0.0.1.example.com",
    ],
)
def test_keys_never_travel_in_clear(url: str) -> None:
    with pytest.raises(ValueError, match="base URL"):
        checked_base_url(url)


@pytest.mark.parametrize(
    "url", ["https://api.example.com/v1", "http://127.0.0.1:8001", "http://[::1]:80", "http://localhost"]
)
def test_https_and_this_machine_are_fine(url: str) -> None:
    assert checked_base_url(f"{url}/") == url


async def test_an_answer_without_end_is_cut_off(http: httpx.AsyncClient) -> None:
    async with scripted_server(answer(200, b"x" * (RESPONSE_BYTES_MAX + 1))) as server:
        with pytest.raises(OutcomeUnknown, match="no end"):
            await send(http, post(server.url), ignore_call)


async def test_an_answer_that_drips_is_given_up_at_the_deadline(http: httpx.AsyncClient) -> None:
    async def drip(_: Request) -> Response:
        return StreamingResponse(drops())

    async def drops() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(DRIP_S)

    async with serving(Starlette(routes=[Route("/", drip, methods=["POST"])])) as url:
        with pytest.raises(OutcomeUnknown, match="TimeoutError"):
            await send(http, replace(post(url), deadline_s=0.3), ignore_call)


async def test_a_redirect_is_an_answer_and_not_followed(http: httpx.AsyncClient) -> None:
    async with scripted_server(answer(307, "", location="/elsewhere")) as server:
        reply = await send(http, post(server.url), ignore_call)

        assert reply.status == 307
        assert len(server.received) == 1


async def test_a_cookie_of_one_call_is_not_sent_with_the_next() -> None:
    cookie = {"set-cookie": "session=one-tenants; Path=/"}
    async with scripted_server(answer(200, {}, **cookie)) as server, open_client() as http:
        await send(http, post(server.url), ignore_call)
        await send(http, post(server.url), ignore_call)

        assert len(server.headers) == 2
        assert not any("cookie" in headers for headers in server.headers)


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    async with scripted_server(answer(200, {})) as server, open_client() as http:
        assert (await send(http, post(server.url), ignore_call)).status == 200


async def test_an_answer_that_is_no_json_is_kept_as_short_text(http: httpx.AsyncClient) -> None:
    calls: list[Call] = []

    async def log(call: Call) -> None:
        calls.append(call)

    async with scripted_server(answer(200, "<h1>Sorry 254700000001</h1>" + "x" * 5_000)) as server:
        await send(http, post(server.url), log)

    kept = str(calls[0].response)
    assert "Sorry 2547*****001" in kept
    assert len(kept) < 500
