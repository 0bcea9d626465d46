"""How many connections somebody without a token may keep open."""

import pytest
from websockets.asyncio.client import connect

from schema.operations import Serving
from tests.schema.toy import ToyContext, free
from tests.server.listening import listening
from tests.server.socket_client import PROTOCOL, Client
from tests.server.toy_app import Callers, toy_application

NOBODY = {"type": "connection_init"}


async def one(_context: ToyContext) -> int:
    return 1


@pytest.mark.parametrize("closes_first", [True, False])
async def test_an_address_without_a_token_keeps_few_sockets_open(closes_first: bool) -> None:  # noqa: FBT001 - a case
    async with listening(toy_application(Callers(), Serving(free, connections_max=one))) as address:
        url = f"ws://{address}/graphql"
        async with connect(url, subprotocols=[PROTOCOL]) as first:
            await Client(first).send(NOBODY)
            assert (await Client(first).next())["type"] == "connection_ack"
            if closes_first:
                await first.close()
            async with connect(url, subprotocols=[PROTOCOL]) as second:
                await Client(second).send(NOBODY)
                if closes_first:
                    assert (await Client(second).next())["type"] == "connection_ack"
                else:
                    assert await Client(second).closed() == (1013, "TOO_MANY_CONNECTIONS")
