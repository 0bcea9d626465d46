"""Takes the order for a file: who asks for too much is told at once, not by a job."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from core.errors import InvalidInput, NotFound
from core.ids import new_id
from core.periods import Period
from tenancy.sessions import TenantSession
from tenant_db.exports.errors import ExportTooLarge, TooManyExports
from tenant_db.exports.machine import OPEN, QUEUED
from tenant_db.exports.models import Export
from tenant_db.exports.rules import REPORT_MAX, ROWS_MAX, RUNNING_MAX, ExportFormat, ExportKind, file_name
from tenant_db.exports.sources import Subject
from tenant_db.exports.statement_rows import statements_of
from tenant_db.exports.transfer_rows import count_all, spans_of
from tenant_db.ledger.models import LedgerAccount
from tenant_db.ledger.reports import takings_by_place
from tenant_db.stores.models import Store

UTC_NAME: Final = "UTC"


@dataclass(frozen=True, slots=True)
class NewExport:
    """What a file shall tell.

    Raises:
        InvalidInput: a statement that is of nothing, a report of an account, or of too long a period.
    """

    kind: ExportKind
    format: ExportFormat
    subject: Subject
    period: Period
    requested_by: str
    """`{kind}:{id}` of the caller."""
    id: UUID = field(default_factory=new_id)

    def __post_init__(self) -> None:
        if self.subject.account_id is not None and self.subject.store_id is not None:
            raise InvalidInput("storeId", "Name a ledger account or a store, not both.")
        if self.kind is ExportKind.STATEMENT and self.subject == Subject():
            raise InvalidInput("accountId", "A statement is of one ledger account or of one store.")
        if self.kind is ExportKind.REPORT:
            self._guard_report()

    def _guard_report(self) -> None:
        if self.subject.account_id is not None:
            raise InvalidInput("accountId", "A report is of a store, or of the whole business.")
        if self.period.before - self.period.since > REPORT_MAX:
            raise InvalidInput("period", f"A report is of at most {REPORT_MAX.days} days.")


async def request_export(session: TenantSession, new: NewExport, now: datetime) -> Export:
    """Write the order for a job to carry out. What is still to come of its period is left out.

    Raises:
        NotFound: there is no such account or store.
        TooManyExports: RUNNING_MAX of them are not made yet.
        ExportTooLarge: it would have more rows than the format takes.
    """
    subject, period = new.subject, new.period.until(now)
    name, zone = await _named(session, subject)
    # Two orders at the same moment would each count the other out.
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("exports", 0))))
    running = select(func.count()).select_from(Export).where(Export.status.in_(OPEN))
    if (await session.scalar(running) or 0) >= RUNNING_MAX:
        raise TooManyExports(RUNNING_MAX)
    rows_max = ROWS_MAX[new.format]
    row_total = await _count(session, new.kind, subject, period, at_most=rows_max)
    if row_total > rows_max:
        raise ExportTooLarge(new.format.value, rows_max)
    export = Export(
        id=new.id,
        created_at=now,
        kind=new.kind.value,
        format=new.format.value,
        status=QUEUED.value,
        account_id=subject.account_id,
        store_id=subject.store_id,
        since=period.since,
        before=period.before,
        time_zone=zone,
        file_name=file_name(new.kind.value, name, *_days(period, zone), format=new.format),
        requested_by=new.requested_by,
        row_total=row_total,
    )
    session.add(export)
    await session.flush()
    return export


async def zone_of(session: TenantSession, subject: Subject) -> ZoneInfo:
    """In which zone the days of a subject begin: its store's; UTC where it has none.

    Raises:
        NotFound: there is no such account or store.
    """
    _, zone = await _named(session, subject)
    return ZoneInfo(zone)


async def _named(session: TenantSession, subject: Subject) -> tuple[str, str]:
    """A word for the file's name, and the time zone."""
    if subject.account_id is not None:
        found = await session.execute(
            select(LedgerAccount.code, Store.time_zone)
            .outerjoin(Store, Store.id == LedgerAccount.store_id)
            .where(LedgerAccount.id == subject.account_id)
        )
        what = "ledger account"
    elif subject.store_id is not None:
        found = await session.execute(select(Store.code, Store.time_zone).where(Store.id == subject.store_id))
        what = "store"
    else:
        return "all", UTC_NAME
    row = found.one_or_none()
    if row is None:
        raise NotFound(what)
    return row[0].partition(":")[0], row[1] or UTC_NAME


async def _count(
    session: TenantSession, kind: ExportKind, subject: Subject, period: Period, *, at_most: int
) -> int:
    if kind is ExportKind.STATEMENT:
        return sum(found.entry_count for found in await statements_of(session, subject, period))
    if kind is ExportKind.REPORT:
        return len(await takings_by_place(session, period, subject.store_id))
    if subject == Subject():
        return await count_all(session, period, at_most)
    return sum(span.entry_count for span in await spans_of(session, subject, period))


def _days(period: Period, zone: str) -> tuple[str, str]:
    """The first day and the last, in the subject's zone."""
    there = ZoneInfo(zone)
    last = period.before - period.before.resolution
    return f"{period.since.astimezone(there):%Y%m%d}", f"{last.astimezone(there):%Y%m%d}"
