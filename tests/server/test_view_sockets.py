"""GraphQL over WebSocket: the protocol, and each of its close codes."""

from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from schema.operations import Serving
from server.view import ViewOptions
from tenancy.roles import Scope
from tests.schema.toy import free
from tests.server.socket_client import INIT, Client, connected
from tests.server.toy_app import Callers


@pytest.fixture
def callers() -> Callers:
    callers = Callers()
    callers.add("toy", Scope.PAYMENTS_READ)
    return callers


@pytest.fixture
async def client(callers: Callers) -> AsyncIterator[Client]:
    async with connected(callers) as client:
        yield client


async def test_a_subscription_gives_its_events_and_completes(client: Client) -> None:
    await client.init()
    await client.subscribe("subscription { count(to: 2) }")

    messages = [await client.next() for _ in range(3)]

    assert [message["type"] for message in messages] == ["next", "next", "complete"]
    assert [message["payload"]["data"] for message in messages[:2]] == [{"count": 1}, {"count": 2}]


async def test_queries_and_mutations_run_over_a_socket(client: Client) -> None:
    await client.init()
    await client.subscribe('mutation { play(input: {name: "a"}) { __typename } }')

    assert (await client.next())["payload"]["data"] == {"play": {"__typename": "PlaySuccess"}}


async def test_each_operation_gets_a_context_of_its_own(client: Client) -> None:
    await client.init()
    for id_ in ("1", "2"):
        await client.subscribe("{ forks }", id_)
        assert (await client.next())["payload"]["data"] == {"forks": 1}
        assert (await client.next())["type"] == "complete"


async def test_ping_is_answered(client: Client) -> None:
    await client.send({"type": "ping"})

    assert (await client.next())["type"] == "pong"


async def test_an_operation_can_be_ended_by_the_client(client: Client) -> None:
    await client.init()
    await client.subscribe("subscription { silence }")
    await client.send({"type": "complete", "id": "1"})
    await client.subscribe("{ forks }")

    assert (await client.next())["type"] == "next"


@pytest.mark.parametrize(
    "query", ["{ nowhere }", "{ toys(first: 1) }", "query A { forks } query B { forks }"]
)
async def test_a_request_error_leaves_the_socket_open(client: Client, query: str) -> None:
    await client.init()
    await client.subscribe(query)
    assert (await client.next())["type"] == "error"

    await client.subscribe("{ forks }")

    assert (await client.next())["type"] == "next"


CLOSES: dict[str, tuple[int, list[Any]]] = {
    "bad JSON": (4400, [INIT, "{"]),
    "JSON without end": (4400, [INIT, "[" * 50_000]),
    "a message that is a list": (4400, [INIT, "[1]"]),
    "a type that is a number": (4400, [INIT, {"type": 7}]),
    "an unknown message": (4400, [INIT, {"type": "start"}]),
    "a syntax error": (4400, [INIT, {"type": "subscribe", "id": "1", "payload": {"query": "{"}}]),
    "a missing query": (4400, [INIT, {"type": "subscribe", "id": "1", "payload": {}}]),
    "a missing payload": (4400, [INIT, {"type": "subscribe", "id": "1"}]),
    "variables that are a list": (
        4400,
        [INIT, {"type": "subscribe", "id": "1", "payload": {"query": "{forks}", "variables": []}}],
    ),
    "an id that is a number": (4400, [INIT, {"type": "subscribe", "id": 1, "payload": {"query": "{forks}"}}]),
    "a payload of init that is a string": (4400, [{"type": "connection_init", "payload": "x"}]),
    "a binary frame": (4400, [INIT, b"{}"]),
    "subscribe before init": (4401, [{"type": "subscribe", "id": "1", "payload": {"query": "{forks}"}}]),
    "a credential that proves nothing": (
        4403,
        [{"type": "connection_init", "payload": {"authorization": "Bearer no"}}],
    ),
    "no init": (4408, []),
    "a duplicate id": (
        4409,
        [INIT, *[{"type": "subscribe", "id": "1", "payload": {"query": "subscription { silence }"}}] * 2],
    ),
    "a second init": (4429, [INIT, INIT]),
}


@pytest.mark.parametrize(("code", "messages"), CLOSES.values(), ids=CLOSES.keys())
async def test_the_close_codes_are_the_official_ones(client: Client, code: int, messages: list[Any]) -> None:
    for message in messages:
        if isinstance(message, str | bytes):
            await client.send_raw(message)
        else:
            await client.send(message)

    assert (await client.closed())[0] == code


async def test_no_subprotocol_closes_with_4406(callers: Callers) -> None:
    async with connected(callers, subprotocols=None) as client:
        assert (await client.closed())[0] == 4406


async def test_a_foreign_page_gets_403_at_the_handshake(callers: Callers) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connected(callers, origin=Origin("https://evil.example")):
            pass

    assert refused.value.response.status_code == 403


async def test_a_page_of_ours_may_connect(callers: Callers) -> None:
    options = ViewOptions(is_origin_allowed=lambda origin: origin == "https://app.example.com")
    async with connected(callers, options, origin=Origin("https://app.example.com")) as client:
        await client.init()


async def test_documents_may_be_named_by_their_hash(callers: Callers) -> None:
    text = "{ toy { name } }"
    id_ = sha256(text.encode()).hexdigest()

    async def find(document_id: str) -> str | None:
        return text if document_id == id_ else None

    async with connected(callers, serving=Serving(free, find_document=find)) as client:
        await client.init()
        extensions = {"persistedQuery": {"version": 1, "sha256Hash": id_}}
        await client.send({"type": "subscribe", "id": "1", "payload": {"extensions": extensions}})
        assert (await client.next())["payload"]["data"] == {"toy": {"name": "toy 1"}}
        assert (await client.next())["type"] == "complete"

        await client.send({"type": "subscribe", "id": "2", "payload": {"documentId": "sha256:" + "0" * 64}})
        assert (await client.next())["payload"][0]["extensions"]["code"] == "PERSISTED_DOCUMENT_NOT_FOUND"


async def test_a_socket_needs_no_token(callers: Callers) -> None:
    async with connected(callers) as client:
        await client.send({"type": "connection_init"})
        assert (await client.next())["type"] == "connection_ack"
        await client.subscribe("{ __typename }")

        assert (await client.next())["payload"]["data"] == {"__typename": "Query"}
