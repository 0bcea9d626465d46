"""From a provider's callback to the event at a subscriber, while payments run end to end.

The sandbox takes each prompt and tells nobody; the benchmark sends the callback in its place, so that the
clock starts as the callback is sent and stops as the subscriber's socket gives the event.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import Any, Final
from urllib.parse import urlsplit

from calling import Caller
from mixing import paid, payment_request
from pacing import Ask, open_loop
from results import Row, middle, percentile
from system import System
from websockets.asyncio.client import ClientConnection, connect

from integrations.sandbox.book import StkRequest, new_receipt
from integrations.sandbox.payer import callback_body

RATE_PER_S: Final = 20
PAYMENTS: Final = 400
LEAD_S: Final = 3.0
"""Between a payment's start and its callback: the prompt is out by then."""
AGAIN_AFTER_S: Final = 1.0
BOOK_EVERY_S: Final = 0.5
PATIENCE_S: Final = 60.0
FIRST_PHONE: Final = 70_000_000
SUCCEEDED: Final = "SUCCEEDED"
WATCH: Final = "subscription Watch { paymentsUpdated { id reference status version } }"
SILENT: Final = {"kind": "missing_callback", "c2b": "never"}
NOTE: Final = (
    f"{RATE_PER_S} payments/s end to end for {PAYMENTS // RATE_PER_S} s: initiated over HTTP, prompted by the"
    " worker at the sandbox, called back, settled, posted to the ledger, told to a WebSocket; timed from the"
    " sending of the callback to the event in hand; p50 {p50:.1f} ms"
)


@dataclass(slots=True)
class Run:
    """What is known of the payments, by phone and by reference."""

    running: System
    prompts: dict[str, StkRequest] = field(default_factory=dict)
    """By phone, as digits."""
    sent_at: dict[str, float] = field(default_factory=dict)
    """By reference, when its callback left."""
    told_at: dict[str, float] = field(default_factory=dict)
    """By reference, when its success arrived at the subscriber."""


async def callback_to_event_p95_ms(running: System) -> list[Row]:
    """Row `callback_to_event_p95_ms`."""
    run = Run(running)
    async with (
        Caller(running.demo["graphql_url"], running.headers) as caller,
        _listening(run),
        _reading_the_book(run),
    ):
        await control(running, {"outcomes": [SILENT] * PAYMENTS})
        channel = running.demo["channel_id"]
        starts: list[Ask] = [partial(_pay, caller, channel, FIRST_PHONE + n) for n in range(PAYMENTS)]
        callbacks: list[Ask] = [partial(_call_back, run, FIRST_PHONE + n) for n in range(PAYMENTS)]
        await asyncio.gather(open_loop(starts, RATE_PER_S), _later(callbacks))
        await _told(run)
    times = [(run.told_at[reference] - sent) * 1e3 for reference, sent in run.sent_at.items()]
    p95 = percentile(times, 95)
    print(f"  p50 {middle(times):.1f} ms, p95 {p95:.1f} ms", flush=True)
    note = NOTE.format(p50=middle(times))
    return [Row("callback_to_event_p95_ms", p95, "ms", None, len(times), note)]


async def _later(callbacks: list[Ask]) -> None:
    await asyncio.sleep(LEAD_S)
    await open_loop(callbacks, RATE_PER_S)


async def _pay(caller: Caller, channel_id: str, phone: int) -> None:
    request = payment_request(channel_id, phone)
    async with asyncio.timeout(PATIENCE_S):
        # The same key again: whoever found no connection has started nothing.
        while (answer := await caller.post(request)).is_full:  # noqa: ASYNC110 - another process is full
            await asyncio.sleep(AGAIN_AFTER_S)
    paid(answer)


async def _call_back(run: Run, phone: int) -> None:
    """Tell of one payment as M-Pesa would, as soon as its prompt is in the sandbox's book."""
    digits = f"2547{phone:08d}"
    async with asyncio.timeout(PATIENCE_S):
        while digits not in run.prompts:  # noqa: ASYNC110 - the book is another process's
            await asyncio.sleep(BOOK_EVERY_S)
    prompt = run.prompts[digits]
    body = callback_body(prompt, "0", new_receipt(), prompt.amount)
    async with Caller(prompt.callback_url, {"content-type": "application/json"}) as hook:
        run.sent_at[prompt.reference] = perf_counter()
        answer = await hook.post(body)
    if answer.status != 200:  # noqa: PLR2004 - OK
        raise AssertionError(f"a callback was answered {answer.status}")


async def _told(run: Run) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while len(run.told_at.keys() & run.sent_at.keys()) < PAYMENTS:  # noqa: ASYNC110 - a socket's frames
            await asyncio.sleep(BOOK_EVERY_S)


@asynccontextmanager
async def _listening(run: Run) -> AsyncIterator[None]:
    demo = run.running.demo
    async with connect(demo["ws_url"], subprotocols=["graphql-transport-ws"]) as socket:  # type: ignore[list-item] # a NewType of str
        init = {"type": "connection_init", "payload": {"authorization": f"Bearer {demo['api_key']}"}}
        await socket.send(json.dumps(init))
        await socket.recv()
        await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": WATCH}}))
        task = asyncio.create_task(_hear(socket, run))
        try:
            yield
        finally:
            await _ended(task)


async def _hear(socket: ClientConnection, run: Run) -> None:
    async for frame in socket:
        at = perf_counter()
        message = json.loads(frame)
        if message["type"] == "ping":
            await socket.send('{"type":"pong"}')
        elif message["type"] == "next":
            payment = message["payload"]["data"]["paymentsUpdated"]
            if payment["status"] == SUCCEEDED:
                run.told_at.setdefault(payment["reference"], at)
        else:
            raise AssertionError(f"the subscription ended: {message}")


@asynccontextmanager
async def _reading_the_book(run: Run) -> AsyncIterator[None]:
    task = asyncio.create_task(_read_the_book(run))
    try:
        yield
    finally:
        await _ended(task)


async def _read_the_book(run: Run) -> None:
    while True:
        for record in (await book_of(run.running))["stk"]:
            prompt = StkRequest(**record)
            # Paid: the sandbox knows when, which the callback says.
            if prompt.is_paid:
                run.prompts[prompt.phone] = prompt
        await asyncio.sleep(BOOK_EVERY_S)


async def _ended(task: asyncio.Task[None]) -> None:
    """Stop a task that watches; what it died of is raised."""
    if not task.done():
        task.cancel()
    (outcome,) = await asyncio.gather(task, return_exceptions=True)
    if isinstance(outcome, Exception):
        raise outcome


async def control(running: System, given: dict[str, Any]) -> None:
    """Plan the outcomes of the sandbox's next prompts."""
    url = f"{running.demo['sandbox_url']}/_control/mpesa/next"
    async with Caller(url, {"content-type": "application/json"}) as posting:
        answer = await posting.post(given)
    if answer.status != 200:  # noqa: PLR2004 - OK
        raise AssertionError(f"the sandbox answered {answer.status}: {answer.body!r}")


async def book_of(running: System) -> dict[str, Any]:
    """What the sandbox took and paid; by hand, for `Caller` only posts."""
    parts = urlsplit(running.demo["sandbox_url"])
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(b"GET /_control/mpesa/book HTTP/1.1\r\nHost: sandbox\r\nConnection: close\r\n\r\n")
    content = await reader.read()
    writer.close()
    book: dict[str, Any] = json.loads(content.partition(b"\r\n\r\n")[2])
    return book
