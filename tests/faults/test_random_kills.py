"""Processes are killed at random moments of running payments: nothing is lost, nothing is doubled."""

import asyncio
import logging
import os
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import asyncpg
import httpx
import pytest
from sqlalchemy import make_url

from core.ids import Kind, inside
from tests.api import Api
from tests.embedded import passable_folder
from tests.faults.killing import VICTIMS, Killer
from tests.faults.places import Place, open_places, plan_weather
from tests.faults.reckoning import DAY_S, PAYERS_TIME_S, UNDECIDED, UNSEEN, WAITING, Books
from tests.faults.tills import Customer, Tills
from tests.processes import descendants, is_any_alive
from tests.running import Running, hazina_up

SEED: Final = int(os.environ.get("HAZINA_FAULTS_SEED", "20261121"))
"""Chooses every kill, outcome, amount and phone; the moments are the machine's own."""
AT_REST_WITHIN_S: Final = 180.0
"""Since the last fault: then all that is decided is settled."""
LEFT_OPEN_FOR_S: Final = 60.0
ENDED_WITHIN_S: Final = 30.0
ENDED_POLL_S: Final = 0.05
PROMPTS: Final = {
    "success": 40,
    "cancelled": 8,
    "insufficient_funds": 8,
    "wrong_pin": 4,
    "unreachable": 4,
    "missing_callback": 8,
    "late_callback": 6,
    "withheld_callback": 6,
    "duplicate_callback": 6,
    "tampered_amount": 3,
    "busy": 4,
    "refused": 2,
    "html": 2,
    "reset_before_acceptance": 2,
    "reset_after_acceptance": 4,
}
"""What payers and M-Pesa do, and how often."""
HANGING: Final = "timeout_after_acceptance"

log = logging.getLogger(__name__)


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    with passable_folder() as folder:
        async with hazina_up(folder / "data") as up:
            await up.line("demo payment")
            yield up
            await end(up)


async def end(up: Running) -> None:
    """Kill the launcher: all it started goes with it, sooner than by Ctrl-C."""
    alive = descendants(up.process.pid)
    up.process.kill()
    await up.process.wait()
    async with asyncio.timeout(ENDED_WITHIN_S):
        while is_any_alive(alive):  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(ENDED_POLL_S)


@pytest.fixture
async def books(running: Running) -> AsyncIterator[Books]:
    owner_url = running.service("HAZINA_DATABASE_URL").replace("+asyncpg", "")
    owner = await asyncpg.create_pool(owner_url, min_size=0, max_size=1)
    database = await owner.fetchval(
        "SELECT database FROM tenants WHERE id = $1", inside(Kind.TENANT, running.demo["tenant"]["id"])
    )
    tenant_url = make_url(running.service("HAZINA_TENANT_URL")).set(
        drivername="postgresql", database=database
    )
    tenant = await asyncpg.create_pool(tenant_url.render_as_string(), min_size=0, max_size=1)
    async with httpx.AsyncClient(
        base_url=running.demo["sandbox_url"], trust_env=False, timeout=120
    ) as sandbox:
        yield Books(running, sandbox, tenant, owner)
    tenant.terminate()
    owner.terminate()


