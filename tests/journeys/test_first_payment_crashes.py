"""Whatever commit or outside call a process dies after: one prompt at most, and receipts equal the books."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest
import redis.asyncio

from tenancy.sessions import AfterCommit, OwnerDatabase, Tenant
from tenant_db.payments.models import Payment
from tests.factories.journeys import Journey, running_journey
from tests.factories.payments import books, read

AFTERWARDS = timedelta(hours=2)
POINTS_MAX = 60


class Crash(BaseException):
    """The process is gone: nothing may catch this."""


class CrashPoints:
    """Counts commits, requests and answers, and dies at one of them."""

    def __init__(self) -> None:
        self.passed: list[str] = []
        self.armed: int | None = None

    def arm(self, number: int | None) -> None:
        self.passed.clear()
        self.armed = number

    def reach(self, name: str) -> None:
        self.passed.append(name)
        if len(self.passed) == self.armed:
            raise Crash(name)

    async def before_commit(self, tenant_id: UUID | None, after: AfterCommit) -> None:
        self.reach("before a commit that leaves work")

    async def after_commit(self, tenant_id: UUID | None, after: AfterCommit) -> None:
        self.reach("after a commit")

    async def on_request(self, request: httpx.Request) -> None:
        self.reach(f"before {request.url.path}")

    async def on_answer(self, response: httpx.Response) -> None:
        self.reach(f"after {response.url.path}")


@pytest.fixture
def points() -> CrashPoints:
    return CrashPoints()


@pytest.fixture
async def journey(
    owner: OwnerDatabase,
    tenant: Tenant,
    redis_client: redis.asyncio.Redis,
    tmp_path: Path,
    points: CrashPoints,
) -> AsyncIterator[Journey]:
    async with running_journey(owner, [tenant], redis_client, tmp_path, signals=points) as running:
        http = running.providers.outside.http
        http.event_hooks = {"request": [points.on_request], "response": [points.on_answer]}
        yield running


async def surviving(step: Callable[[], Awaitable[object]]) -> None:
    """Take a step, and take it again where the process died of it."""
    try:
        await step()
    except Crash:
        await step()


async def pay(journey: Journey, tenant: Tenant, outcome: str) -> Payment:
    """One payment from its prompt to its books, whatever dies on the way."""
    await journey.sandbox.control_next({"kind": outcome, "callback_delay_s": 30.0})
    payment = await journey.initiate(tenant)
    for _ in range(2):
        # Twice: a run that died before it prompted prompts only after its lease.
        await surviving(lambda: journey.run(tenant))
        await journey.sandbox.release(reference=payment.reference)
        await surviving(lambda: journey.run(tenant, within=AFTERWARDS))
    return await read(tenant, payment.id)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("outcome", ["success", "cancelled", "timeout_after_acceptance"])
async def test_dying_anywhere_prompts_once_at_most_and_books_what_was_paid(
    journey: Journey, tenant: Tenant, points: CrashPoints, outcome: str
) -> None:
    shop = await journey.open_shop(tenant)
    number = 0
    while number < POINTS_MAX:
        number += 1
        points.arm(number)

        payment = await pay(journey, tenant, outcome)

        died_at = points.passed[number - 1] if len(points.passed) >= number else None
        points.arm(None)
        prompts = await journey.prompts(payment)
        paid = [prompt for prompt in prompts if prompt["receipt"]]
        told = f"died {died_at} (point {number}), then {payment.status}"
        assert len(prompts) <= 1, told
        assert (payment.status == "succeeded") == bool(paid), told
        if died_at is None:
            break

    book = await journey.sandbox.book()
    paid_minor = sum(round(float(entry["amount"]) * 100) for entry in book["paid"])
    found = await books(tenant, shop)
    assert number > 8, "too few points were armed"
    assert (found.holding, found.store, found.suspense) == (paid_minor, paid_minor, 0)
