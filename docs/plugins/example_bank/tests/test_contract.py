# ruff: noqa: INP001, S101 - pytest's own ways
"""The adapter keeps Hazina's contract: `pip install -e '.[test]' && pytest`."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import uvicorn
from hazina_example_bank.contract_harness import ExampleBankHarness
from hazina_example_bank.stand_in import StandIn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.clock import utc_now
from integrations.account import Outside
from integrations.contract import CHECKS, Check, NotApplicable
from integrations.http import open_client
from integrations.mpesa.tokens import ProcessTokens
from integrations.registry import integrations
from integrations.webhooks import Webhook


@asynccontextmanager
async def served(app: Starlette) -> AsyncIterator[str]:
    """An application on a free port of this machine."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        config = uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1, ws="none")
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=[listener])
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        await server.shutdown(sockets=[listener])


@asynccontextmanager
async def example_bank() -> AsyncIterator[ExampleBankHarness]:
    """A harness whose stand-in and letter box are served."""
    async with (
        httpx.AsyncClient(trust_env=False) as teller,
        open_client(httpx.Timeout(connect=2, read=0.5, write=2, pool=2)) as http,
    ):
        harnesses: list[ExampleBankHarness] = []

        async def take(request: Request) -> Response:
            harnesses[0].told.append(Webhook(await request.body(), dict(request.headers)))
            return Response()

        stand_in = StandIn(teller)
        letterbox = Starlette(routes=[Route("/", take, methods=["POST"])])
        async with served(stand_in.app()) as url, served(letterbox) as hook:
            outside = Outside(http, ProcessTokens(utc_now), utc_now)
            harnesses.append(ExampleBankHarness(stand_in, url, outside, hook))
            yield harnesses[0]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_contract_is_kept(check: Check) -> None:
    async def run() -> None:
        async with example_bank() as harness:
            await check(harness)

    try:
        asyncio.run(run())
    except NotApplicable as why:
        pytest.skip(str(why))


def test_hazina_finds_the_plugin_by_its_entry_point() -> None:
    assert "example_bank" in integrations()
