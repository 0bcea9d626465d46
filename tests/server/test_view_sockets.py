"""GraphQL over WebSocket: the protocol, who may stay connected, and how much."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import Any, Final

import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin, Subprotocol

from core.clock import utc_now
from schema.operations import Serving
from server import view
from server.view import ViewOptions
from tenancy.errors import Capacity, TenantSuspended, TenantUnavailable
from tenancy.roles import Scope
from tests.schema.toy import ToyContext, free
from tests.server.listening import listening
from tests.server.toy_app import Callers, toy_application

PROTOCOL: Final = Subprotocol("graphql-transport-ws")
QUICK: Final = ViewOptions(recheck_s=0.02, init_wait_s=0.2)
INIT: Final[dict[str, Any]] = {"type": "connection_init", "payload": {"authorization": "Bearer toy"}}


@pytest.fixture
def callers() -> Callers:
    callers = Callers()
    callers.add("toy", Scope.PAYMENTS_READ)
    return callers


async def one(_context: ToyContext) -> int:
    return 1


class Client:
    """One socket, in JSON."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def send(self, message: object) -> None:
        await self._socket.send(orjson.dumps(message).decode())

    async def send_raw(self, frame: str | bytes) -> None:
        await self._socket.send(frame)

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(5):
            frame = await self._socket.recv()
        assert isinstance(frame, str), "a binary frame kills the client"
        message: dict[str, Any] = orjson.loads(frame)
        return message

    async def init(self) -> None:
        await self.send(INIT)
        assert (await self.next())["type"] == "connection_ack"

    async def subscribe(self, query: str, id_: str = "1", **payload: object) -> None:
        await self.send({"type": "subscribe", "id": id_, "payload": {"query": query, **payload}})

    async def closed(self) -> tuple[int, str]:
        """Wait for the close frame, past whatever comes before it."""
        async with asyncio.timeout(5):
            with suppress(ConnectionClosed):
                while True:
                    await self._socket.recv()
        return self._socket.close_code or 0, self._socket.close_reason or ""


@asynccontextmanager
async def connected(
    callers: Callers,
    options: ViewOptions = QUICK,
    serving: Serving[ToyContext] | None = None,
    **how: Any,  # noqa: ANN401 - of websockets
) -> AsyncIterator[Client]:
    async with (
        listening(toy_application(callers, serving, options)) as address,
        connect(f"ws://{address}/graphql", **{"subprotocols": [PROTOCOL], **how}) as socket,
    ):
        yield Client(socket)


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


async def test_the_socket_closes_when_its_token_expires(callers: Callers) -> None:
    callers.add("toy", Scope.PAYMENTS_READ, expires_at=utc_now() + timedelta(seconds=0.15))
    async with connected(callers, ViewOptions(recheck_s=60)) as client:
        await client.init()
        await client.subscribe("subscription { silence }")

        assert await client.closed() == (4403, "TOKEN_EXPIRED")


async def test_a_revoked_caller_loses_the_socket(client: Client, callers: Callers) -> None:
    await client.init()
    await client.subscribe("subscription { silence }")

    callers.by_token.clear()

    assert await client.closed() == (4403, "NOT_SIGNED_IN")


async def test_a_caller_whose_rights_changed_connects_again(client: Client, callers: Callers) -> None:
    await client.init()

    callers.by_token["toy"] = replace(callers.by_token["toy"], scopes=frozenset())

    assert await client.closed() == (4403, "RIGHTS_CHANGED")


async def test_a_suspended_business_loses_its_sockets(client: Client, callers: Callers) -> None:
    await client.init()

    callers.not_served = TenantSuspended()

    assert await client.closed() == (4403, "TENANT_SUSPENDED")


async def test_a_business_that_is_being_made_may_be_watched(client: Client, callers: Callers) -> None:
    callers.not_served = TenantUnavailable()
    await client.init()
    await asyncio.sleep(3 * QUICK.recheck_s)
    callers.not_served = None

    await client.subscribe("{ forks }")

    assert (await client.next())["type"] == "next"


async def test_a_short_failure_of_ours_keeps_sockets_a_long_one_does_not(
    client: Client, callers: Callers
) -> None:
    await client.init()

    callers.failure = OSError("the database is away")

    assert (await client.closed())[0] == 1013


async def test_lack_of_capacity_keeps_open_sockets(client: Client, callers: Callers) -> None:
    await client.init()
    callers.failure = Capacity()
    await asyncio.sleep(3 * QUICK.recheck_s)

    await client.subscribe("{ forks }")

    assert (await client.next())["type"] == "next"


async def test_lack_of_capacity_asks_new_sockets_to_come_back(callers: Callers) -> None:
    callers.failure = Capacity()
    async with connected(callers) as client:
        await client.send(INIT)

        assert await client.closed() == (1013, "CAPACITY")


async def test_a_socket_carries_only_so_many_operations(callers: Callers) -> None:
    async with connected(callers, ViewOptions(operations_per_socket_max=1)) as client:
        await client.init()
        await client.subscribe("subscription { silence }")
        await client.subscribe("{ forks }", "2")

        message = await client.next()
        assert message["type"] == "error"
        assert message["payload"][0]["extensions"]["code"] == "TOO_MANY_OPERATIONS"


async def test_a_business_has_only_so_many_sockets(callers: Callers) -> None:
    serving = Serving(free, connections_max=one)
    async with listening(toy_application(callers, serving)) as address:
        url = f"ws://{address}/graphql"
        async with connect(url, subprotocols=[PROTOCOL]) as first:
            await Client(first).init()
            async with connect(url, subprotocols=[PROTOCOL]) as second:
                await Client(second).send(INIT)
                assert await Client(second).closed() == (1013, "TOO_MANY_CONNECTIONS")
        async with connect(url, subprotocols=[PROTOCOL]) as third:
            await Client(third).init()


async def test_an_address_has_only_so_many_sockets(callers: Callers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "SOCKETS_PER_ADDRESS_MAX", 0)

    with pytest.raises(InvalidStatus) as refused:
        async with connected(callers):
            pass

    assert refused.value.response.status_code == 403


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
