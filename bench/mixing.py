"""Reads and writes together, at a given rate: how long an answer takes."""

import random
from functools import partial
from typing import Final
from uuid import uuid4

from calling import Caller
from pacing import Ask, open_loop
from reading import PAGE
from results import Row, middle, percentile
from system import System
from writing import MUTATION

RATE_PER_S: Final = 100
REQUESTS: Final = 3_000
WARM_UP_REQUESTS: Final = 300
WRITES_SHARE: Final = 0.2
FIRST_PHONE: Final = 50_000_000
SEED: Final = 20_261_121
NOTE: Final = (
    f"{RATE_PER_S} requests/s for {REQUESTS // RATE_PER_S} s, open loop, 80 pages of 20 payments to 20"
    " initiatePayment, timed from the planned moment; worker and sandbox at work on what was initiated;"
    " p50 {p50:.1f} ms, p99 {p99:.1f} ms"
)


async def api_p95_ms_at_100rps(running: System) -> list[Row]:
    """Row `api_p95_ms_at_100rps`."""
    draws = random.Random(SEED)  # noqa: S311 - no secret
    async with Caller(running.demo["graphql_url"], running.headers) as caller:
        requests = [
            _request(running, caller, number, draws.random()) for number in range(WARM_UP_REQUESTS + REQUESTS)
        ]
        await open_loop(requests[:WARM_UP_REQUESTS], RATE_PER_S)
        times = [took * 1e3 for took in await open_loop(requests[WARM_UP_REQUESTS:], RATE_PER_S)]
    p95 = percentile(times, 95)
    note = NOTE.format(p50=middle(times), p99=percentile(times, 99))
    print(f"  p95 {p95:.1f} ms", flush=True)
    return [Row("api_p95_ms_at_100rps", p95, "ms", None, len(times), note)]


def _request(running: System, caller: Caller, number: int, drawn: float) -> Ask:
    if drawn < WRITES_SHARE:
        return partial(pay, caller, running.demo["channel_id"], FIRST_PHONE + number)
    return partial(_read, caller)


async def _read(caller: Caller) -> None:
    (await caller.post({"query": PAGE})).data()


async def pay(caller: Caller, channel_id: str, phone: int) -> str:
    """Initiate a payment of KES 10; gives its id."""
    given = {
        "idempotencyKey": str(uuid4()),
        "channelId": channel_id,
        "amount": {"amountMinor": "1000", "currency": "KES"},
        "phone": f"+2547{phone:08d}",
        "description": "Order",
    }
    answer = (await caller.post({"query": MUTATION, "variables": {"input": given}})).data()["initiatePayment"]
    if answer["__typename"] != "InitiatePaymentSuccess":
        raise AssertionError(f"refused: {answer}")
    made: str = answer["payment"]["id"]
    return made
