"""The sealer seals what was posted soon after it was, and keeps signed heads of the chains."""

import asyncio

import pytest
import redis.asyncio
from sqlalchemy import func, select

from core.tenant import TenantStatus
from jobs.sealing import HEAD_EVERY, LEASE_S, Sealer
from jobs.sweeping import Sweeper
from owner_db.alerts.models import PlatformAlert
from owner_db.proofs.models import LedgerHead
from tenancy.context import Services
from tenancy.engines import Tenants
from tenancy.heads import Head, key_id_of, open_head
from tenancy.sessions import OwnerDatabase, Tenant
from tenancy.signals import SEAL_AFTER_S, SEALING, TELL_SEALER_EVERY_S
from tenancy.tokens import TokenIssuer
from tenant_db.alerts.models import Alert
from tests.databases import PostgresServer
from tests.jobs.conftest import FrailSignals, MovingClock, Registry
from tests.proving import Proven, new_ledger
from tests.racing import stand_still
from tests.tampering import tamper

TURN = select(func.pg_advisory_xact_lock(func.hashtextextended("ledger_blocks", 0)))


@pytest.fixture
def sealer(
    services: Services, sweeping: Tenants, redis_client: redis.asyncio.Redis, tokens: TokenIssuer
) -> Sealer:
    services.tokens = tokens
    return Sealer(services, sweeping, redis_client)


@pytest.fixture
async def ledger(tenant: Tenant, registry: Registry) -> Proven:
    assert registry
    return await new_ledger(tenant)


async def waiting(client: redis.asyncio.Redis) -> dict[str, float]:
    return {member.decode(): score for member, score in await client.zrange(SEALING, 0, -1, withscores=True)}


async def heads(owner: OwnerDatabase) -> list[LedgerHead]:
    async with owner.reading() as session:
        return list(await session.scalars(select(LedgerHead).order_by(LedgerHead.height)))


async def test_what_was_posted_is_sealed_and_its_head_is_kept(
    sealer: Sealer, ledger: Proven, clock: MovingClock, owner: OwnerDatabase, tokens: TokenIssuer
) -> None:
    await ledger.sell(3)
    await sealer.seal_due()
    assert await ledger.blocks() == []

    clock.skip(SEAL_AFTER_S + 1)
    await sealer.seal_due()

    (block,) = await ledger.blocks()
    (kept,) = await heads(owner)
    assert block.transfer_count == 3
    assert kept.head == Head(ledger.tenant.id, 1, block.hash, 3, block.sealed_at)
    key = await tokens.public_key(key_id_of(kept.signed))
    assert key is not None
    assert open_head(kept.signed, key) == kept.head


async def test_a_tenant_that_rests_is_not_visited(
    sealer: Sealer, ledger: Proven, clock: MovingClock, redis_client: redis.asyncio.Redis
) -> None:
    await ledger.sell()
    for _ in range(2):
        clock.skip(SEAL_AFTER_S + 1)
        await sealer.seal_due()

    assert await waiting(redis_client) == {}


async def test_a_commit_that_told_nobody_is_sealed_with_the_next_visit(
    sealer: Sealer, ledger: Proven, clock: MovingClock
) -> None:
    await ledger.sell()
    clock.skip(SEAL_AFTER_S + 1)
    await sealer.seal_due()
    # So soon after the first that its process keeps silent.
    await ledger.sell()

    clock.skip(SEAL_AFTER_S + 1)
    await sealer.seal_due()

    assert [block.height for block in await ledger.blocks()] == [1, 2]
    assert TELL_SEALER_EVERY_S < SEAL_AFTER_S


async def test_commits_of_a_busy_tenant_tell_once(ledger: Proven, redis_client: redis.asyncio.Redis) -> None:
    await ledger.sell()
    first = await waiting(redis_client)
    await redis_client.delete(SEALING)

    await ledger.sell(3)

    assert set(first) == {str(ledger.tenant.id)}
    assert await waiting(redis_client) == {}


