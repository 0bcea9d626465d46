"""A tenant's database is made by steps that can each be repeated, and is only served once it is verified."""

import asyncio

import asyncpg
import pytest

from core.tenant import TenantStatus
from owner_db.tenants import provisioning
from owner_db.tenants.errors import ProvisioningBusy, ProvisioningFailed
from owner_db.tenants.provisioning import CONCURRENT_MAX, give_up
from owner_db.tenants.slots import provisioning_slot
from server.embedded_roles import MAINTENANCE_DATABASE, MIGRATOR_ROLE, OWNER_ROLE, TENANT_ROLE
from tenancy.revisions import Which, head
from tenant_db.models import INSERT_ONLY
from tests.factories.registry import Registry

FORBIDDEN = "42501"
HISTORY_IS_KEPT = "23001"


class Crash(Exception):
    """Stands for the end of the process."""


async def test_a_requested_tenant_becomes_active(registry: Registry) -> None:
    tenant = await registry.register()

    status = await registry.provision(tenant.id)

    row = await registry.read(tenant.id)
    assert status == row.status == TenantStatus.ACTIVE
    assert row.revision == head(Which.TENANT)
    assert row.activated_at is not None
    assert registry.invalidated == [tenant.id]


async def test_the_database_says_whose_it_is(registry: Registry) -> None:
    tenant = await registry.active()

    connection = await registry.postgres.connect(TENANT_ROLE, tenant.database)
    try:
        assert await connection.fetchval("SELECT tenant_id FROM identity") == tenant.id
    finally:
        await connection.close()


