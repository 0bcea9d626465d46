"""Sessions: what they refuse, and what they make of a database that changes under them."""

import asyncio

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import create_async_engine

from core.ids import new_id
from server.embedded_roles import MIGRATOR_ROLE
from tenancy.errors import TenantUnavailable, TransactionInterrupted
from tenancy.sessions import AfterCommit, Notice, OwnerDatabase, Tenant
from tenant_db.audit.models import TenantAudit
from tenant_db.stores.models import Store
from tests.conftest import RecordedSignals
from tests.databases import PostgresServer
from tests.factories.stores import make_store


async def test_a_reading_session_refuses_to_write(tenant: Tenant, owner: OwnerDatabase) -> None:
    for database in (tenant, owner):
        async with database.reading() as session:
            with pytest.raises(ValueError, match="writes nothing"):
                await session.execute(text("DELETE FROM outbox"))
    async with tenant.reading() as session:
        with pytest.raises(ValueError, match="writes nothing"):
            await session.execute(update(Store).values(name="x"))
        session.add(TenantAudit(actor_kind="system", action="test"))
        with pytest.raises(ValueError, match="writes nothing"):
            await session.flush()
        session.expunge_all()


async def test_what_a_transaction_leaves_is_told_only_after_its_commit(
    tenant: Tenant, signals: RecordedSignals
) -> None:
    notice = Notice("payments", {"id": "1"})
    with pytest.raises(LookupError):
        async with tenant.transaction() as session:
            session.after.notices.append(notice)
            raise LookupError
    assert signals.after == []

    async with tenant.transaction() as session:
        session.after.notices.append(notice)
        session.after.due["payments"] = 12.5

    assert signals.after == [AfterCommit([notice], {"payments": 12.5})]
    assert signals.before == signals.after


async def test_json_comes_back_as_it_was_written(tenant: Tenant) -> None:
    details = {"amount": 12, "list": [1, None, "é"], "nested": {"a": True}}
    async with tenant.transaction() as session:
        session.add(TenantAudit(actor_kind="system", action="test", details=details))

    async with tenant.reading() as session:
        assert await session.scalar(select(TenantAudit.details)) == details
        assert await session.scalar(select(TenantAudit.details["nested"]["a"].as_boolean())) is True


async def test_a_read_survives_a_migration_that_changes_a_type(
    tenant: Tenant, postgres: PostgresServer
) -> None:
    statement = text("SELECT name FROM widths")
    await _migrate(postgres, tenant, "CREATE TABLE widths (name varchar(8))")
    await _migrate(postgres, tenant, "GRANT SELECT ON widths TO hazina_tenant")
    async with tenant.reading() as session:
        assert (await session.execute(statement)).all() == []
        await _migrate(postgres, tenant, "ALTER TABLE widths ALTER name TYPE text")

        assert (await session.execute(statement)).all() == []


async def test_a_transaction_that_meets_a_migration_asks_to_be_sent_again(
    tenant: Tenant, postgres: PostgresServer
) -> None:
    statement = text("SELECT name FROM widths")
    await _migrate(postgres, tenant, "CREATE TABLE widths (name varchar(8))")
    await _migrate(postgres, tenant, "GRANT SELECT ON widths TO hazina_tenant")
    async with tenant.transaction() as session:
        await session.execute(statement)
    await _migrate(postgres, tenant, "ALTER TABLE widths ALTER name TYPE text")

    with pytest.raises(TransactionInterrupted):
        async with tenant.transaction() as session:
            await session.execute(statement)

    async with tenant.transaction() as session:
        assert (await session.execute(statement)).all() == []


async def test_a_deadlock_asks_to_be_sent_again(tenant: Tenant) -> None:
    first, second = await make_store(tenant, "one"), await make_store(tenant, "two")
    met = asyncio.Barrier(2)

    async def crossing(here: Store, there: Store) -> None:
        async with tenant.transaction() as session:
            await session.execute(select(Store).where(Store.id == here.id).with_for_update())
            await met.wait()
            await session.execute(select(Store).where(Store.id == there.id).with_for_update())

    ends = await asyncio.gather(crossing(first, second), crossing(second, first), return_exceptions=True)

    assert [type(end) for end in ends if end is not None] == [TransactionInterrupted]


async def test_a_cancelled_transaction_leaves_nothing_and_nothing_open(tenant: Tenant) -> None:
    has_written = asyncio.Event()

    def store() -> Store:
        return Store(id=new_id(), name="Kiosk", code="kiosk", time_zone="Africa/Nairobi")

    async def writing() -> None:
        async with tenant.transaction() as session:
            session.add(store())
            await session.flush()
            has_written.set()
            await session.execute(text("SELECT pg_sleep(60)"))

    task = asyncio.create_task(writing())
    await has_written.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    # The code is unique: this waits if the cancelled transaction still holds it.
    async with tenant.transaction() as session:
        session.add(store())


async def _migrate(postgres: PostgresServer, tenant: Tenant, statement: str) -> None:
    connection = await postgres.connect(MIGRATOR_ROLE, tenant.ref.database)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.mark.parametrize("host", ["127.0.0.1:1", "/nowhere"])
async def test_an_owner_database_that_can_not_be_reached_says_so(host: str) -> None:
    where = f"@{host}/x" if ":" in host else f"@/x?host={host}"
    engine = create_async_engine(f"postgresql+asyncpg://nobody{where}")
    owner = OwnerDatabase(engine, RecordedSignals())

    with pytest.raises(TenantUnavailable):
        async with owner.reading() as session:
            await session.execute(text("SELECT 1"))
    with pytest.raises(TenantUnavailable):
        async with owner.transaction() as session:
            await session.execute(text("SELECT 1"))
    await engine.dispose()
