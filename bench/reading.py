"""A page of 20 payments over HTTP: our server beside PostGraphile 4 on the same table."""

import json
from typing import Any, Final

from calling import Caller
from node import MISSING, has_node, run_node, serving_node
from results import Row, middle
from system import System, free_ports

from server.embedded import PORT
from server.embedded_roles import TENANT_ROLE

CONNECTIONS: Final = 16
ROUNDS: Final = 3
WARM_UP_S: Final = 4
ROUND_S: Final = 8
REFUSED_SHARE_MAX: Final = 0.01
"""A stall of the machine makes a queue refuse; more than that is a fault."""
PAGE: Final = (
    "query Page { payments(first: 20) { edges { node { id status amount { amountMinor currency }"
    " phone reference receipt createdAt } } pageInfo { hasNextPage endCursor } } }"
)
THEIR_PAGE: Final = (
    "query Page { allPayments(first: 20, orderBy: [CREATED_AT_DESC, ID_DESC]) { edges { node { id status"
    " amountMinor currency phone reference receipt createdAt } } pageInfo { hasNextPage endCursor } } }"
)
EXPECTED: Final = '"hasNextPage":true'
NOTE: Final = (
    f"a page of 20 payments x 8 fields over HTTP, {CONNECTIONS} connections; ours with API key, routing,"
    " limits, metrics and logging on; baseline: PostGraphile 4 in production mode without authentication,"
    " same table, same load generator, one process each"
)


async def read_page(running: System) -> list[Row]:
    """Row `read_page`."""
    if not has_node():
        return [Row("read_page", 0, "requests/s", None, 0, MISSING)]
    listen = free_ports()
    settings = {
        "socket_dir": str(running.socket_dir),
        "port": PORT,
        "user": TENANT_ROLE,
        "database": running.database,
        "listen": listen,
    }
    ours = _load(running.demo["graphql_url"], running.headers, PAGE)
    theirs = _load(f"http://127.0.0.1:{listen}/graphql", {"content-type": "application/json"}, THEIR_PAGE)
    our_rates: list[float] = []
    their_rates: list[float] = []
    async with serving_node("postgraphile.mjs", settings):
        await _require_equal_pages(running, theirs)
        for load in (theirs, ours):
            await run_node("load.mjs", {**load, "duration_s": WARM_UP_S})
        for _ in range(ROUNDS):
            their_rates.append(await _rate(theirs))
            our_rates.append(await _rate(ours))
            print(f"  ours {our_rates[-1]:.0f}/s, PostGraphile {their_rates[-1]:.0f}/s", flush=True)
    return [Row("read_page", middle(our_rates), "requests/s", middle(their_rates), ROUNDS, NOTE)]


def _load(url: str, headers: dict[str, str], query: str) -> dict[str, Any]:
    return {
        "url": url,
        "headers": headers,
        "connections": CONNECTIONS,
        "duration_s": ROUND_S,
        "body": json.dumps({"query": query}),
        "expected": EXPECTED,
    }


async def _rate(load: dict[str, Any]) -> float:
    done = await run_node("load.mjs", load)
    require_served(done)
    rate: float = done["rate_per_s"]
    return rate


def require_served(done: dict[str, Any]) -> None:
    """A rate counts for nothing where answers were something else."""
    if done["refused"] > REFUSED_SHARE_MAX * done["answers"]:
        raise AssertionError(f"{done['refused']} of {done['answers']} were refused: {done['unexpected']}")
    if done["refused"]:
        print(f"  {done['refused']} not counted: {done['unexpected']}", flush=True)


async def _require_equal_pages(running: System, theirs: dict[str, Any]) -> None:
    """Both answer the same payments in the same order."""
    async with (
        Caller(running.demo["graphql_url"], running.headers) as our_caller,
        Caller(theirs["url"], theirs["headers"]) as their_caller,
    ):
        ours = (await our_caller.post({"query": PAGE})).data()["payments"]["edges"]
        found = (await their_caller.post({"query": THEIR_PAGE})).data()["allPayments"]["edges"]
    if [edge["node"]["reference"] for edge in ours] != [edge["node"]["reference"] for edge in found]:
        raise AssertionError("the two servers show different payments")
