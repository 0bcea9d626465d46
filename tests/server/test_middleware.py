"""What surrounds every answer."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_network

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from server.middleware import Edge, protected
from tests.server.toy_app import Callers, toy_application

EDGE = Edge(
    allowed_origins=["https://app.example.com"],
    tenant_domain="pay.example.com",
    trusted_proxies=[ip_network("10.0.0.0/8")],
    body_bytes_max=1_000,
    transport="tls",
)


async def mirror(request: Request) -> JSONResponse:
    body = await request.body()
    address = request.client.host if request.client else None
    return JSONResponse({"client": address, "bytes": len(body), "request_id": request.state.request_id})


@asynccontextmanager
async def asking(peer: str = "192.0.2.1") -> AsyncIterator[httpx.AsyncClient]:
    application = protected(Starlette(routes=[Route("/", mirror, methods=["GET", "POST"])]), EDGE)
    transport = httpx.ASGITransport(app=application, client=(peer, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def chunks(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * 500


@pytest.mark.parametrize("body", [lambda: b"x" * 1_001, lambda: chunks(3)], ids=["announced", "in chunks"])
async def test_a_large_body_is_413_in_json_that_a_browser_can_read(
    body: Callable[[], bytes | AsyncIterator[bytes]],
) -> None:
    async with asking() as client:
        response = await client.post("/", content=body(), headers={"Origin": "https://app.example.com"})

    assert response.status_code == 413
    assert response.json()["errors"][0]["extensions"]["code"] == "BODY_TOO_LARGE"
    assert response.headers["access-control-allow-origin"] == "https://app.example.com"


async def test_graphql_answers_413_to_a_large_body_in_chunks() -> None:
    transport = httpx.ASGITransport(app=protected(toy_application(Callers()), EDGE))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        response = await client.post(
            "/graphql", content=chunks(3), headers={"Content-Type": "application/json"}
        )

    assert response.status_code == 413


async def test_a_body_of_the_allowed_size_passes() -> None:
    async with asking() as client:
        response = await client.post("/", content=b"x" * 1_000)

    assert response.json()["bytes"] == 1_000


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", "203.0.113.9", "192.0.2.1"),
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "1.1.1.1, 203.0.113.9, 10.2.2.2", "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9, nonsense", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
    ],
)
async def test_only_trusted_proxies_say_who_called(peer: str, forwarded: str, client: str) -> None:
    async with asking(peer) as asker:
        response = await asker.get("/", headers={"X-Forwarded-For": forwarded})

    assert response.json()["client"] == client


@pytest.mark.parametrize(
    ("origin", "is_allowed"),
    [
        ("https://app.example.com", True),
        ("https://duka.pay.example.com", True),
        ("https://a.b.pay.example.com", False),
        ("http://duka.pay.example.com", False),
        ("https://pay.example.com.evil.example", False),
        ("https://evilpay.example.com", False),
        ("null", False),
    ],
)
async def test_browsers_may_call_from_our_apps_and_tenants_only(origin: str, *, is_allowed: bool) -> None:
    async with asking() as client:
        response = await client.options(
            "/", headers={"Origin": origin, "Access-Control-Request-Method": "POST"}
        )

    assert (response.headers.get("access-control-allow-origin") == origin) is is_allowed
    assert EDGE.is_origin_allowed(origin) is is_allowed
    assert "access-control-allow-credentials" not in response.headers


async def test_a_browser_may_read_how_long_to_wait() -> None:
    async with asking() as client:
        response = await client.get("/", headers={"Origin": "https://app.example.com"})

    assert "Retry-After" in response.headers["access-control-expose-headers"]


async def test_each_request_has_an_id_of_its_own() -> None:
    async with asking() as client:
        first, second = [await client.get("/") for _ in range(2)]

    assert first.headers["x-request-id"] == first.json()["request_id"]
    assert first.json()["request_id"] != second.json()["request_id"]


async def test_browsers_are_told_to_guess_frame_and_load_nothing() -> None:
    async with asking() as client:
        headers = (await client.get("/")).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["cache-control"] == "no-store"
    assert headers["strict-transport-security"].startswith("max-age=")
