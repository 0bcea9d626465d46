"""Long statements are imported by a job: in batches, resumed after a crash, refused as a whole."""

from uuid import UUID

import pytest
from sqlalchemy import func, select

from core.clock import utc_now
from core.ids import new_id
from jobs import statements
from jobs.statements import KIND, import_statement
from jobs.work import Dead, Done, Work
from tenancy.context import Services
from tenancy.sessions import Tenant
from tenant_db.statements.importing import (
    NewImport,
    begin_import,
    planned_import,
    read_statement,
    statement_place,
    store_lines,
)
from tenant_db.statements.models import StatementImport, StatementLine
from tenant_db.statements.pairing import Tolerance
from tenant_db.statements.rules import StatementProvider
from tests.factories.payments import Shop, make_shop
from tests.factories.reconciliation import pay
from tests.factories.statements import mpesa, receipt_row


@pytest.fixture
async def shop(tenant: Tenant) -> Shop:
    return await make_shop(tenant)


def rows(count: int) -> list[str]:
    return [receipt_row(f"TL{number:08}", "1.00") for number in range(count)]


async def left(tenant: Tenant, shop: Shop, content: bytes) -> UUID:
    """An import whose job has not run yet."""
    new = NewImport(StatementProvider.MPESA, shop.channel_id, None, content, "long.csv", Tolerance(0, 3))
    async with tenant.transaction() as session:
        place = await statement_place(session, new.provider, new.channel_id, None)
        row = planned_import(new, place, new_id())
        session.add(row)
    return row.id


async def found(tenant: Tenant, id: UUID) -> StatementImport:
    async with tenant.reading() as session:
        return await session.get_one(StatementImport, id)


async def stored(tenant: Tenant) -> int:
    async with tenant.reading() as session:
        return await session.scalar(select(func.count()).select_from(StatementLine)) or 0


def work(services: Services, tenant: Tenant, id: UUID) -> Work:
    return Work(services, tenant, new_id(), KIND, {"import_id": str(id)}, 1)


async def test_a_long_file_is_stored_batch_by_batch_and_matched(
    services: Services, tenant: Tenant, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "BATCH", 10)
    payment = await pay(tenant, shop, "TKX0000001")
    at = f"{payment.created_at:%d-%m-%Y %H:%M:%S}"
    content = mpesa(*rows(24), receipt_row("TKX0000001", "1,500.00", at=at), "short")
    id_ = await left(tenant, shop, content)

    for _ in range(2):
        assert await import_statement(work(services, tenant, id_)) == Done()

    row = await found(tenant, id_)
    assert (row.state, row.row_count, row.done_count, row.error_count) == ("done", 26, 26, 1)
    assert (row.imported_count, row.duplicate_count, row.matched_count) == (25, 0, 1)
    assert (row.content, await stored(tenant)) == (None, 25)


async def test_a_run_after_a_crash_goes_on_where_the_last_one_was(
    services: Services, tenant: Tenant, shop: Shop
) -> None:
    content = mpesa(*rows(30))
    id_ = await left(tenant, shop, content)
    async with tenant.transaction() as session:
        row = await session.get_one(StatementImport, id_)
        place = await statement_place(session, row.provider, row.channel_id, None)
        parsed = read_statement(StatementProvider.MPESA, content, place)
        begin_import(row, parsed)
        await store_lines(session, row, parsed.lines[:12], utc_now())
    assert (await found(tenant, id_)).done_count == 12

    assert await import_statement(work(services, tenant, id_)) == Done()

    row = await found(tenant, id_)
    assert (row.state, row.imported_count, row.duplicate_count) == ("done", 30, 0)


async def test_a_file_that_is_no_statement_is_refused_with_its_reason(
    services: Services, tenant: Tenant, shop: Shop
) -> None:
    id_ = await left(tenant, shop, mpesa(*rows(3), short_code="600999"))

    assert await import_statement(work(services, tenant, id_)) == Done()

    row = await found(tenant, id_)
    assert (row.state, row.content, await stored(tenant)) == ("refused", None, 0)
    assert "600999" in row.errors["rows"][0][2]


async def test_an_import_that_was_never_written_is_given_up(services: Services, tenant: Tenant) -> None:
    assert await import_statement(work(services, tenant, new_id())) == Dead(
        "the import was never written here"
    )
