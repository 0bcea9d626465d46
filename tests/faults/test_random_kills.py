"""Processes are killed at random moments of running payments: nothing is lost, nothing is doubled."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from time import monotonic
from typing import Final

import asyncpg
import httpx
import pytest
from sqlalchemy import make_url

from core.ids import Kind, inside
from tests.api import Api
from tests.embedded import passable_folder
from tests.faults.killing import Killer
from tests.faults.reckoning import Books
from tests.faults.tills import Customer, Tills
from tests.running import Running, hazina_up

SEED: Final = 20_261_121
TILLS: Final = 12
POLL_S: Final = 0.5
OUTCOMES: Final = {
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
    "timeout_after_acceptance": 1,
}
"""What payers and M-Pesa do, and how often."""

log = logging.getLogger(__name__)


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    with passable_folder() as folder:
        async with hazina_up(folder / "data") as up:
            await up.line("demo payment")
            yield up


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


async def customers(books: Books, chance: random.Random, count: int) -> list[Customer]:
    """Customers whose phones the sandbox knows what to do with; no two have one phone."""
    phones = chance.sample(range(10**8), count)
    # The first call hangs for half a minute: whenever the worker is killed, a job dies with it.
    kinds = [
        "timeout_after_acceptance",
        *chance.choices(list(OUTCOMES), list(OUTCOMES.values()), k=count - 1),
    ]
    found = [
        Customer(number, f"+2547{phone:08}", chance.randint(1, 500), kind)
        for number, (phone, kind) in enumerate(zip(phones, kinds, strict=True))
    ]
    for customer in found:
        plan = {"outcomes": [customer.outcome], "phone": customer.phone.removeprefix("+")}
        (await books.sandbox.post("/_control/mpesa/next", json=plan)).raise_for_status()
    return found


async def at_rest(books: Books, within_s: float) -> None:
    """Wait until nothing more happens by itself."""
    waiting: list[str] = []
    try:
        async with asyncio.timeout(within_s):
            while waiting := await books.waiting():  # noqa: ASYNC110 - other processes can't set our event
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise AssertionError(f"still open after {within_s} s: {waiting}") from None


@pytest.mark.parametrize(
    ("payments", "rounds"),
    [
        pytest.param(24, 1, marks=pytest.mark.timeout(300), id="some"),
        pytest.param(200, 4, marks=[pytest.mark.faults, pytest.mark.timeout(1_200)], id="many"),
    ],
)
async def test_kills_at_random_moments_lose_and_double_nothing(
    running: Running, books: Books, payments: int, rounds: int
) -> None:
    chance = random.Random(SEED)  # noqa: S311 - the same kills in every run
    await books.hasten()
    served = await customers(books, chance, payments)
    api = Api(running.demo["graphql_url"], running.demo["api_key"])
    tills = Tills(api, running.demo["channel_id"], chance)
    killer = Killer.planned(running, chance, rounds=rounds, payments=payments)

    async with asyncio.TaskGroup() as group:
        group.create_task(killer.kill_all(tills))
        group.create_task(tills.sell(served, TILLS))
    started = monotonic()
    await at_rest(books, within_s=240)
    await books.tell_the_rest()
    await at_rest(books, within_s=120)
    log.info(
        "settled %.0f s after the last sale; repeated because of %s", monotonic() - started, tills.setbacks
    )

    assert len(killer.killed) == 5 * rounds
    await books.require_one_payment_each(tills.answers)
    log.info("ended as %s", await books.require_an_end())
    await books.require_ledger(await books.require_receipts())
    await api.close()
