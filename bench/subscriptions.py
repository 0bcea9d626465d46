"""Thousands of open subscriptions in one server process: what each holds, and how soon it is told.

Every subscription has a socket of its own. Most watch payments that have ended; the others watch payments
that settle while all are open, each by a callback that the benchmark sends in the sandbox's place.
"""

import asyncio
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from time import monotonic
from typing import Any, Final
from urllib.parse import urlsplit

from callbacks import book_of, control
from calling import Caller
from idling import resident_mb
from mixing import paid, payment_request
from pacing import Ask, open_loop
from results import Row, middle, percentile
from sockets import Plan, Sockets, sockets
from system import System

from core.clock import utc_now
from integrations.sandbox.book import StkRequest, new_receipt
from integrations.sandbox.payer import callback_body, stamp

SHORT: Final = bool(os.environ.get("HAZINA_BENCH_SHORT"))
OPEN: Final = 5_000
SETTLING: Final = 150 if SHORT else 600
PER_S: Final = 20
PER_KEY: Final = 80
"""One caller may have a hundred open."""
FIRST_PHONE: Final = 60_000_000
PATIENCE_S: Final = 60.0
POLL_S: Final = 0.5
PAGE_MAX: Final = 100
SUCCEEDED: Final = "SUCCEEDED"
WATCH: Final = (
    "subscription Watch($id: ID!) { paymentStatus(id: $id) { paymentId status instructions version } }"
)
MAKE_KEY: Final = """mutation MakeKey($name: String!) {
  createApiKey(input: {name: $name, scopes: ["payments:read"]}) {
    __typename ... on CreateApiKeySuccess { secret } } }"""
ENDED: Final = """query Ended($after: String) { payments(first: 100, after: $after, status: SUCCEEDED) {
  nodes { id } pageInfo { endCursor } } }"""
SILENT: Final = {"kind": "missing_callback", "c2b": "never", "delay_s": 900}
"""The prompt is taken, and its payer does nothing: each query is told to wait."""
KB_NOTE: Final = (
    "growth of the server's resident memory by {open} sockets with one paymentStatus subscription each,"
    " without per-message deflate, after {settled} payments have settled, over {open}; {before:.0f} MB"
    " before, {after:.0f} MB after; {opened:.0f} sockets/s opened"
)
EVENT_NOTE: Final = (
    "{open} open; {per_s}/s of their payments settle, timed from the sending of the callback, through inbox,"
    " worker and ledger, to the event at the socket of the one who watches it; p50 {p50:.1f} ms,"
    " p99 {p99:.1f} ms"
)


@dataclass(slots=True)
class Settling:
    """The payments that settle while they are watched, by their number."""

    ids: list[str]
    phones: list[str]
    first_socket: int = 0
    sent_at: dict[int, float] = field(default_factory=dict)
    told_at: dict[int, float] = field(default_factory=dict)

    async def hear(self, held: Sockets) -> None:
        """Note when each is told of its success, until all are."""
        while len(self.told_at) < len(self.ids):
            socket, at, status = await held.next_line()
            if status == SUCCEEDED:
                self.told_at.setdefault(int(socket) - self.first_socket, float(at))

    def times_ms(self) -> list[float]:
        return [(self.told_at[number] - sent) * 1e3 for number, sent in self.sent_at.items()]


