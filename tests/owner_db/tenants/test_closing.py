"""A tenant is closed only when nothing is open, and its database dropped only when it may be."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import func, select

from core.clock import utc_now
from core.ids import new_id
from core.tenant import TenantStatus
from owner_db.audit.models import OwnerAudit
from owner_db.tenants import closing, purging, suspending
from owner_db.tenants.closing import RETENTION, past_retention
from owner_db.tenants.errors import RetentionNotOver, StepNotPossible, TenantHasOpenMatters, TenantNotFound
from owner_db.tenants.models import HookEndpoint, ShortCode, Tenant, TenantKey
from owner_db.tenants.purging import require_retention_over
from owner_db.users.models import Invitation
from server.embedded_roles import TENANT_ROLE
from tenancy.audit import OPERATOR
from tests.factories.registry import Registry

NOW = utc_now()


async def nothing(_: str) -> Sequence[str]:
    return []


async def one_payment(_: str) -> Sequence[str]:
    return ["1 payment is open"]


async def close(registry: Registry, tenant: Tenant, matters: closing.OpenMatters = nothing) -> Tenant:
    return await closing.close_tenant(
        registry.owner,
        registry.servers,
        tenant.id,
        actor=OPERATOR,
        reason="they asked for it",
        now=NOW,
        open_matters=matters,
        invalidate=registry.invalidate,
    )


async def purge(registry: Registry, tenant_id: UUID, matters: closing.OpenMatters = nothing) -> None:
    await purging.purge_tenant(
        registry.owner,
        registry.servers,
        tenant_id,
        actor=OPERATOR,
        reason="they asked for it",
        now=NOW,
        open_matters=matters,
        invalidate=registry.invalidate,
    )


async def test_a_closed_tenant_keeps_its_database(registry: Registry) -> None:
    tenant = await registry.active()

    await close(registry, tenant)

    row = await registry.read(tenant.id)
    assert (row.status, row.closing_at) == (TenantStatus.CLOSING, NOW)
    assert row.epoch > tenant.epoch
    assert tenant.database in await registry.databases()
    assert registry.invalidated[-1] == tenant.id


@pytest.mark.parametrize("status", [TenantStatus.ACTIVE, TenantStatus.SUSPENDED])
async def test_a_tenant_with_something_open_goes_on_as_before(
    registry: Registry, status: TenantStatus
) -> None:
    tenant = await registry.active()
    if status is TenantStatus.SUSPENDED:
        await suspend(registry, tenant)

    with pytest.raises(TenantHasOpenMatters, match="1 payment is open"):
        await close(registry, tenant, one_payment)

    row = await registry.read(tenant.id)
    assert (row.status, row.closing_at) == (status, None)


async def test_its_requests_are_refused_before_anybody_looks_at_what_is_open(registry: Registry) -> None:
    tenant = await registry.active()
    seen: list[str] = []

    async def look(_: str) -> Sequence[str]:
        seen.append((await registry.read(tenant.id)).status)
        return []

    await close(registry, tenant, look)

    assert seen == [TenantStatus.CLOSING]


async def test_closing_twice_is_closing_once(registry: Registry) -> None:
    tenant = await registry.active()

    await close(registry, tenant)
    await close(registry, tenant)

    async with registry.owner.reading() as session:
        rows = (await session.scalars(select(OwnerAudit).where(OwnerAudit.action == "close_tenant"))).all()
    assert [row.reason for row in rows] == ["they asked for it"]


async def test_purging_drops_the_database_and_destroys_the_key(registry: Registry) -> None:
    tenant = await registry.active()
    async with registry.owner.transaction() as session:
        session.add(
            ShortCode(provider="mpesa", short_code="174379", tenant_id=tenant.id, channel_id=new_id())
        )
        session.add(HookEndpoint(token_hash=b"x" * 32, tenant_id=tenant.id, provider="mpesa", purpose="stk"))
        session.add(Invitation(tenant_id=tenant.id, email="a@b.example", role="viewer", expires_at=NOW))
    await close(registry, tenant)

    await purge(registry, tenant.id)

    assert (await registry.read(tenant.id)).status == TenantStatus.DELETED
    assert tenant.database not in await registry.databases()
    async with registry.owner.reading() as session:
        for model in (TenantKey, ShortCode):
            count = select(func.count()).select_from(model).where(model.tenant_id == tenant.id)
            assert await session.scalar(count) == 0
        for held in (HookEndpoint, Invitation):
            assert (await session.scalars(select(held.revoked_at))).all() == [NOW]


async def test_an_active_tenant_is_never_purged(registry: Registry) -> None:
    tenant = await registry.active()

    with pytest.raises(StepNotPossible):
        await purge(registry, tenant.id)

    assert tenant.database in await registry.databases()


async def test_a_connection_that_somebody_holds_does_not_keep_the_database(registry: Registry) -> None:
    tenant = await registry.active()
    held = await registry.postgres.connect(TENANT_ROLE, tenant.database)
    await close(registry, tenant)

    await purge(registry, tenant.id)

    assert tenant.database not in await registry.databases()
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await held.execute("SELECT 1")


async def test_what_comes_up_after_the_closing_keeps_the_database_and_its_key(registry: Registry) -> None:
    tenant = await registry.active()
    await close(registry, tenant)

    with pytest.raises(TenantHasOpenMatters):
        await purge(registry, tenant.id, one_payment)

    connection = await registry.postgres.connect(TENANT_ROLE, tenant.database)
    await connection.close()
    async with registry.owner.reading() as session:
        assert await session.scalar(select(TenantKey.id).where(TenantKey.tenant_id == tenant.id)) is not None


async def test_nobody_writes_while_the_last_look_is_taken(registry: Registry) -> None:
    tenant = await registry.active()
    await close(registry, tenant)
    refusals: list[str | None] = []

    async def look(_: str) -> Sequence[str]:
        try:
            await registry.postgres.connect(TENANT_ROLE, tenant.database)
        except asyncpg.PostgresError as refusal:
            refusals.append(refusal.sqlstate)
        return []

    await purge(registry, tenant.id, look)

    assert refusals == ["42501"]


async def test_a_purge_that_was_broken_off_is_finished_by_the_next(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = await registry.active()
    await close(registry, tenant)

    async def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(purging, "_finish", crash)
        with pytest.raises(KeyboardInterrupt):
            await purge(registry, tenant.id)

    await purge(registry, tenant.id)

    assert (await registry.read(tenant.id)).status == TenantStatus.DELETED


async def test_retention_lasts_thirty_days_from_the_closing(registry: Registry) -> None:
    tenant = await close(registry, await registry.active())

    with pytest.raises(RetentionNotOver):
        require_retention_over(tenant, NOW + RETENTION - timedelta(seconds=1))
    require_retention_over(tenant, NOW + RETENTION)
    assert await past_retention(registry.owner, NOW + RETENTION - timedelta(seconds=1), limit=10) == []
    assert await past_retention(registry.owner, NOW + RETENTION, limit=10) == [tenant.id]


async def suspend(registry: Registry, tenant: Tenant) -> Tenant:
    return await suspending.suspend(
        registry.owner, tenant.id, actor=OPERATOR, reason="unpaid", invalidate=registry.invalidate
    )


async def resume(registry: Registry, tenant: Tenant) -> Tenant:
    return await suspending.resume(
        registry.owner, tenant.id, actor=OPERATOR, reason="paid", invalidate=registry.invalidate
    )


async def test_a_suspended_tenant_has_a_new_epoch_and_says_why(registry: Registry) -> None:
    tenant = await registry.active()

    suspended = await suspend(registry, tenant)

    assert (suspended.status, suspended.status_reason) == (TenantStatus.SUSPENDED, "unpaid")
    assert suspended.epoch == tenant.epoch + 1
    assert registry.invalidated[-1] == tenant.id


async def test_a_resumed_tenant_is_active_again(registry: Registry) -> None:
    tenant = await registry.active()
    await suspend(registry, tenant)

    resumed = await resume(registry, tenant)

    assert (resumed.status, resumed.status_reason) == (TenantStatus.ACTIVE, None)


async def test_steps_that_the_state_does_not_allow_are_refused(registry: Registry) -> None:
    tenant = await registry.active()
    with pytest.raises(StepNotPossible):
        await resume(registry, tenant)
    await close(registry, tenant)
    with pytest.raises(StepNotPossible):
        await resume(registry, tenant)
    with pytest.raises(StepNotPossible):
        await suspend(registry, tenant)


async def test_nobody_is_not_suspended(registry: Registry) -> None:
    with pytest.raises(TenantNotFound):
        await suspending.suspend(
            registry.owner, new_id(), actor=OPERATOR, reason="-", invalidate=registry.invalidate
        )