async def test_a_busy_tenants_head_is_kept_after_a_while_and_not_each_time(
    sealer: Sealer, ledger: Proven, clock: MovingClock, owner: OwnerDatabase
) -> None:
    for _ in range(3):
        await ledger.sell()
        clock.skip(SEAL_AFTER_S + 1)
        await sealer.seal_due()
    assert [kept.height for kept in await heads(owner)] == [1]

    clock.skip(HEAD_EVERY.total_seconds())
    await sealer.seal_due()

    assert [kept.height for kept in await heads(owner)] == [1, 3]


async def test_nothing_is_signed_on_top_of_a_history_that_was_rewritten(
    sealer: Sealer, ledger: Proven, clock: MovingClock, owner: OwnerDatabase, postgres: PostgresServer
) -> None:
    await ledger.sell()
    clock.skip(SEAL_AFTER_S + 1)
    await sealer.seal_due()
    await tamper(postgres, ledger, "DELETE FROM ledger_blocks")
    await ledger.sell()
    await ledger.seal_all(transfers_max=1)

    clock.skip(HEAD_EVERY.total_seconds() + 1)
    await sealer.seal_due()

    assert [block.total_count for block in await ledger.blocks()] == [1, 2]
    assert [kept.height for kept in await heads(owner)] == [1]
    async with owner.reading() as session:
        (alert,) = await session.scalars(select(PlatformAlert))
    assert (alert.kind, alert.tenant_id) == ("history_rewritten", ledger.tenant.id)
    async with ledger.tenant.reading() as session:
        assert await session.scalar(select(Alert.kind)) == "history_rewritten"


async def test_a_tenant_whose_sealer_died_comes_again(
    sealer: Sealer, ledger: Proven, clock: MovingClock, redis_client: redis.asyncio.Redis
) -> None:
    await ledger.sell()
    clock.skip(SEAL_AFTER_S + 1)
    now = int(clock().timestamp())
    # What a sealer leaves that was killed after it had taken the tenant.
    await redis_client.zadd(SEALING, {str(ledger.tenant.id): now + LEASE_S})

    await sealer.seal_due()
    assert await ledger.blocks() == []
    clock.skip(LEASE_S)
    await sealer.seal_due()

    assert [block.height for block in await ledger.blocks()] == [1]


async def test_a_tenant_that_can_not_be_reached_comes_again_and_hides_no_other(
    sealer: Sealer, ledger: Proven, second_tenant: Tenant, clock: MovingClock, registry: Registry
) -> None:
    other = await new_ledger(second_tenant)
    await ledger.sell()
    await other.sell()
    registry.set_status(ledger.tenant.id, TenantStatus.MOVING)
    clock.skip(SEAL_AFTER_S + 1)

    await sealer.seal_due()
    registry.set_status(ledger.tenant.id, TenantStatus.ACTIVE)
    assert (len(await ledger.blocks()), len(await other.blocks())) == (0, 1)
    clock.skip(SEAL_AFTER_S + 1)
    await sealer.seal_due()

    assert len(await ledger.blocks()) == 1


async def test_a_sweep_finds_what_no_commit_told_of(
    *,
    sealer: Sealer,
    ledger: Proven,
    signals: FrailSignals,
    clock: MovingClock,
    owner: OwnerDatabase,
    sweeping: Tenants,
    redis_client: redis.asyncio.Redis,
) -> None:
    signals.is_cut = True
    await ledger.sell()
    assert await waiting(redis_client) == {}

    await Sweeper(owner, sweeping, redis_client, clock).sweep_all()
    await sealer.seal_due()

    assert len(await ledger.blocks()) == 1


async def test_a_commit_during_a_visit_is_not_forgotten_with_it(
    sealer: Sealer, ledger: Proven, clock: MovingClock, redis_client: redis.asyncio.Redis
) -> None:
    await ledger.sell()
    await ledger.seal_all()
    clock.skip(SEAL_AFTER_S + 1)
    lease = int(clock().timestamp()) + LEASE_S
    await redis_client.zadd(SEALING, {str(ledger.tenant.id): lease - LEASE_S})
    soon = lease - 100

    async with ledger.tenant.transaction() as holder:
        await holder.execute(TURN)
        running = asyncio.ensure_future(sealer.seal_due())
        await stand_still(ledger.tenant, running)
        # Another process' commit.
        await redis_client.zadd(SEALING, {str(ledger.tenant.id): soon}, lt=True)
    await running

    assert await waiting(redis_client) == {str(ledger.tenant.id): soon}
