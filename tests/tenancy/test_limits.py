"""How much one caller may ask for, over all processes."""

import asyncio
import time
from uuid import UUID

import pytest
import redis.asyncio

from tenancy.errors import RateLimited
from tenancy.limits import CHUNK_SHARE, RateLimits, Window

TENANT = UUID(int=1)
OTHER = UUID(int=2)
CAPACITY = 100
SLOWLY = 1
"""Units restored in a second: next to nothing while a test runs."""


@pytest.fixture
def limits(redis_client: redis.asyncio.Redis) -> RateLimits:
    return RateLimits(redis_client)


@pytest.fixture
def away() -> RateLimits:
    """Limits whose Redis can't be reached."""
    return RateLimits(redis.asyncio.Redis.from_url("unix:///nowhere/redis.sock"))


async def spend(limits: RateLimits, cost: int, tenant: UUID | None = TENANT, caller: str = "user:1") -> int:
    return (await limits.charge(tenant, caller, cost, CAPACITY, SLOWLY)).available


async def test_a_bucket_empties_and_says_when_to_come_back(limits: RateLimits) -> None:
    assert await spend(limits, 60) in {40, 41}

    with pytest.raises(RateLimited) as refused:
        await spend(limits, 60)

    assert 15 <= refused.value.retry_after_s <= 21


async def test_a_refused_charge_takes_nothing(limits: RateLimits) -> None:
    await spend(limits, 60)
    with pytest.raises(RateLimited):
        await spend(limits, 60)

    assert await spend(limits, 40) <= 1


async def test_a_bucket_fills_again(limits: RateLimits) -> None:
    await limits.charge(TENANT, "user:1", CAPACITY, CAPACITY, 1_000)
    async with asyncio.timeout(5):
        while True:
            try:
                await limits.charge(TENANT, "user:1", CAPACITY, CAPACITY, 1_000)
            except RateLimited:
                await asyncio.sleep(0.01)
            else:
                break


async def test_callers_and_tenants_have_buckets_of_their_own(limits: RateLimits) -> None:
    await spend(limits, CAPACITY)

    assert await spend(limits, CAPACITY, caller="user:2") <= 1
    assert await spend(limits, CAPACITY, tenant=OTHER) <= 1
    assert await spend(limits, CAPACITY, tenant=None) <= 1


async def test_two_processes_share_a_bucket_but_for_a_chunk_each(redis_client: redis.asyncio.Redis) -> None:
    processes = [RateLimits(redis_client), RateLimits(redis_client)]
    spent = 0
    for number in range(2 * CAPACITY):
        try:
            await spend(processes[number % 2], 1)
        except RateLimited:
            continue
        spent += 1

    assert CAPACITY - 2 * CAPACITY // CHUNK_SHARE <= spent <= CAPACITY + 2


async def test_most_charges_need_no_round_trip(redis_client: redis.asyncio.Redis) -> None:
    limits = RateLimits(redis_client)
    before = (await redis_client.info("stats"))["total_commands_processed"]

    for _ in range(1_000):
        await limits.charge(TENANT, "user:1", 1, 100_000, 1)

    after = (await redis_client.info("stats"))["total_commands_processed"]
    # A script's own commands count, too.
    assert after - before < 30


async def test_rivals_for_the_last_units_never_get_more_than_there_are(limits: RateLimits) -> None:
    charged = await asyncio.gather(*(spend(limits, 30) for _ in range(10)), return_exceptions=True)

    assert sum(not isinstance(result, BaseException) for result in charged) == CAPACITY // 30


async def test_what_was_not_needed_comes_back(limits: RateLimits) -> None:
    await spend(limits, CAPACITY)

    limits.give_back(TENANT, "user:1", 50)

    assert await spend(limits, 50) <= 1


async def test_a_cost_beyond_the_bucket_takes_all_of_it(limits: RateLimits) -> None:
    assert await spend(limits, 10 * CAPACITY) <= 1


