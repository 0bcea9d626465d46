"""Statements of ledger accounts and of stores."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from core.currency import Currency
from core.errors import InvalidInput
from core.pages import Page, PageRequest
from core.periods import Period
from tenancy.context import TenantContext
from tenancy.roles import Scope
from tenancy.sessions import TenantSession
from tenant_db.exports.requesting import zone_of
from tenant_db.exports.sources import Subject
from tenant_db.ledger import statement_entries, statements
from tenant_db.ledger.statement_entries import Line
from tenant_db.ledger.statements import Statement, Turnover
from tenant_db.stores.models import Store


@dataclass(frozen=True, slots=True)
class WantedPeriod:
    """A period as people say it: two instants, or two days of the store's own zone.

    Raises:
        InvalidInput: it is neither, or both.
    """

    since: datetime | None = None
    before: datetime | None = None
    first_day: date | None = None
    last_day: date | None = None

    def __post_init__(self) -> None:
        instants = [at is not None for at in (self.since, self.before)]
        days = [day is not None for day in (self.first_day, self.last_day)]
        if not (all(instants) and not any(days)) and not (all(days) and not any(instants)):
            raise InvalidInput("period", "Send from and to, or firstDay and lastDay.")


async def resolved(session: TenantSession, subject: Subject, wanted: WantedPeriod) -> Period:
    """The instants of a period.

    Raises:
        NotFound: days were sent, and there is no such account or store that would say in which zone.
        InvalidInput: it ends before it has begun.
    """
    if wanted.since is not None and wanted.before is not None:
        return Period(wanted.since, wanted.before)
    assert wanted.first_day is not None and wanted.last_day is not None  # noqa: S101, PT018 - one of two
    return Period.of_days(wanted.first_day, wanted.last_day, await zone_of(session, subject))


async def account_statement(
    context: TenantContext, account_id: UUID, wanted: WantedPeriod
) -> Statement | None:
    """Needs ledger:read. None: this business has no such ledger account."""
    context.require(Scope.LEDGER_READ)
    subject = Subject(account_id=account_id)
    async with context.tenant.reading() as session:
        period = await resolved(session, subject, wanted)
        return await statements.account_statement(session, account_id, period)


async def store_statements(
    context: TenantContext, store_id: UUID, wanted: WantedPeriod, currency: Currency | None
) -> Sequence[Statement] | None:
    """By currency, or of one. Needs ledger:read. None: this business has no such store."""
    context.require(Scope.LEDGER_READ)
    async with context.tenant.reading() as session:
        if await session.get(Store, store_id) is None:
            return None
        period = await resolved(session, Subject(store_id=store_id), wanted)
        return await statements.store_statements(session, store_id, period, currency)


async def turnover(context: TenantContext, statement: Statement) -> Turnover:
    """What came in and what went out. Needs ledger:read."""
    context.require(Scope.LEDGER_READ)
    async with context.tenant.reading() as session:
        return await statements.turnover(session, statement)


async def lines(context: TenantContext, statement: Statement, request: PageRequest) -> Page[Line]:
    """One page of a statement's entries. Needs ledger:read."""
    context.require(Scope.LEDGER_READ)
    return await statement_entries.lines(context.tenant, statement, request)
