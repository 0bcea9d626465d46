"""Which tenants are served, and to whom."""

from dataclasses import replace
from uuid import UUID

import pytest

from core.ids import new_id
from core.tenant import TenantStatus
from tenancy.directory import CachedDirectory
from tenancy.engines import TenantEngines, Tenants
from tenancy.errors import (
    TenantMigrating,
    TenantNotServed,
    TenantSuspended,
    TenantUnavailable,
    TenantUnknown,
)
from tenancy.tenant_ref import TenantRef
from tests.conftest import RecordedSignals
from tests.factories.tenants import tenant_ref

REF = tenant_ref("postgresql+asyncpg://nobody@", "t_1")


def tenants_with(ref: TenantRef, too_old: frozenset[str] = frozenset()) -> Tenants:
    async def load(tenant_id: UUID) -> TenantRef | None:
        return ref if tenant_id == ref.id else None

    return Tenants(CachedDirectory(load), TenantEngines(1), RecordedSignals(), too_old=too_old)


async def test_an_active_tenant_is_served() -> None:
    assert (await tenants_with(REF).find(REF.id)).ref == REF


async def test_nobody_is_served_as_an_unknown_tenant() -> None:
    with pytest.raises(TenantUnknown):
        await tenants_with(REF).find(new_id())


@pytest.mark.parametrize(
    ("status", "refusal"),
    [
        (TenantStatus.SUSPENDED, TenantSuspended),
        (TenantStatus.DELETED, TenantUnknown),
        (TenantStatus.REQUESTED, TenantUnavailable),
        (TenantStatus.DATABASE_CREATED, TenantUnavailable),
        (TenantStatus.GRANTED, TenantUnavailable),
        (TenantStatus.VERIFIED, TenantUnavailable),
        (TenantStatus.MOVING, TenantUnavailable),
        (TenantStatus.CLOSING, TenantUnavailable),
        (TenantStatus.FAILED, TenantUnavailable),
    ],
)
async def test_a_tenant_that_is_not_active_is_refused_by_its_status(
    status: TenantStatus, refusal: type[TenantNotServed]
) -> None:
    with pytest.raises(TenantNotServed) as refused:
        await tenants_with(replace(REF, status=status)).find(REF.id)

    assert type(refused.value) is refusal


async def test_a_schema_that_this_code_does_not_serve_is_refused() -> None:
    with pytest.raises(TenantMigrating):
        await tenants_with(replace(REF, revision="1"), frozenset({"0", "1"})).find(REF.id)

    assert await tenants_with(replace(REF, revision="2"), frozenset({"0", "1"})).find(REF.id)


@pytest.mark.parametrize("status", [TenantStatus.ACTIVE, TenantStatus.SUSPENDED, TenantStatus.CLOSING])
async def test_money_under_way_settles_in_a_tenant_that_takes_no_new(status: TenantStatus) -> None:
    found = await tenants_with(replace(REF, status=status)).for_job(REF.id, REF.epoch)

    assert found.id == REF.id


@pytest.mark.parametrize("status", [TenantStatus.MOVING, TenantStatus.FAILED, TenantStatus.REQUESTED])
async def test_a_job_waits_for_a_tenant_that_has_no_database_to_work_on(status: TenantStatus) -> None:
    with pytest.raises(TenantUnavailable):
        await tenants_with(replace(REF, status=status)).for_job(REF.id, REF.epoch)


async def test_a_job_of_another_epoch_is_refused() -> None:
    for epoch in (REF.epoch - 1, REF.epoch + 1):
        with pytest.raises(TenantUnavailable):
            await tenants_with(REF).for_job(REF.id, epoch)


async def test_a_job_of_a_newer_epoch_than_remembered_looks_again() -> None:
    current = REF

    async def load(_: UUID) -> TenantRef:
        return current

    tenants = Tenants(CachedDirectory(load), TenantEngines(1), RecordedSignals())
    await tenants.find(REF.id)
    current = replace(REF, epoch=REF.epoch + 1)

    assert (await tenants.for_job(REF.id, current.epoch)).ref == current