async def customers(
    books: Books, places: Sequence[Place], chance: random.Random, count: int, *, hangs: int
) -> list[Customer]:
    """Customers of all places, and a sandbox that knows what to do with them; no two have one phone."""
    phones = chance.sample(range(10**8), count)
    found = []
    for number, phone in enumerate(phones):
        # In turn, so that a short run has them all.
        place = places[number % len(places)]
        (kind,) = chance.choices(list(PROMPTS), list(PROMPTS.values()))
        kind = HANGING if number < hangs * len(places) else kind
        customer = Customer(number, place, f"+2547{phone:08}", chance.randint(100, 2_000))
        found.append(customer)
        if place.is_phone:
            plan = {"outcomes": [kind], "phone": customer.phone.removeprefix("+")}
            (await books.sandbox.post("/_control/mpesa/next", json=plan)).raise_for_status()
    for place in places:
        if not place.is_phone:
            await plan_weather(books.sandbox, place.provider, chance, count // len(places), hangs=hangs)
    return found


async def at_rest(
    books: Books, query: str, places: Sequence[Place], *, within_s: float, look_every_s: float
) -> None:
    """Have everything told, and wait until nothing more happens by itself."""
    waiting: list[str] = []
    try:
        async with asyncio.timeout(within_s):
            while waiting := await books.waiting(query, places):
                await books.tell_the_rest(places)
                await asyncio.sleep(look_every_s)
    except TimeoutError:
        raise AssertionError(f"still open after {within_s} s: {waiting}") from None


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything."""

    payments: int
    tills: int
    victims: Sequence[str]
    hangs: int
    """Answers of each provider that never come; each holds its job for most of a minute."""
    refunds: int
    """Customers who want money back after all are served."""
    last_victim: str
    """Killed while they get it."""
    asked_every_s: int
    """How often providers are asked about an open payment."""
    watched_s: float
    """How long a cashier looks at a payment."""
    jitter_s: float
    """The longest time from an accepted payment to a kill."""
    look_every_s: float


SHORT: Final = Size(
    payments=24,
    tills=12,
    victims=["worker", "server", "redis", "postgres"],
    hangs=0,
    refunds=8,
    last_victim="connection",
    asked_every_s=2,
    watched_s=3.0,
    jitter_s=0.5,
    look_every_s=0.3,
)
LONG: Final = Size(
    payments=2_000,
    tills=32,
    victims=[*VICTIMS] * 4,
    hangs=3,
    refunds=200,
    last_victim="worker",
    asked_every_s=20,
    watched_s=15.0,
    jitter_s=1.5,
    look_every_s=2.0,
)


@pytest.mark.parametrize(
    "size",
    [
        pytest.param(SHORT, marks=pytest.mark.timeout(300), id="some"),
        pytest.param(LONG, marks=[pytest.mark.faults, pytest.mark.timeout(1_800)], id="many"),
    ],
)
async def test_kills_at_random_moments_lose_and_double_nothing(
    running: Running, books: Books, size: Size
) -> None:
    log.info("HAZINA_FAULTS_SEED=%d", SEED)
    chance = random.Random(SEED)  # noqa: S311 - the same kills in every run
    await books.hasten(size.asked_every_s)
    api = Api(running.demo["graphql_url"], running.demo["api_key"])
    places = await open_places(running, api, books.sandbox)
    served = await customers(books, places, chance, size.payments, hangs=size.hangs)
    shop = Tills(api, chance, size.watched_s)
    killer = Killer.planned(
        running, chance, victims=size.victims, payments=size.payments, jitter_s=size.jitter_s
    )
    rest = partial(at_rest, books, places=places, look_every_s=size.look_every_s)

    async with asyncio.TaskGroup() as group:
        group.create_task(killer.kill_all(shop))
        group.create_task(shop.sell(served, size.tills))
    log.info("all are served; repeated because of %s", shop.setbacks)
    await rest(WAITING, within_s=AT_REST_WITHIN_S - killer.quiet_for_s)
    log.info("the payments rest %.0f s after the last fault", killer.quiet_for_s)
    await books.leap(PAYERS_TIME_S)
    async with asyncio.TaskGroup() as group:
        group.create_task(shop.give_back_later(chance.sample(served, size.refunds)))
        group.create_task(killer.kill(size.last_victim))
    await rest(WAITING, within_s=AT_REST_WITHIN_S - killer.quiet_for_s)
    log.info("the refunds rest %.0f s after the last fault", killer.quiet_for_s)
    await rest(UNDECIDED, within_s=LEFT_OPEN_FOR_S)
    await books.leap(DAY_S - PAYERS_TIME_S)
    await rest(UNSEEN, within_s=LEFT_OPEN_FOR_S)

    assert len(killer.killed) == len(size.victims) + 1
    await require_the_truth(books, shop, places)
    await api.close()


async def require_the_truth(books: Books, shop: Tills, places: Sequence[Place]) -> None:
    """What ended, what was answered, what is booked and what the providers say is one and the same."""
    log.info("ended as %s", dict(await books.require_an_end()))
    await books.require_one_payment_each(shop.answers)
    await books.require_one_refund_each(shop.refunds)
    for place in places:
        taken, given = await books.require_books(place)
        assert taken > 0, place
        log.info("%s took %d and gave back %d", place.provider, taken, given)
    assert shop.refunds
    await books.require_true_ledger()
