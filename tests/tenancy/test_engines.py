"""The budget: what is counted, who waits, and what a cancellation leaves."""

import asyncio
from contextlib import AsyncExitStack
from time import monotonic

import asyncpg
import pytest

from tenancy.errors import Capacity
from tenancy.tenant_ref import TenantRef
from tests.tenancy.watching import watched

TENANT_ID_SOON = "SELECT tenant_id, pg_sleep(0.002) FROM identity"
NAP = "SELECT pg_sleep(60)"


async def test_many_clients_of_many_tenants_stay_within_the_budget(
    watcher: asyncpg.Connection, refs: list[TenantRef]
) -> None:
    async with watched(watcher, budget=6) as watch:
        seen, served, refused = [], 0, 0

        async def client(first: int) -> None:
            nonlocal served, refused
            for step in range(12):
                ref = refs[(first * 7 + step * 5) % len(refs)]
                try:
                    rows = await watch.engines.rows(ref, TENANT_ID_SOON, ())
                except Capacity:
                    refused += 1
                    continue
                served += 1
                assert rows[0]["tenant_id"] == ref.id

        clients = asyncio.gather(*[client(number) for number in range(64)])
        while not clients.done():
            seen.append(await watch.count_at_work())
            assert watch.engines.connections <= 6
        await clients

        assert 1 < max(seen) <= 6
        await watch.until_left(6)
        assert served > refused


async def test_a_full_budget_closes_the_connection_that_is_idle_for_longest(
    watcher: asyncpg.Connection, refs: list[TenantRef]
) -> None:
    async with watched(watcher, budget=2) as watch:
        oldest, older, newest = refs[:3]
        await watch.pids(oldest)
        kept = await watch.pids(older)

        await watch.pids(newest)

        await watch.until_left(2)
        assert await watch.pids(older) == kept


async def test_a_large_budget_keeps_a_place_free_for_the_next_stranger(
    watcher: asyncpg.Connection, refs: list[TenantRef]
) -> None:
    async with watched(watcher, budget=32, per_tenant=30) as watch:
        await watch.pids(refs[0])
        async with AsyncExitStack() as held:
            for _ in range(30):
                await held.enter_async_context(watch.engines.lease(refs[1]))
            assert await watch.count() == 31

            await watch.pids(refs[2])

            # The first tenant's connection was closed, though there was one place left.
            await watch.until_left(31)


async def test_a_tenant_prefers_its_own_connection_but_does_not_wait_for_long(
    watcher: asyncpg.Connection, refs: list[TenantRef]
) -> None:
    async with watched(watcher, budget=2) as watch:
        (kept,) = await watch.pids(refs[1])
        async with watch.engines.lease(refs[0]) as leased:
            own = await leased.ready.fetchval("SELECT pg_backend_pid()")
            soon = asyncio.create_task(watch.pids(refs[0]))
            await asyncio.sleep(0)
        assert await soon == [own]
        assert await watch.pids(refs[1]) == [kept]

        async with watch.engines.lease(refs[0]):
            late = await asyncio.create_task(watch.pids(refs[0]))

        assert late not in ([own], [kept])


async def test_where_all_are_busy_a_late_comer_is_refused_after_half_a_second(
    watcher: asyncpg.Connection, refs: list[TenantRef]
) -> None:
    async with watched(watcher, budget=1) as watch, watch.engines.lease(refs[0]):
        began = monotonic()

        with pytest.raises(Capacity) as refusal:
            await asyncio.create_task(watch.pids(refs[1]))

        assert refusal.value.retry_after_s == 1
        assert 0.4 < monotonic() - began < 10


async def test_who_waits_is_served_in_the_order_they_came(
    watcher: asyncpg.Connection, refs: list[TenantRef]
) -> None:
    async with watched(watcher, budget=1) as watch:
        served: list[TenantRef] = []

        async def client(ref: TenantRef) -> None:
            await watch.pids(ref)
            served.append(ref)

        async with watch.engines.lease(refs[0]):
            waiting = [asyncio.create_task(client(ref)) for ref in (refs[1], refs[0], refs[2], refs[1])]
            await asyncio.sleep(0)
        await asyncio.gather(*waiting)

        assert served == [refs[1], refs[0], refs[2], refs[1]]


async def test_one_tenant_has_at_most_its_share(watcher: asyncpg.Connection, refs: list[TenantRef]) -> None:
    async with watched(watcher, budget=8, per_tenant=2) as watch:
        await asyncio.gather(*[watch.pids(refs[0]) for _ in range(20)])

        assert await watch.count() == 2


async def test_a_task_that_holds_a_lease_may_not_wait_for_another(
    watcher: asyncpg.Connection, refs: list[TenantRef]
) -> None:
    async with watched(watcher, budget=1) as watch, watch.engines.lease(refs[0]):
        with pytest.raises(RuntimeError, match="may not wait"):
            await watch.pids(refs[1])


async def test_a_cancelled_query_gives_its_place_back(
    watcher: asyncpg.Connection, refs: list[TenantRef]
) -> None:
    async with watched(watcher, budget=1) as watch:
        napping = asyncio.create_task(watch.engines.rows(refs[0], NAP, ()))
        await watch.until_busy()

        napping.cancel()

        assert await watch.pids(refs[1])
        assert watch.engines.connections == 1
        with pytest.raises(asyncio.CancelledError):
            await napping


async def test_a_client_that_leaves_the_queue_takes_nothing_with_it(
    watcher: asyncpg.Connection, refs: list[TenantRef]
) -> None:
    async with watched(watcher, budget=1) as watch:
        async with watch.engines.lease(refs[0]):
            waiting = [asyncio.create_task(watch.pids(ref)) for ref in refs[1:5]]
            await asyncio.sleep(0)
            waiting[0].cancel()
            waiting[2].cancel()
        found = await asyncio.gather(*waiting, return_exceptions=True)

        assert [type(one) for one in found] == [
            asyncio.CancelledError,
            list,
            asyncio.CancelledError,
            list,
        ]
        assert watch.engines.connections == 1


async def test_a_client_cancelled_as_its_turn_comes_passes_it_on(
    watcher: asyncpg.Connection, refs: list[TenantRef]
) -> None:
    async with watched(watcher, budget=1) as watch:
        async with watch.engines.lease(refs[0]):
            first, second = (asyncio.create_task(watch.pids(ref)) for ref in refs[1:3])
            await asyncio.sleep(0)
        # The place is granted, and the one it was granted to has not run yet.
        first.cancel()

        assert await second
        assert first.cancelled()
        assert watch.engines.connections == 1