@pytest.mark.parametrize("step", list(provisioning.STEPS))
async def test_a_crash_before_a_step_is_made_good_by_the_next_run(
    registry: Registry, step: TenantStatus, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = await registry.register()

    async def crash(_: object) -> None:
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(provisioning, "STEPS", {**provisioning.STEPS, step: crash})
        with pytest.raises(Crash):
            await registry.provision(tenant.id)
    assert (await registry.read(tenant.id)).status == step

    assert await registry.provision(tenant.id) == TenantStatus.ACTIVE


@pytest.mark.parametrize("step", list(provisioning.STEPS))
async def test_a_crash_after_a_step_but_before_its_commit_is_made_good(
    registry: Registry, step: TenantStatus, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = await registry.register()
    advance = provisioning._advance  # noqa: SLF001 - the moment between the deed and its record

    async def crash_at_step(
        run: object, before: TenantStatus, *rest: object, **values: object
    ) -> TenantStatus:
        if before is step:
            raise Crash
        return await advance(run, before, *rest, **values)  # type: ignore[arg-type] # passed through

    with monkeypatch.context() as patch:
        patch.setattr(provisioning, "_advance", crash_at_step)
        with pytest.raises(Crash):
            await registry.provision(tenant.id)

    assert await registry.provision(tenant.id) == TenantStatus.ACTIVE


async def test_a_run_on_an_active_tenant_changes_nothing(registry: Registry) -> None:
    tenant = await registry.active()

    assert await registry.provision(tenant.id) == TenantStatus.ACTIVE


async def test_three_databases_are_made_at_once_from_one_template(registry: Registry) -> None:
    tenants = [await registry.register() for _ in range(3)]

    done = await asyncio.gather(*(registry.provision(tenant.id) for tenant in tenants))

    assert done == [TenantStatus.ACTIVE] * 3


async def test_no_more_are_made_at_once_than_allowed(registry: Registry) -> None:
    tenants = [await registry.register() for _ in range(CONCURRENT_MAX + 1)]
    async with registry.servers.connect(registry.migrator_url) as busy:
        for slot in range(CONCURRENT_MAX):
            await busy.execute("SELECT pg_advisory_lock($1::int, $2::int)", 0x48A21A01, slot)

        with pytest.raises(ProvisioningBusy):
            await registry.provision(tenants[0].id)

    assert (await registry.read(tenants[0].id)).status == TenantStatus.REQUESTED
    assert await registry.provision(tenants[0].id) == TenantStatus.ACTIVE


async def test_two_processes_never_work_at_the_same_tenant(registry: Registry) -> None:
    tenant = await registry.register()
    async with (
        registry.servers.connect(registry.migrator_url) as other,
        provisioning_slot(other, tenant.id, 3),
    ):
        with pytest.raises(ProvisioningBusy):
            await registry.provision(tenant.id)


async def test_a_database_that_differs_from_its_template_is_dropped_and_said_why(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = await registry.register()
    grant = provisioning.STEPS[TenantStatus.DATABASE_CREATED]

    async def tamper(run: provisioning._Run) -> TenantStatus:
        status = await grant(run)
        async with registry.servers.connect(registry.migrator_url, tenant.database) as connection:
            await connection.execute("ALTER TABLE stores DROP COLUMN time_zone")
        return status

    monkeypatch.setattr(provisioning, "STEPS", {**provisioning.STEPS, TenantStatus.DATABASE_CREATED: tamper})
    with pytest.raises(ProvisioningFailed):
        await registry.provision(tenant.id)

    row = await registry.read(tenant.id)
    assert row.status == TenantStatus.FAILED
    assert "missing column stores.time_zone" in (row.status_reason or "")
    assert tenant.database not in await registry.databases()


async def test_giving_up_drops_the_half_made_database(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = await registry.register()

    async def crash(_: object) -> None:
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(provisioning, "STEPS", {**provisioning.STEPS, TenantStatus.GRANTED: crash})
        with pytest.raises(Crash):
            await registry.provision(tenant.id)
    assert tenant.database in await registry.databases()

    await give_up(
        registry.owner, registry.servers, tenant.id, "tried ten times", invalidate=registry.invalidate
    )

    assert tenant.database not in await registry.databases()
    assert (await registry.read(tenant.id)).status_reason == "tried ten times"


async def test_the_template_lets_nobody_in(registry: Registry) -> None:
    await registry.active()
    superuser = await registry.postgres.connect_as_superuser()
    try:
        name = f"tpl_{head(Which.TENANT)}"
        sessions = await superuser.fetchval("SELECT count(*) FROM pg_stat_activity WHERE datname = $1", name)
    finally:
        await superuser.close()

    assert sessions == 0
    with pytest.raises(asyncpg.PostgresError) as refusal:
        await registry.postgres.connect(MIGRATOR_ROLE, name)
    assert refusal.value.sqlstate == "55000"


async def test_the_tenants_role_reaches_tenant_databases_alone(registry: Registry) -> None:
    for database in (registry.owner.engine.url.database or "", "postgres", MAINTENANCE_DATABASE, "template1"):
        with pytest.raises(asyncpg.PostgresError) as refusal:
            await registry.postgres.connect(TENANT_ROLE, database)
        assert refusal.value.sqlstate == FORBIDDEN


async def test_the_owners_role_reaches_no_tenant_database(registry: Registry) -> None:
    tenant = await registry.active()

    with pytest.raises(asyncpg.PostgresError) as refusal:
        await registry.postgres.connect(OWNER_ROLE, tenant.database)
    assert refusal.value.sqlstate == FORBIDDEN


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_transfers SET amount_minor = 1",
        "DELETE FROM ledger_entries",
        "TRUNCATE payment_events",
        "UPDATE ledger_blocks SET total_count = 1",
        "DELETE FROM ledger_blocks",
        "TRUNCATE ledger_blocks",
        "TRUNCATE ledger_transfers, ledger_entries",
        "UPDATE audit_log SET action = ''",
        "UPDATE identity SET tenant_id = gen_random_uuid()",
        "CREATE TABLE mine (id int)",
        "ALTER TABLE stores ADD COLUMN mine int",
        "UPDATE alembic_version SET version_num = ''",
        "CREATE TEMPORARY TABLE mine (id int)",
    ],
)
async def test_the_tenants_role_can_not(registry: Registry, statement: str) -> None:
    tenant = await registry.active()
    connection = await registry.postgres.connect(TENANT_ROLE, tenant.database)
    try:
        with pytest.raises(asyncpg.PostgresError) as refusal:
            await connection.execute(statement)
    finally:
        await connection.close()

    assert refusal.value.sqlstate == FORBIDDEN


@pytest.mark.parametrize("table", sorted(INSERT_ONLY))
async def test_not_even_the_owner_of_the_tables_rewrites_history(registry: Registry, table: str) -> None:
    tenant = await registry.active()
    async with registry.servers.connect(registry.migrator_url, tenant.database) as connection:
        key = await connection.fetchval(
            "SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum = 1", table
        )
        for verb in ("UPDATE {0} SET {1} = {1}", "DELETE FROM {0}", "TRUNCATE {0} CASCADE"):
            with pytest.raises(asyncpg.PostgresError) as refusal:
                await connection.execute(verb.format(table, key))
            assert refusal.value.sqlstate == HISTORY_IS_KEPT
