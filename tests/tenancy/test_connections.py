"""Connections: whose database they reach, and when they are closed."""

import asyncio
from dataclasses import replace
from time import monotonic

import asyncpg
import pytest
from prometheus_client import REGISTRY

from tenancy.errors import TenantUnavailable
from tenancy.tenant_ref import TenantRef
from tests.databases import PostgresServer
from tests.tenancy.watching import watched

NAP = "SELECT pg_sleep(60)"
MISMATCHES = "hazina_identity_mismatches_total"


async def test_the_database_of_another_tenant_is_refused_and_left_at_once(
    watcher: asyncpg.Connection, refs: list[TenantRef]
) -> None:
    async with watched(watcher, budget=4) as watch:
        swapped = replace(refs[0], database=refs[1].database)
        before = REGISTRY.get_sample_value(MISMATCHES) or 0

        with pytest.raises(TenantUnavailable):
            await watch.pids(swapped)

        assert REGISTRY.get_sample_value(MISMATCHES) == before + 1
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


async def test_who_waits_with_an_old_reference_is_told_when_a_new_epoch_comes(
    watcher: asyncpg.Connection, refs: list[TenantRef]
) -> None:
    async with watched(watcher, budget=1) as watch:
        async with watch.engines.lease(refs[1]):
            new = asyncio.create_task(watch.pids(replace(refs[0], epoch=2)))
            await asyncio.sleep(0)
            old = asyncio.create_task(watch.pids(refs[0]))
            await asyncio.sleep(0)

        assert await new
        with pytest.raises(TenantUnavailable):
            await old


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
            await watch.until_left(1)
        await watch.until_left(0)


async def test_what_nobody_uses_is_closed(watcher: asyncpg.Connection, refs: list[TenantRef]) -> None:
    async with watched(watcher, budget=4) as watch:
        await watch.pids(refs[0])
        after_the_first = monotonic()
        kept = await watch.pids(refs[1])

        await watch.engines.close_idle_since(after_the_first)

        await watch.until_left(1)
        assert await watch.pids(refs[1]) == kept


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