async def subscriptions(running: System) -> list[Row]:
    """Rows `subscription_kb` and `subscription_event_p95_ms`."""
    server = running.pids()["server"]
    async with Caller(running.demo["graphql_url"], running.headers) as caller, sockets() as held:
        keys = [await _key(caller, number) for number in range(-(-OPEN // PER_KEY))]
        quiet = await _ended_ids(caller)
        before = resident_mb(server)
        began = monotonic()
        await held.open(_plan(running, keys, [quiet[n % len(quiet)] for n in range(OPEN - SETTLING)]))
        opened = (OPEN - SETTLING) / (monotonic() - began)
        settling = await _initiate(running, caller)
        settling.first_socket = OPEN - SETTLING
        await held.open(_plan(running, keys, settling.ids))
        await _settle(running, settling, held)
        after = resident_mb(server)
    times = settling.times_ms()
    kb = (after - before) * 1024 / OPEN
    told = {"open": f"{OPEN:,}", "settled": SETTLING, "before": before, "after": after, "opened": opened}
    print(f"  {kb:.1f} KB each, p95 {percentile(times, 95):.1f} ms, {opened:.0f}/s opened", flush=True)
    spread = {"per_s": PER_S, "p50": middle(times), "p99": percentile(times, 99)}
    return [
        Row("subscription_kb", kb, "KB", None, OPEN, KB_NOTE.format_map(told)),
        Row(
            "subscription_event_p95_ms",
            percentile(times, 95),
            "ms",
            None,
            len(times),
            EVENT_NOTE.format_map({**told, **spread}),
        ),
    ]


def _plan(running: System, keys: list[str], ids: list[str]) -> Plan:
    url = urlsplit(running.demo["graphql_url"])
    assert url.hostname is not None  # noqa: S101 - it has one
    assert url.port is not None  # noqa: S101 - it has one
    return Plan(url.hostname, url.port, url.path, keys, WATCH, ids)


async def _key(caller: Caller, number: int) -> str:
    answer = await caller.post({"query": MAKE_KEY, "variables": {"name": f"Watcher {number}"}})
    made: str = answer.data()["createApiKey"]["secret"]
    return made


async def _ended_ids(caller: Caller) -> list[str]:
    """Of payments that nothing happens to any more."""
    ids: list[str] = []
    after = None
    while len(ids) < OPEN:
        answer = await caller.post({"query": ENDED, "variables": {"after": after}})
        page = answer.data()["payments"]
        ids += [node["id"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if len(page["nodes"]) < PAGE_MAX:
            break
    return ids


async def _initiate(running: System, caller: Caller) -> Settling:
    await control(running, {"outcomes": [SILENT] * SETTLING})
    ids: dict[int, str] = {}

    async def pay(number: int) -> None:
        answer = await caller.post(payment_request(running.demo["channel_id"], FIRST_PHONE + number))
        paid(answer)
        ids[number] = answer.data()["initiatePayment"]["payment"]["id"]

    await open_loop([partial(pay, number) for number in range(SETTLING)], PER_S)
    phones = [f"2547{FIRST_PHONE + number:08d}" for number in range(SETTLING)]
    return Settling([ids[number] for number in range(SETTLING)], phones)


async def _settle(running: System, settling: Settling, held: Sockets) -> None:
    prompts = await _prompts(running, settling.phones)
    callbacks: list[Ask] = [
        partial(_call_back, settling, number, prompts[phone]) for number, phone in enumerate(settling.phones)
    ]
    hearing = asyncio.create_task(settling.hear(held))
    await open_loop(callbacks, PER_S)
    async with asyncio.timeout(PATIENCE_S):
        await hearing


async def _prompts(running: System, phones: Iterable[str]) -> Mapping[str, StkRequest]:
    """What the sandbox took, once it has taken all."""
    wanted = set(phones)
    async with asyncio.timeout(PATIENCE_S):
        while True:
            book: dict[str, Any] = await book_of(running)
            found = {record["phone"]: StkRequest(**record) for record in book["stk"]}
            if wanted <= found.keys():
                return found
            await asyncio.sleep(POLL_S)


async def _call_back(settling: Settling, number: int, prompt: StkRequest) -> None:
    paid_now = replace(prompt, acted_at=stamp(utc_now()))
    body = callback_body(paid_now, "0", new_receipt(), prompt.amount)
    async with Caller(prompt.callback_url, {"content-type": "application/json"}) as hook:
        settling.sent_at[number] = monotonic()
        answer = await hook.post(body)
    if answer.status != 200:  # noqa: PLR2004 - OK
        raise AssertionError(f"a callback was answered {answer.status}")
