"""What a worker does while Redis is gone, and after it is back."""

import os
import signal
from collections.abc import AsyncIterator

import pytest
import redis.asyncio

from jobs.work import Done
from tenancy.sessions import Tenant
from tests.embedded import throwaway_redis
from tests.jobs.conftest import Hand, Working, leave, row_of


@pytest.fixture
async def redis_url() -> AsyncIterator[str]:
    """A Redis of this test's own, which is started again when it dies."""
    async with throwaway_redis() as server:
        yield server.url


async def kill(client: redis.asyncio.Redis) -> None:
    info = await client.info("server")
    os.kill(info["process_id"], signal.SIGKILL)


async def test_what_was_committed_while_redis_was_dead_runs_when_it_is_back(
    working: Working, tenant: Tenant, hand: Hand, redis_client: redis.asyncio.Redis
) -> None:
    async with working(act=hand):
        first = await leave(tenant)
        await hand.next_run()
        await kill(redis_client)
        second = await leave(tenant)
        hand.end(Done(), Done())
        assert (await hand.next_run()).id == second

    assert {(await row_of(tenant, job)).state for job in (first, second)} == {"done"}
    assert hand.at_once_max == 1


async def test_a_worker_outlives_many_deaths_of_redis(
    working: Working, tenant: Tenant, hand: Hand, redis_client: redis.asyncio.Redis
) -> None:
    hand.end(*[Done()] * 3)
    async with working(act=hand):
        for _ in range(3):
            job = await leave(tenant)
            assert (await hand.next_run()).id == job
            await kill(redis_client)
