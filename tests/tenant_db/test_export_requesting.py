"""Orders of files: what is too much or of nothing is refused at once."""

import asyncio
from datetime import timedelta

import pytest

from core.clock import utc_now
from core.errors import InvalidInput, NotFound
from core.ids import new_id
from core.periods import Period
from tenancy.sessions import Tenant
from tenant_db.exports import rules
from tenant_db.exports.errors import ExportTooLarge, TooManyExports
from tenant_db.exports.models import Export
from tenant_db.exports.requesting import NewExport
from tenant_db.exports.rules import RUNNING_MAX, ExportFormat, ExportKind
from tenant_db.exports.sources import Subject
from tests.factories.exports import new_export, order, sell
from tests.factories.stores import make_store


def test_a_report_is_of_a_store_or_of_everything_and_not_too_long() -> None:
    now = utc_now()
    short, long = Period(now - timedelta(days=1), now), Period(now - timedelta(days=401), now)

    for subject, period in ((Subject(account_id=new_id()), short), (Subject(), long)):
        with pytest.raises(InvalidInput):
            NewExport(ExportKind.REPORT, ExportFormat.CSV, subject, period, "user:tests")


async def test_rivals_do_not_order_more_than_that(tenant: Tenant) -> None:
    orders = [order(tenant, new_export(Subject(), ExportKind.TRANSACTIONS)) for _ in range(2 * RUNNING_MAX)]

    results = await asyncio.gather(*orders, return_exceptions=True)

    assert sum(isinstance(result, Export) for result in results) == RUNNING_MAX
    assert sum(isinstance(result, TooManyExports) for result in results) == RUNNING_MAX


@pytest.mark.parametrize(
    ("kind", "whose"),
    [(ExportKind.STATEMENT, "store"), (ExportKind.TRANSACTIONS, "store"), (ExportKind.TRANSACTIONS, "all")],
)
async def test_what_is_too_large_is_refused_at_once(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch, kind: ExportKind, whose: str
) -> None:
    store = await make_store(tenant)
    await sell(tenant, store.id, 4)
    monkeypatch.setitem(rules.ROWS_MAX, ExportFormat.PDF, 3)
    subject = Subject(store_id=store.id) if whose == "store" else Subject()

    with pytest.raises(ExportTooLarge):
        await order(tenant, new_export(subject, kind, ExportFormat.PDF))

    await order(tenant, new_export(subject, kind, ExportFormat.CSV))


async def test_nothing_is_ordered_of_what_is_not_there(tenant: Tenant) -> None:
    for subject in (Subject(account_id=new_id()), Subject(store_id=new_id())):
        with pytest.raises(NotFound):
            await order(tenant, new_export(subject))
