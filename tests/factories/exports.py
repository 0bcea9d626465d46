"""Exports, from the order to the file."""

from datetime import datetime, timedelta
from uuid import UUID

from core.clock import utc_now
from core.currency import Currency
from core.ids import new_id
from core.money import Money
from core.periods import Period
from jobs.exports import make_export
from jobs.work import Result, Work
from tenancy.context import Services
from tenancy.sessions import Tenant
from tenant_db.exports.fetching import parts, ready_export
from tenant_db.exports.models import Export
from tenant_db.exports.requesting import NewExport, request_export
from tenant_db.exports.rules import ExportFormat, ExportKind
from tenant_db.exports.sources import Subject
from tenant_db.ledger.accounts import Holding, available, holding, open_accounts
from tenant_db.ledger.commands import NewTransfer
from tenant_db.ledger.posting import post
from tenant_db.ledger.rules import TransferKind

YEAR = timedelta(days=365)


async def sell(tenant: Tenant, store_id: UUID, count: int = 1, reference: str = "pay_1") -> UUID:
    """So many sales of KES 12.50 by a store; gives its ledger account."""
    place = Holding.of_channel(new_id())
    async with tenant.transaction() as session:
        source, target = await open_accounts(
            session, holding(place, Currency.KES), available(store_id, place, Currency.KES)
        )
        for _ in range(count):
            amount, key = Money(1_250, Currency.KES), f"sale:{new_id()}"
            await post(session, NewTransfer(source, target, amount, TransferKind.SALE, reference, key))
    return target


def new_export(
    subject: Subject,
    kind: ExportKind = ExportKind.STATEMENT,
    format: ExportFormat = ExportFormat.CSV,
    now: datetime | None = None,
) -> NewExport:
    """An order for the last year."""
    now = now or utc_now()
    return NewExport(kind, format, subject, Period(now - YEAR, now + YEAR), f"user:{new_id()}")


async def order(tenant: Tenant, new: NewExport) -> Export:
    async with tenant.transaction() as session:
        return await request_export(session, new, utc_now())


def work_on(services: Services, tenant: Tenant, export: Export, attempt: int = 1) -> Work:
    """A run of an export's job."""
    return Work(services, tenant, new_id(), "make_export", {"export_id": str(export.id)}, attempt)


async def make(services: Services, tenant: Tenant, export: Export) -> Result:
    return await make_export(work_on(services, tenant, export))


async def export_of(tenant: Tenant, id: UUID) -> Export:
    async with tenant.reading() as session:
        return await session.get_one(Export, id)


async def file_of(tenant: Tenant, id: UUID) -> bytes:
    """The content of an export that is ready."""
    async with tenant.reading() as session:
        export = await ready_export(session, id, utc_now())
    return b"".join([part async for part in parts(tenant, export)])
