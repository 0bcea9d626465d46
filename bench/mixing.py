"""Reads and writes together, at a given rate: how long an answer takes."""

import random
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from uuid import uuid4

from calling import Answer, Caller
from pacing import Ask, open_loop
from reading import PAGE, REFUSED_SHARE_MAX
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
    " p50 {p50:.1f} ms, p99 {p99:.1f} ms, {refused} found no connection"
)


async def api_p95_ms_at_100rps(running: System) -> list[Row]:
    """Row `api_p95_ms_at_100rps`."""
    draws = random.Random(SEED)  # noqa: S311 - no secret
    async with Caller(running.demo["graphql_url"], running.headers) as caller:
        mix = Mix(caller, running.demo["channel_id"])
        requests = [mix.request(draws.random()) for _ in range(WARM_UP_REQUESTS + REQUESTS)]
        await open_loop(requests[:WARM_UP_REQUESTS], RATE_PER_S)
        times = [took * 1e3 for took in await open_loop(requests[WARM_UP_REQUESTS:], RATE_PER_S)]
    if mix.refused > REFUSED_SHARE_MAX * len(requests):
        raise AssertionError(f"{mix.refused} of {len(requests)} requests found no connection")
    p95 = percentile(times, 95)
    note = NOTE.format(p50=middle(times), p99=percentile(times, 99), refused=mix.refused)
    print(f"  p95 {p95:.1f} ms", flush=True)
    return [Row("api_p95_ms_at_100rps", p95, "ms", None, len(times), note)]


@dataclass(slots=True)
class Mix:
    """Reads and writes on one channel."""

    caller: Caller
    channel_id: str
    phone: int = FIRST_PHONE
    refused: int = 0

    def request(self, drawn: float) -> Ask:
        """A payment, or a page, as a number from 0 to 1 says."""
        if drawn >= WRITES_SHARE:
            return partial(self._ask, {"query": PAGE})
        self.phone += 1
        return partial(self._ask, payment_request(self.channel_id, self.phone))

    async def _ask(self, content: dict[str, Any]) -> None:
        answer = await self.caller.post(content)
        if answer.is_full:
            self.refused += 1
        elif "initiatePayment" in answer.data():
            paid(answer)


def payment_request(channel_id: str, phone: int) -> dict[str, Any]:
    """A payment of KES 10 with a key of its own."""
    given = {
        "idempotencyKey": str(uuid4()),
        "channelId": channel_id,
        "amount": {"amountMinor": "1000", "currency": "KES"},
        "phone": f"+2547{phone:08d}",
        "description": "Order",
    }
    return {"query": MUTATION, "variables": {"input": given}}


def paid(answer: Answer) -> None:
    """Raises AssertionError where a payment was refused."""
    found = answer.data()["initiatePayment"]
    if found["__typename"] != "InitiatePaymentSuccess":
        raise AssertionError(f"refused: {found}")
