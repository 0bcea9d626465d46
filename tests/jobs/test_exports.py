"""Exports are made part by part, whatever dies in between, and go when their time is over."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, select

import jobs.exports
from core.clock import utc_now
from core.periods import Period
from jobs.exports import GAVE_UP, MAKE_ATTEMPTS_MAX, expire_export, make_export
from jobs.work import Dead, Done, Later
from tenancy.context import Services
from tenancy.sessions import Tenant
from tenant_db.exports import sources, statement_rows, transfer_rows, writing
from tenant_db.exports.errors import ExportNotReady, TooManyExports
from tenant_db.exports.making import add_part, claim
from tenant_db.exports.models import Export, ExportPart
from tenant_db.exports.requesting import NewExport
from tenant_db.exports.rules import KEPT, RUNNING_MAX, ExportFormat, ExportKind
from tenant_db.exports.sources import Subject
from tests.factories.exports import export_of, file_of, make, new_export, order, sell, work_on
from tests.factories.stores import make_store
from tests.jobs.conftest import MovingClock


async def part_count(tenant: Tenant) -> int:
    async with tenant.reading() as session:
        return await session.scalar(select(func.count()).select_from(ExportPart)) or 0


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two rows are read at a time, and each of these is a part."""
    for module in (sources, statement_rows, transfer_rows):
        monkeypatch.setattr(module, "BATCH_ROWS", 2)
    monkeypatch.setattr(writing, "PART_BYTES", 1)


async def test_a_statement_becomes_a_file_that_can_be_fetched_for_some_days(
    services: Services, tenant: Tenant
) -> None:
    store = await make_store(tenant)
    account_id = await sell(tenant, store.id, 3)
    export = await order(tenant, new_export(Subject(account_id=account_id)))

    assert await make(services, tenant, export) == Done()

    made = await export_of(tenant, export.id)
    content = await file_of(tenant, export.id)
    assert (made.status, made.row_count, made.row_total, made.place) == ("ready", 3, 3, {})
    assert made.size_bytes == len(content)
    assert content.count(b"\r\n") == 1 + 1 + 3 + 1
    assert content.rstrip().endswith(b"37.50,0.00,37.50")
    assert made.expires_at is not None
    assert made.finished_at is not None
    assert made.expires_at - made.finished_at == KEPT
    assert made.file_name.startswith("statement-store-")


@pytest.mark.usefixtures("small_parts")
async def test_a_run_goes_on_after_the_last_part_of_one_that_died(services: Services, tenant: Tenant) -> None:
    store = await make_store(tenant)
    account_id = await sell(tenant, store.id, 5)
    whole = await order(tenant, new_export(Subject(account_id=account_id)))
    await make(services, tenant, whole)
    export = await order(tenant, new_export(Subject(account_id=account_id)))
    async with tenant.transaction() as session:
        claimed = await claim(session, export.id, utc_now())
    assert claimed is not None
    async with tenant.reading() as session:
        source = await writing.open_source(
            session, ExportKind.STATEMENT, Subject(account_id=account_id), period_of(claimed), {}
        )
    pieces = writing.csv_pieces(tenant, source, is_first=True)
    for number in range(2):
        piece = await anext(pieces)
        async with tenant.transaction() as session:
            assert await add_part(
                session,
                export.id,
                number,
                piece.content,
                row_count=piece.row_count,
                place=source.place(),
            )

    assert await make(services, tenant, export) == Done()

    assert lines(await file_of(tenant, export.id)) == lines(await file_of(tenant, whole.id))
    assert (await export_of(tenant, export.id)).row_count == 5


def period_of(export: Export) -> Period:
    return Period(export.since, export.before)


def lines(content: bytes) -> list[bytes]:
    """Without the balances, whose times differ as those of the orders do."""
    return [line for line in content.splitlines() if line.startswith(b"entry")]


