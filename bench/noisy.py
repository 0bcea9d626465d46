"""How long one business waits because another has a thousand payments in the queue."""

import asyncio
import os
from functools import partial
from time import perf_counter
from typing import Final

from calling import Caller
from collecting import Watched, watching
from mixing import paid, payment_request
from neighbours import neighbour
from pacing import drain
from results import Row, middle
from system import System, paused

SHORT: Final = bool(os.environ.get("HAZINA_BENCH_SHORT"))
FLOOD: Final = 200 if SHORT else 1_000
ALONE: Final = 12
BESIDE: Final = 12
CLIENTS: Final = 16
FLOOD_PHONE: Final = 40_000_000
QUIET_PHONE: Final = 41_000_000
PATIENCE_S: Final = 300.0
POLL_S: Final = 0.005
NOTE: Final = (
    f"the slowest of {{beside}} payments of one business, one after another, while {FLOOD:,} payments of"
    f" another, all queued at the same moment, are collected; less the median of its {ALONE} payments alone;"
    " from call to event {alone:.0f} ms alone, {median:.0f} ms beside, slowest {worst:.0f} ms"
)


async def noisy_neighbour_delay_ms(running: System) -> list[Row]:
    """Row `noisy_neighbour_delay_ms`."""
    quiet = await neighbour(running)
    async with (
        Caller(running.demo["graphql_url"], running.headers) as noisy_caller,
        Caller(quiet.demo["graphql_url"], quiet.headers) as caller,
        watching(running) as flooded,
        watching(quiet) as watched,
    ):
        alone = [await _paid_ms(quiet, caller, watched, QUIET_PHONE + number) for number in range(ALONE)]
        asks = [partial(_initiate, running, noisy_caller, FLOOD_PHONE + number) for number in range(FLOOD)]
        # Kept from working until all are queued.
        async with paused(running, "worker"):
            await drain(asks, CLIENTS)
        before = len(flooded.ended_at)
        beside: list[float] = []
        while len(beside) < BESIDE and len(flooded.ended_at) - before < FLOOD:
            phone = QUIET_PHONE + ALONE + len(beside)
            beside.append(await _paid_ms(quiet, caller, watched, phone))
        await _all_ended(flooded, before + FLOOD)
    delay = max(beside) - middle(alone)
    told = f"alone {middle(alone):.0f} ms, beside {middle(beside):.0f} ms, at most {max(beside):.0f} ms"
    print(f"  {told}", flush=True)
    note = NOTE.format(beside=len(beside), alone=middle(alone), median=middle(beside), worst=max(beside))
    return [Row("noisy_neighbour_delay_ms", delay, "ms", None, len(beside), note)]


async def _initiate(running: System, caller: Caller, phone: int) -> str:
    answer = await caller.post(payment_request(running.demo["channel_id"], phone))
    paid(answer)
    id_: str = answer.data()["initiatePayment"]["payment"]["id"]
    return id_


async def _paid_ms(running: System, caller: Caller, watched: Watched, phone: int) -> float:
    """From the call to the event that tells of the end."""
    began = perf_counter()
    id_ = await _initiate(running, caller, phone)
    async with asyncio.timeout(PATIENCE_S):
        while id_ not in watched.ended_at:  # noqa: ASYNC110 - a socket's frames
            await asyncio.sleep(POLL_S)
    if watched.statuses[id_] != "SUCCEEDED":
        raise AssertionError(f"a payment ended as {watched.statuses[id_]}")
    return (watched.ended_at[id_] - began) * 1e3


async def _all_ended(watched: Watched, count: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while len(watched.ended_at) < count:  # noqa: ASYNC110 - a socket's frames
            await asyncio.sleep(0.1)
    others = set(watched.statuses.values()) - {"SUCCEEDED"}
    if others:
        raise AssertionError(f"payments of the flood ended as {others}")
