"""Leases under one budget: what is counted, who waits, and what is never closed."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from time import monotonic

import asyncpg
import pytest

from core.ids import new_id
from tenancy.directory import TenantRef
from tenancy.engines import TenantEngines
from tenancy.errors import Capacity, TenantUnavailable
from tenancy.metrics import IDENTITY_MISMATCHES
from tests.databases import PostgresServer
from tests.factories.tenants import tenant_ref

NAP = "SELECT pg_sleep(60)"


@dataclass
class Watched:
    """Engines, and what the server says of their connections."""

    engines: TenantEngines
    name: str
    watcher: asyncpg.Connection

    async def count(self) -> int:
        return int(
            await self.watcher.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1", self.name
            )
        )

    async def until_busy(self) -> None:
        """Wait until a statement of ours is running."""
        sql = "SELECT 1 FROM pg_stat_activity WHERE application_name = $1 AND state = 'active'"
        async with asyncio.timeout(10):
            while not await self.watcher.fetchval(sql, self.name):
                pass

    async def until_left(self, count: int) -> None:
        """Wait until the server and the budget agree that so many connections are left."""
        async with asyncio.timeout(10):
            while (await self.count(), self.engines.connections) != (count, count):
                pass

    async def pids(self, ref: TenantRef) -> list[int]:
        return [row["pid"] for row in await self.engines.rows(ref, "SELECT pg_backend_pid() AS pid", ())]


@pytest.fixture
async def watcher(postgres: PostgresServer) -> AsyncIterator[asyncpg.Connection]:
    connection = await postgres.connect_as_superuser()
    yield connection
    await connection.close()


@asynccontextmanager
async def watched(watcher: asyncpg.Connection, budget: int, per_tenant: int = 4) -> AsyncIterator[Watched]:
    name = f"test-{secrets.token_hex(4)}"
    engines = TenantEngines(budget, per_tenant=per_tenant, application_name=name)
    yield Watched(engines, name, watcher)
    await engines.close()


@pytest.fixture(scope="module")
async def refs(postgres: PostgresServer) -> AsyncIterator[list[TenantRef]]:
    """Twelve tenants, each with a database of its own."""
    made = []
    for _ in range(4):
        ids = [new_id() for _ in range(3)]
        names = await asyncio.gather(*[postgres.clone_tenant(one) for one in ids])
        made += [
            tenant_ref(postgres.tenant_url(), name, id=one) for one, name in zip(ids, names, strict=True)
        ]
    yield made
    await asyncio.gather(*[postgres.drop(ref.database) for ref in made])


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
                    rows = await watch.engines.rows(ref, "SELECT tenant_id FROM identity", ())
                except Capacity:
                    refused += 1
                    continue
                served += 1
                assert rows[0]["tenant_id"] == ref.id

        clients = asyncio.gather(*[client(number) for number in range(64)])
        while not clients.done():
            seen.append(await watch.count())
        await clients

        assert max(seen) == 6
        assert watch.engines.connections == 6
        assert served > refused


async def test_a_full_budget_closes_the_connection_that_is_idle_for_longest(
    watcher: asyncpg.Connection, refs: list[TenantRef]
) -> None:
    async with watched(watcher, budget=2) as watch:
        oldest, older, newest = refs[:3]
        await watch.pids(oldest)
        kept = await watch.pids(older)

        await watch.pids(newest)

        assert await watch.count() == 2
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
        assert 0.4 < monotonic() - began < 3


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


async def test_the_database_of_another_tenant_is_refused_and_left_at_once(
    watcher: asyncpg.Connection, refs: list[TenantRef]
) -> None:
    async with watched(watcher, budget=4) as watch:
        swapped = replace(refs[0], database=refs[1].database)
        before = IDENTITY_MISMATCHES._value.get()  # noqa: SLF001 - the library has no other way to read it

        with pytest.raises(TenantUnavailable):
            await watch.pids(swapped)

        assert IDENTITY_MISMATCHES._value.get() == before + 1  # noqa: SLF001 - as above
        await watch.until_left(0)


async def test_a_database_without_identity_is_refused(
    watcher: asyncpg.Connection, refs: list[TenantRef], postgres: PostgresServer
) -> None:
    empty = await postgres.clone("template0", "hazina_tenant")
    async with watched(watcher, budget=4) as watch:
        with pytest.raises(TenantUnavailable):
            await watch.pids(replace(refs[0], database=empty))
    await postgres.drop(empty)


async def test_a_database_that_is_gone_is_unavailable_and_holds_no_place(
    watcher: asyncpg.Connection, refs: list[TenantRef]
) -> None:
    async with watched(watcher, budget=1) as watch:
        with pytest.raises(TenantUnavailable):
            await watch.pids(replace(refs[0], database="t_gone"))

        assert watch.engines.connections == 0
        assert await watch.pids(refs[0])


async def test_a_new_epoch_drains_the_old_connections_and_ends_the_old_reference(
    watcher: asyncpg.Connection, refs: list[TenantRef]
) -> None:
    async with watched(watcher, budget=4) as watch:
        old, new = refs[0], replace(refs[0], epoch=2)
        async with watch.engines.lease(old) as leased:
            first = await leased.ready.fetchval("SELECT pg_backend_pid()")

            assert await watch.pids(new) != [first]
            assert await leased.ready.fetchval("SELECT 1") == 1

        with pytest.raises(TenantUnavailable):
            await watch.pids(old)
        await watch.until_left(1)


async def test_evicting_closes_what_is_idle_now_and_what_is_busy_later(
    watcher: asyncpg.Connection, refs: list[TenantRef]
) -> None:
    async with watched(watcher, budget=4) as watch:
        async with watch.engines.lease(refs[0]) as leased:
            async with watch.engines.lease(refs[0]):
                pass
            assert await watch.count() == 2

            await watch.engines.evict(refs[0].id)

            assert await leased.ready.fetchval("SELECT 1") == 1
            assert await watch.count() == 1
        await watch.until_left(0)


async def test_what_nobody_uses_is_closed(watcher: asyncpg.Connection, refs: list[TenantRef]) -> None:
    async with watched(watcher, budget=4) as watch:
        await watch.pids(refs[0])
        after_the_first = monotonic()
        kept = await watch.pids(refs[1])

        await watch.engines.close_idle_since(after_the_first)

        assert await watch.count() == 1
        assert await watch.pids(refs[1]) == kept


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


async def test_a_connection_that_the_server_ended_is_replaced(
    watcher: asyncpg.Connection, refs: list[TenantRef]
) -> None:
    async with watched(watcher, budget=2) as watch:
        (pid,) = await watch.pids(refs[0])
        await watcher.fetchval("SELECT pg_terminate_backend($1, 5000)", pid)
        await asyncio.sleep(0)

        assert await watch.pids(refs[0]) != [pid]
        assert watch.engines.connections == 1


async def test_a_query_whose_connection_breaks_says_the_tenant_is_unavailable(
    watcher: asyncpg.Connection, refs: list[TenantRef]
) -> None:
    async with watched(watcher, budget=1) as watch:
        napping = asyncio.create_task(watch.engines.rows(refs[0], NAP, ()))
        await watch.until_busy()

        await watcher.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1", watch.name
        )

        with pytest.raises(TenantUnavailable):
            await napping
        assert await watch.pids(refs[0])
