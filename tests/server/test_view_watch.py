"""Who may keep a socket open, how many, and what ends it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from core.clock import utc_now
from schema.operations import Serving
from server import view
from server.view import ViewOptions
from tenancy.errors import Capacity, TenantSuspended, TenantUnavailable, TransactionInterrupted
from tenancy.roles import Scope
from tests.schema.toy import ToyContext, free
from tests.server.listening import listening
from tests.server.socket_client import INIT, PROTOCOL, QUICK, Client, connected
from tests.server.toy_app import Callers, toy_application


@pytest.fixture
def callers() -> Callers:
    callers = Callers()
    callers.add("toy", Scope.PAYMENTS_READ)
    return callers


@pytest.fixture
async def client(callers: Callers) -> AsyncIterator[Client]:
    async with connected(callers) as client:
        yield client


async def one(_context: ToyContext) -> int:
    return 1


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


@pytest.mark.parametrize("outage", [TenantUnavailable(), TransactionInterrupted()])
async def test_an_interruption_of_our_database_shuts_nobody_out(
    client: Client, callers: Callers, outage: Exception
) -> None:
    await client.init()
    await client.subscribe("subscription { silence }")

    callers.failure = outage

    assert await client.closed() == (1013, "UNAVAILABLE")


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