async def test_keys_carry_the_tenant_and_no_person(
    limits: RateLimits, redis_client: redis.asyncio.Redis
) -> None:
    await spend(limits, 1)
    await spend(limits, 1, tenant=None, caller="ip:192.0.2.7")
    await limits.hit("sign_in", "amina@example.com", limit=5, per_s=60)
    await limits.hit("prompt", "+254700000001", limit=5, per_s=60, tenant_id=TENANT)

    keys = {key.decode() for key in await redis_client.keys()}
    assert {key.rpartition(":")[0] for key in keys} == {
        f"t:{TENANT}:bucket",
        "global:bucket",
        "global:window:sign_in",
        f"t:{TENANT}:window:prompt",
    }
    assert not any(part in str(keys) for part in ("amina", "700000001", "192.0.2.7"))
    assert all([await redis_client.pttl(key) > 0 for key in keys])


async def test_a_window_lets_so_many_pass(limits: RateLimits) -> None:
    for _ in range(3):
        await limits.hit("prompt", "+254700000001", limit=3, per_s=600)

    with pytest.raises(RateLimited) as refused:
        await limits.hit("prompt", "+254700000001", limit=3, per_s=600)

    assert 598 <= refused.value.retry_after_s <= 600
    await limits.hit("prompt", "+254700000002", limit=3, per_s=600)
    await limits.hit("prompt", "+254700000001", limit=3, per_s=600, tenant_id=TENANT)


async def test_a_window_moves(limits: RateLimits) -> None:
    await limits.hit("sign_in", "a", limit=1, per_s=1)
    with pytest.raises(RateLimited):
        await limits.hit("sign_in", "a", limit=1, per_s=1)

    started = time.monotonic()
    async with asyncio.timeout(5):
        while True:
            try:
                await limits.hit("sign_in", "a", limit=1, per_s=1)
            except RateLimited:
                await asyncio.sleep(0.02)
            else:
                break
    assert time.monotonic() - started > 0.8


async def test_rivals_never_pass_a_window_beyond_its_limit(limits: RateLimits) -> None:
    hits = await asyncio.gather(
        *(limits.hit("sign_in", "a", limit=4, per_s=60) for _ in range(20)), return_exceptions=True
    )

    assert sum(hit is None for hit in hits) == 4


async def test_an_act_may_count_several_times(limits: RateLimits) -> None:
    await limits.hit("mail", "a", limit=5, per_s=60, cost=3)
    with pytest.raises(RateLimited):
        await limits.hit("mail", "a", limit=5, per_s=60, cost=3)

    await limits.hit("mail", "a", limit=5, per_s=60, cost=2)


async def test_without_redis_sensitive_acts_are_refused(away: RateLimits) -> None:
    with pytest.raises(RateLimited):
        await away.hit("sign_in", "a", limit=5, per_s=60)


async def test_without_redis_callers_get_a_trickle(away: RateLimits) -> None:
    await away.charge(TENANT, "user:1", 5, CAPACITY, 10)

    with pytest.raises(RateLimited):
        for _ in range(10):
            await away.charge(TENANT, "user:1", 5, CAPACITY, 10)


async def test_an_act_that_one_window_refuses_counts_in_none(limits: RateLimits) -> None:
    narrow = Window("prompt", "+254700000001", limit=1, per_s=600, tenant_id=TENANT)
    wide = Window("prompt", "+254700000001", limit=2, per_s=600)
    await limits.hit_all(narrow, wide)

    for _ in range(3):
        with pytest.raises(RateLimited):
            await limits.hit_all(narrow, wide)

    await limits.hit_all(wide)
    with pytest.raises(RateLimited):
        await limits.hit_all(wide)


async def test_an_act_with_a_name_counts_once(limits: RateLimits) -> None:
    window = Window("prompt", "+254700000001", limit=2, per_s=600)
    for _ in range(3):
        await limits.hit_all(window, act="key-1")

    await limits.hit_all(window, act="key-2")
    await limits.hit_all(window, act="key-1")
    with pytest.raises(RateLimited):
        await limits.hit_all(window, act="key-3")


async def test_a_redis_that_was_started_anew_is_told_the_script_again(
    limits: RateLimits, redis_client: redis.asyncio.Redis
) -> None:
    await limits.hit("sign_in", "a", limit=2, per_s=60)
    await redis_client.script_flush()

    await limits.hit("sign_in", "a", limit=2, per_s=60)

    with pytest.raises(RateLimited):
        await limits.hit("sign_in", "a", limit=2, per_s=60)
