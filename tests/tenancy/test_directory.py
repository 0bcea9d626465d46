"""What the directory remembers, and how it learns that it is wrong."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from uuid import UUID

import pytest
import redis.asyncio

from core.ids import new_id
from tenancy.directory import TTL_S, UNKNOWN_MAX, UNKNOWN_TTL_S, CachedDirectory
from tenancy.errors import TenantUnknown
from tenancy.tenant_ref import TenantRef
from tests.factories.tenants import tenant_ref

REF = tenant_ref("postgresql+asyncpg://nobody@", "t_1")


@dataclass
class Registry:
    """The rows, how often they were asked for, and a clock that stands still."""

    rows: dict[UUID, TenantRef] = field(default_factory=lambda: {REF.id: REF})
    asked: list[UUID] = field(default_factory=list)
    now: float = 1_000.0
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def load(self, tenant_id: UUID) -> TenantRef | None:
        self.asked.append(tenant_id)
        found = self.rows.get(tenant_id)
        await self.gate.wait()
        return found

    def directory(self) -> CachedDirectory:
        return CachedDirectory(self.load, monotonic=lambda: self.now)


@pytest.fixture
def registry() -> Registry:
    registry = Registry()
    registry.gate.set()
    return registry


@pytest.fixture
async def pair(
    registry: Registry, redis_client: redis.asyncio.Redis
) -> AsyncIterator[tuple[CachedDirectory, CachedDirectory]]:
    """The directories of two processes."""
    here, there = registry.directory(), registry.directory()
    await here.start(redis_client)
    await there.start(redis_client)
    yield here, there
    await here.close()
    await there.close()


async def test_a_row_is_remembered_for_its_time(registry: Registry) -> None:
    directory = registry.directory()
    for _ in range(3):
        assert await directory.find(REF.id) == REF
    assert len(registry.asked) == 1

    registry.now += TTL_S
    await directory.find(REF.id)

    assert len(registry.asked) == 2


async def test_an_unknown_tenant_is_remembered_as_unknown(registry: Registry) -> None:
    directory = registry.directory()
    for advance_s in (0, UNKNOWN_TTL_S - 1, 1):
        registry.now += advance_s
        with pytest.raises(TenantUnknown):
            await directory.find(UUID(int=7))

    assert len(registry.asked) == 2


async def test_guessing_ids_fills_no_memory(registry: Registry) -> None:
    directory = registry.directory()
    first = UUID(int=1)
    for number in range(UNKNOWN_MAX + 1):
        with pytest.raises(TenantUnknown):
            await directory.find(UUID(int=1 + number))

    with pytest.raises(TenantUnknown):
        await directory.find(first)

    assert registry.asked.count(first) == 2


async def test_many_who_ask_at_once_cause_one_look_up(registry: Registry) -> None:
    directory = registry.directory()
    registry.gate.clear()
    asking = [asyncio.create_task(directory.find(REF.id)) for _ in range(10)]
    await asyncio.sleep(0)
    asking[0].cancel()
    registry.gate.set()

    assert await asyncio.gather(*asking[1:]) == [REF] * 9
    assert len(registry.asked) == 1


async def test_what_was_read_before_an_invalidation_is_not_remembered(registry: Registry) -> None:
    directory = registry.directory()
    registry.gate.clear()
    early = asyncio.create_task(directory.find(REF.id))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    moved = registry.rows[REF.id] = replace(REF, epoch=2)
    await directory.invalidate(REF.id)
    registry.gate.set()
    await early

    assert await directory.find(REF.id) == moved


async def test_a_change_in_one_process_is_seen_in_the_other(
    registry: Registry, pair: tuple[CachedDirectory, CachedDirectory]
) -> None:
    here, there = pair
    await there.find(REF.id)
    moved = registry.rows[REF.id] = replace(REF, epoch=2)

    await here.invalidate(REF.id)

    async with asyncio.timeout(10):
        while await there.find(REF.id) != moved:  # noqa: ASYNC110 - the other process can't set our event
            await asyncio.sleep(0)


async def test_a_tenant_that_was_unknown_is_found_once_it_is_announced(
    registry: Registry, pair: tuple[CachedDirectory, CachedDirectory]
) -> None:
    here, there = pair
    fresh = replace(REF, id=new_id())
    with pytest.raises(TenantUnknown):
        await there.find(fresh.id)
    registry.rows[fresh.id] = fresh

    await here.invalidate(fresh.id)

    found = None
    async with asyncio.timeout(10):
        while found is None:
            await asyncio.sleep(0)
            with suppress(TenantUnknown):
                found = await there.find(fresh.id)
    assert found == fresh


async def test_after_a_lost_connection_everything_is_looked_up_again(
    registry: Registry,
    pair: tuple[CachedDirectory, CachedDirectory],
    redis_client: redis.asyncio.Redis,
) -> None:
    here, _ = pair
    await here.find(REF.id)
    asked = len(registry.asked)

    await redis_client.client_kill_filter(_type="pubsub")

    async with asyncio.timeout(10):
        while len(registry.asked) == asked:
            await here.find(REF.id)
            await asyncio.sleep(0)
