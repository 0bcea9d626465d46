"""The relay brings what is due to arq: fairly, at once, and again when it was lost on the way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import orjson
import pytest
import redis.asyncio
from redis.exceptions import ConnectionError as RedisConnectionError

from core.tenant import TenantStatus
from jobs.prompt_worker import connect
from jobs.relay import UNREACHED_FIRST_S, Queue, Relay
from jobs.transport import Transport
from jobs.work import Done
from tenancy.context import Services
from tenancy.outbox import claim_due
from tenancy.sessions import Tenant
from tests.jobs.conftest import PATIENCE_S, FrailSignals, Hand, MovingClock, Registry, Working, leave, row_of

PAYMENTS = Queue("payments", slots=32, in_flight_max=8)


@pytest.fixture
async def transport(redis_url: str, redis_client: redis.asyncio.Redis) -> AsyncIterator[Transport]:
    """The client through which relays enqueue."""
    assert await redis_client.dbsize() == 0
    client = await connect(redis_url)
    yield client
    await client.aclose(close_connection_pool=True)


@asynccontextmanager
async def relaying(services: Services, transport: Transport) -> AsyncIterator[None]:
    """A relay, and nothing that runs what it enqueues."""
    relay = Relay(services, transport, PAYMENTS, asyncio.Event(), lambda: None)
    running = asyncio.create_task(relay.run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait([running])


async def enqueued(client: redis.asyncio.Redis, count: int) -> None:
    """Wait until arq holds so many jobs of the queue."""
    async with asyncio.timeout(PATIENCE_S):
        while await client.zcard(PAYMENTS.arq_name) < count:  # noqa: ASYNC110 - Redis can't set our event
            await asyncio.sleep(0)


async def test_no_tenant_fills_the_queue(
    working: Working, tenant: Tenant, second_tenant: Tenant, hand: Hand
) -> None:
    async with working(act=hand):
        many = [await leave(tenant) for _ in range(20)]
        for _ in range(8):
            await hand.next_run()
        few = await leave(second_tenant)

        assert (await hand.next_run()).id == few

        assert hand.at_once == 9
        hand.end(*[Done()] * 21)
        for _ in range(12):
            await hand.next_run()

    assert hand.at_once_max == 9
    assert {(await row_of(tenant, job)).state for job in many} == {"done"}


async def test_a_row_waits_for_its_time_and_needs_no_nudge_then(
    working: Working, tenant: Tenant, hand: Hand
) -> None:
    async with working(act=hand):
        job = await leave(tenant, after_s=0.5)
        await hand.next_run()
        hand.end(Done())

    row = await row_of(tenant, job)
    assert row.finished_at is not None
    assert row.finished_at >= row.next_attempt_at


async def test_many_commits_at_once_all_run(
    working: Working, tenant: Tenant, second_tenant: Tenant, hand: Hand
) -> None:
    hand.end(*[Done()] * 60)
    async with working(act=hand):
        left: list[UUID] = []
        for _ in range(10):
            left += await asyncio.gather(*(leave(one) for one in (tenant, second_tenant) * 3))
        ran = [await hand.next_run() for _ in left]

    assert sorted(work.id for work in ran) == sorted(left)
    assert {work.attempt for work in ran} == {1}


async def test_what_lies_in_redis_is_json(
    services: Services, tenant: Tenant, transport: Transport, redis_client: redis.asyncio.Redis
) -> None:
    async with relaying(services, transport):
        job = await leave(tenant)
        await enqueued(redis_client, 1)

    (key,) = await redis_client.keys("arq:job:*")
    assert key.decode() == f"arq:job:{tenant.id}:act:{job}:0"
    stored = orjson.loads(await redis_client.get(key))
    assert (stored["f"], stored["a"]) == ("run_outbox", [str(tenant.id), str(job), 1])


class DyingTransport(Transport):
    """Breaks between the claim of a row and its way into the queue."""

    async def enqueue_all(self, *arguments: object) -> None:
        raise RedisConnectionError("the relay died here")


async def test_a_relay_that_dies_between_claim_and_enqueue_loses_nothing(
    *,
    services: Services,
    tenant: Tenant,
    clock: MovingClock,
    transport: Transport,
    redis_client: redis.asyncio.Redis,
) -> None:
    job = await leave(tenant)
    dying = DyingTransport(transport.connection_pool)
    with pytest.raises(ExceptionGroup):
        await Relay(services, dying, PAYMENTS, asyncio.Event(), lambda: None).run()
    assert (await row_of(tenant, job)).leased_until is not None

    # No sweep runs here: the leases alone bring the tenant and the row to the next relay.
    clock.skip(16)
    async with relaying(services, transport):
        await enqueued(redis_client, 1)


async def test_losing_redis_loses_nothing(
    working: Working, tenant: Tenant, hand: Hand, clock: MovingClock, redis_client: redis.asyncio.Redis
) -> None:
    jobs = [await leave(tenant) for _ in range(5)]
    async with tenant.transaction() as session:
        await claim_due(session, "payments", clock(), lease_s=3_600, in_flight_max=8)

    # A sweep lets go of what was claimed for the queue that is gone: nobody waits for the leases.
    await redis_client.flushall()
    hand.end(*[Done()] * 5)
    async with working(act=hand):
        ran = [await hand.next_run() for _ in jobs]

    assert sorted(work.id for work in ran) == sorted(jobs)


async def test_a_tenant_that_can_not_be_reached_does_not_hold_up_the_others(
    working: Working, second_tenant: Tenant, hand: Hand, redis_client: redis.asyncio.Redis
) -> None:
    hand.end(Done())
    await redis_client.zadd("global:due:payments", {"01a1fdb6-0000-7000-8000-000000000000": 1})

    async with working(act=hand):
        job = await leave(second_tenant)
        await hand.next_run()

    assert (await row_of(second_tenant, job)).state == "done"


async def test_a_tenant_in_an_outage_is_tried_again_soon(
    *,
    services: Services,
    tenant: Tenant,
    registry: Registry,
    clock: MovingClock,
    transport: Transport,
    redis_client: redis.asyncio.Redis,
) -> None:
    registry.set_status(tenant.id, TenantStatus.MOVING)
    await redis_client.zadd("global:due:payments", {str(tenant.id): 1})

    async with relaying(services, transport), asyncio.timeout(PATIENCE_S):
        while (due := await redis_client.zscore("global:due:payments", str(tenant.id)) or 1) == 1:  # noqa: ASYNC110 - Redis can't set our event
            await asyncio.sleep(0.01)

    assert due <= clock().timestamp() + UNREACHED_FIRST_S
    assert await redis_client.zcard("global:taken:payments") == 0


async def test_a_lost_nudge_delays_a_job_by_a_second_at_most(
    working: Working, tenant: Tenant, hand: Hand, signals: FrailSignals, redis_client: redis.asyncio.Redis
) -> None:
    hand.end(Done(), Done())
    async with working(act=hand):
        await leave(tenant)
        await hand.next_run()
        signals.is_cut = True
        job = await leave(tenant)
        await redis_client.zadd("global:due:payments", {str(tenant.id): 1})
        assert (await hand.next_run()).id == job
