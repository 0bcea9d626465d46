"""Payments from the first call to the event at a subscriber, with nobody's part left out."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import Final

import asyncpg
from calling import Caller
from mixing import paid, payment_request
from pacing import Ask, open_loop
from results import Row, middle, percentile
from system import System
from websockets.asyncio.client import connect

SHORT: Final = bool(os.environ.get("HAZINA_BENCH_SHORT"))
OFFERED_PER_S: Final = 64
SECONDS: Final = 10 if SHORT else 60
CALM_PER_S: Final = 30
CALM_SECONDS: Final = 10 if SHORT else 30
FIRST_PHONE: Final = 20_000_000
CALM_PHONE: Final = 30_000_000
PATIENCE_S: Final = 120.0
WATCH: Final = "subscription Watch { paymentsUpdated { id status version } }"
ENDED: Final = {"SUCCEEDED", "FAILED", "EXPIRED", "CANCELLED"}
SUSTAINED: Final = (
    "{count} payments offered at {offered}/s by an open loop, all paid: initiated over HTTP, prompted by the"
    " one worker at the sandbox, called back, settled, posted, told to a WebSocket; counted from the first"
    " call to the last event; from call to event p50 {p50:.0f} ms, p95 {p95:.0f} ms, of which the payer"
    " takes 300 ms"
)
CALM: Final = (
    "initiatePayment at {rate}/s, open loop, timed from the planned moment, while the same payments"
    " are carried through to their events; p50 {p50:.1f} ms; from call to event p95 {whole:.0f} ms"
)


@dataclass(slots=True)
class Watched:
    """When payments ended, and how, by id."""

    ended_at: dict[str, float] = field(default_factory=dict)
    statuses: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Load:
    """Payments of one benchmark."""

    caller: Caller
    channel_id: str
    started_at: dict[str, float] = field(default_factory=dict)
    """By id, when the call left."""

    def asks(self, count: int, first_phone: int) -> list[Ask]:
        return [partial(self._pay, first_phone + number) for number in range(count)]

    async def _pay(self, phone: int) -> None:
        request = payment_request(self.channel_id, phone)
        left = perf_counter()
        answer = await self.caller.post(request)
        paid(answer)
        self.started_at[answer.data()["initiatePayment"]["payment"]["id"]] = left


async def payments_end_to_end(running: System) -> list[Row]:
    """Rows `payments_end_to_end` and `payments_initiate_p95_ms`."""
    async with Caller(running.demo["graphql_url"], running.headers) as caller, watching(running) as watched:
        warm = Load(caller, running.demo["channel_id"])
        await open_loop(warm.asks(200, FIRST_PHONE - 1_000), CALM_PER_S)
        await all_ended(warm, watched)
        busy = Load(caller, running.demo["channel_id"])
        began = perf_counter()
        await open_loop(busy.asks(OFFERED_PER_S * SECONDS, FIRST_PHONE), OFFERED_PER_S)
        await all_ended(busy, watched)
        took = max(watched.ended_at[id_] for id_ in busy.started_at) - began
        calm = Load(caller, running.demo["channel_id"])
        initiated = await open_loop(calm.asks(CALM_PER_S * CALM_SECONDS, CALM_PHONE), CALM_PER_S)
        await all_ended(calm, watched)
    for load in (busy, calm):
        require_all_paid(load, watched)
    await _require_books(running, len(busy.started_at))
    return [_sustained(busy, watched, took), _calm(calm, watched, [took * 1e3 for took in initiated])]


def _sustained(load: Load, watched: Watched, took: float) -> Row:
    whole = _whole_ms(load, watched)
    count = len(load.started_at)
    note = SUSTAINED.format(count=count, offered=OFFERED_PER_S, p50=middle(whole), p95=percentile(whole, 95))
    print(f"  {count / took:.1f}/s, call to event p95 {percentile(whole, 95):.0f} ms", flush=True)
    return Row("payments_end_to_end", count / took, "payments/s", None, count, note)


def _calm(load: Load, watched: Watched, initiated: list[float]) -> Row:
    p95 = percentile(initiated, 95)
    note = CALM.format(rate=CALM_PER_S, p50=middle(initiated), whole=percentile(_whole_ms(load, watched), 95))
    print(f"  initiate p95 {p95:.1f} ms", flush=True)
    return Row("payments_initiate_p95_ms", p95, "ms", None, len(initiated), note)


def _whole_ms(load: Load, watched: Watched) -> list[float]:
    return [(watched.ended_at[id_] - left) * 1e3 for id_, left in load.started_at.items()]


async def all_ended(load: Load, watched: Watched) -> None:
    """Wait until the subscriber was told of the end of every payment."""
    async with asyncio.timeout(PATIENCE_S):
        while load.started_at.keys() - watched.ended_at.keys():  # noqa: ASYNC110 - a socket's frames
            await asyncio.sleep(0.1)


def require_all_paid(load: Load, watched: Watched) -> None:
    """Raises AssertionError where one came to nothing."""
    others = {watched.statuses[id_] for id_ in load.started_at} - {"SUCCEEDED"}
    if others:
        raise AssertionError(f"payments ended as {others}")


async def _require_books(running: System, count: int) -> None:
    """Every payment that succeeded is in the ledger, once."""
    connection = await asyncpg.connect(running.dsn("hazina_migrator", running.database))
    try:
        paid_count = await connection.fetchval(
            "SELECT count(*) FROM payments WHERE status = 'succeeded' AND receipt NOT LIKE 'BNCH%'"
        )
        sold_count = await connection.fetchval("SELECT count(*) FROM ledger_transfers WHERE kind = 'sale'")
    finally:
        await connection.close()
    if paid_count != sold_count or paid_count < count:
        raise AssertionError(f"{paid_count} payments are paid and {sold_count} in the ledger")


@asynccontextmanager
async def watching(running: System) -> AsyncIterator[Watched]:
    """A subscriber to all payments of the demo tenant, over a WebSocket."""
    watched, demo = Watched(), running.demo
    async with connect(demo["ws_url"], subprotocols=["graphql-transport-ws"]) as socket:  # type: ignore[list-item] # a NewType of str
        init = {"type": "connection_init", "payload": {"authorization": f"Bearer {demo['api_key']}"}}
        await socket.send(json.dumps(init))
        await socket.recv()
        await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": WATCH}}))

        async def hear() -> None:
            async for frame in socket:
                at = perf_counter()
                message = json.loads(frame)
                if message["type"] == "ping":
                    await socket.send('{"type":"pong"}')
                elif message["type"] == "next":
                    payment = message["payload"]["data"]["paymentsUpdated"]
                    if payment["status"] in ENDED:
                        watched.ended_at.setdefault(payment["id"], at)
                        watched.statuses[payment["id"]] = payment["status"]
                else:
                    raise AssertionError(f"the subscription ended: {message}")

        async with asyncio.TaskGroup() as tasks:
            hearing = tasks.create_task(hear())
            yield watched
            hearing.cancel()