@pytest.mark.usefixtures("small_parts")
async def test_a_long_file_is_made_in_several_runs(
    services: Services, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await make_store(tenant)
    await sell(tenant, store.id, 5)
    export = await order(tenant, new_export(Subject(store_id=store.id)))
    monkeypatch.setattr(jobs.exports, "RUN_S", -1.0)

    results = [await make(services, tenant, export) for _ in range(4)]

    assert [type(result) for result in results] == [Later, Later, Later, Done]
    assert len(lines(await file_of(tenant, export.id))) == 5


@pytest.mark.usefixtures("small_parts")
async def test_two_runs_at_once_make_one_file(services: Services, tenant: Tenant) -> None:
    store = await make_store(tenant)
    account_id = await sell(tenant, store.id, 9)
    export = await order(tenant, new_export(Subject(account_id=account_id)))

    await asyncio.gather(*(make(services, tenant, export) for _ in range(4)))

    made = await export_of(tenant, export.id)
    content = await file_of(tenant, export.id)
    assert (made.status, made.row_count) == ("ready", 9)
    assert len(set(lines(content))) == len(lines(content)) == 9
    assert made.size_bytes == len(content)


async def test_what_is_recorded_after_the_order_is_not_in_the_file(
    services: Services, tenant: Tenant
) -> None:
    store = await make_store(tenant)
    await sell(tenant, store.id, 2)
    export = await order(tenant, new_export(Subject(store_id=store.id)))
    await sell(tenant, store.id, 2)

    await make(services, tenant, export)

    assert len(lines(await file_of(tenant, export.id))) == 2


async def test_a_file_that_was_made_is_not_made_again(services: Services, tenant: Tenant) -> None:
    store = await make_store(tenant)
    export = await order(tenant, new_export(Subject(store_id=store.id)))
    await make(services, tenant, export)
    before = await export_of(tenant, export.id)

    assert await make(services, tenant, export) == Done()

    assert (await export_of(tenant, export.id)).version == before.version


@pytest.mark.parametrize("kind", [ExportKind.STATEMENT, ExportKind.TRANSACTIONS])
async def test_a_pdf_has_its_pages_numbered(services: Services, tenant: Tenant, kind: ExportKind) -> None:
    store = await make_store(tenant)
    await sell(tenant, store.id, 120, reference="pay_(1) café ☕")
    export = await order(tenant, new_export(Subject(store_id=store.id), kind, ExportFormat.PDF))

    assert await make(services, tenant, export) == Done()

    content = await file_of(tenant, export.id)
    made = await export_of(tenant, export.id)
    assert (made.status, made.row_count) == ("ready", 120)
    assert content.startswith(b"%PDF-")
    assert b"/Count 3" in content
    assert made.file_name.endswith(".pdf")


@pytest.mark.parametrize("format", list(ExportFormat))
async def test_a_report_adds_up_each_place(services: Services, tenant: Tenant, format: ExportFormat) -> None:
    store = await make_store(tenant)
    for count in (3, 1):
        await sell(tenant, store.id, count)
    subject, now = Subject(store_id=store.id), utc_now()
    period = Period(now - timedelta(days=30), now + timedelta(days=30))
    new = NewExport(ExportKind.REPORT, format, subject, period, "user:tests")
    export = await order(tenant, new)

    assert await make(services, tenant, export) == Done()

    content = await file_of(tenant, export.id)
    assert (await export_of(tenant, export.id)).row_count == 2
    if format is ExportFormat.CSV:
        rows = [line.split(b",")[2:] for line in content.splitlines()[1:]]
        assert sorted(rows) == [
            [b"KES", b"1", b"12.50", b"0.00", b"0.00", b"12.50"],
            [b"KES", b"3", b"37.50", b"0.00", b"0.00", b"37.50"],
        ]
    else:
        assert b"/Count 1" in content


async def test_a_pdf_of_nothing_says_so(services: Services, tenant: Tenant) -> None:
    export = await order(tenant, new_export(Subject(), ExportKind.TRANSACTIONS, ExportFormat.PDF))

    await make(services, tenant, export)

    assert b"/Count 1" in await file_of(tenant, export.id)


async def test_an_export_that_nobody_could_make_fails_and_says_so(services: Services, tenant: Tenant) -> None:
    export = await order(tenant, new_export(Subject(), ExportKind.TRANSACTIONS))

    result = await make_export(work_on(services, tenant, export, MAKE_ATTEMPTS_MAX))

    failed = await export_of(tenant, export.id)
    assert isinstance(result, Dead)
    assert (failed.status, failed.failure) == ("failed", GAVE_UP)


async def test_a_file_goes_when_its_time_is_over(
    services: Services, tenant: Tenant, clock: MovingClock
) -> None:
    export = await order(tenant, new_export(Subject(), ExportKind.TRANSACTIONS))
    await make(services, tenant, export)
    early = await expire_export(work_on(services, tenant, export))
    clock.ahead += KEPT + timedelta(seconds=1)

    late = await expire_export(work_on(services, tenant, export))

    assert isinstance(early, Later)
    assert KEPT.total_seconds() - 60 < early.delay_s <= KEPT.total_seconds()
    assert late == Done()
    assert (await export_of(tenant, export.id)).status == "expired"
    assert await part_count(tenant) == 0
    with pytest.raises(ExportNotReady):
        await file_of(tenant, export.id)


@pytest.mark.usefixtures("small_parts")
async def test_what_is_not_made_within_a_day_has_failed(
    services: Services, tenant: Tenant, clock: MovingClock
) -> None:
    export = await order(tenant, new_export(Subject(), ExportKind.TRANSACTIONS))
    early = await expire_export(work_on(services, tenant, export))
    clock.ahead += timedelta(days=1, seconds=1)

    late = await expire_export(work_on(services, tenant, export))

    assert isinstance(early, Later)
    assert late == Done()
    assert (await export_of(tenant, export.id)).status == "failed"


async def test_only_so_many_are_made_at_once(services: Services, tenant: Tenant) -> None:
    made = [await order(tenant, new_export(Subject(), ExportKind.TRANSACTIONS)) for _ in range(RUNNING_MAX)]

    with pytest.raises(TooManyExports):
        await order(tenant, new_export(Subject(), ExportKind.TRANSACTIONS))

    await make(services, tenant, made[0])
    await order(tenant, new_export(Subject(), ExportKind.TRANSACTIONS))
