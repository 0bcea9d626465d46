"""Transfers as they are read back: pages and sums of what a filter finds."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import select, text

from core.currency import Currency
from core.money import Money
from core.pages import Cursor, Page, PageRequest
from tenancy.sessions import TenantSession
from tenant_db.ledger.models import LedgerAccount
from tenant_db.ledger.rules import HOLDING_PREFIX, NormalSide
from tenant_db.ledger.searching import COLUMNS, Search, TransferFilter

SEARCHES_MAX: Final = 2
"""Of one page: where a first one finds too few, a second one goes on."""
SUMMED_MAX: Final = 250_000
"""Transfers that one summary looks at: some tenths of a second."""


class TransferView(NamedTuple):
    """A transfer as it is shown: read without the ORM, for pages are a hot path."""

    id: UUID
    created_at: datetime
    source_id: UUID
    destination_id: UUID
    source_sequence: int
    destination_sequence: int
    amount_minor: int
    currency: Currency
    kind: str
    reference: str
    effective_at: datetime
    reverses_id: UUID | None
    hold_id: UUID | None
    details: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Flow:
    """What moved in one currency."""

    count: int
    """Of transfers, those between the measured accounts included."""
    incoming: Money
    outgoing: Money


async def transfers(session: TenantSession, only: TransferFilter, request: PageRequest) -> Page[TransferView]:
    """One page, newest first. It looks at a bounded number of transfers.

    So a page may be short although there are more: then `has_next` holds and `place` says where the
    search stopped.
    """
    accounts = await _named(session, only)
    if only.names_accounts and not accounts:
        return Page([], has_next=False)
    search = Search(only, accounts)
    page = await _searched(session, search, request)
    for _ in range(SEARCHES_MAX - 1):
        if page.place is None or len(page.rows) == request.first:
            break
        rest = PageRequest(request.first - len(page.rows), page.place)
        more = await _searched(session, search, rest)
        page = Page([*page.rows, *more.rows], more.has_next, more.place)
    return page


async def _searched(session: TenantSession, search: Search, request: PageRequest) -> Page[TransferView]:
    wanted = search.page(request)
    found = (await session.execute(text(wanted.sql), wanted.values)).all()
    views = [_view(row) for row in found[: request.first] if row.id is not None]
    if len(found) > request.first:
        return Page(views, has_next=True)
    cut_at, cut_id = found[0].cut_at, found[0].cut_id
    place = None if cut_id is None else Cursor(cut_at, cut_id)
    return Page(views, has_next=place is not None, place=place)


async def flows(session: TenantSession, only: TransferFilter) -> list[Flow] | None:
    """What all transfers of a filter come to, by currency in alphabetical order.

    `incoming` is what came into the accounts that the filter names, less what came from one of them;
    where it names none, into the places where money lies. None: there are more than SUMMED_MAX to look at.
    """
    accounts = await _named(session, only)
    if only.names_accounts and not accounts:
        return []
    debit, credit = await _measured(session, only)
    wanted = Search(only, accounts).sums(debit, credit, SUMMED_MAX)
    found = (await session.execute(text(wanted.sql), wanted.values)).all()
    if sum(row.examined for row in found) > SUMMED_MAX:
        return None
    return [_flow(row) for row in found if row.found > 0]


async def transfers_by_id(session: TenantSession, ids: Sequence[UUID]) -> Mapping[UUID, TransferView]:
    """Those of these ids that there are."""
    return {view.id: view for view in await _views(session, "id", ids)}


async def reversals_of(session: TenantSession, ids: Sequence[UUID]) -> Mapping[UUID, TransferView]:
    """By the id of the transfer that they undo."""
    found = await _views(session, "reverses_id", ids)
    return {view.reverses_id: view for view in found if view.reverses_id is not None}


async def transfers_of_holds(session: TenantSession, ids: Sequence[UUID]) -> Mapping[UUID, TransferView]:
    """By the id of the hold that they post."""
    found = await _views(session, "hold_id", ids)
    return {view.hold_id: view for view in found if view.hold_id is not None}


async def _views(session: TenantSession, column: str, ids: Sequence[UUID]) -> list[TransferView]:
    sql = f"SELECT {', '.join(COLUMNS)} FROM ledger_transfers WHERE {column} = ANY(CAST(:ids AS uuid[]))"  # noqa: S608 - constant names
    return [_view(row) for row in await session.execute(text(sql), {"ids": list(ids)})]


async def _named(session: TenantSession, only: TransferFilter) -> list[UUID]:
    """The accounts that a filter names, closed ones and shards included."""
    if not only.names_accounts:
        return []
    wanted = select(LedgerAccount.id)
    given = {
        LedgerAccount.store_id: only.store_id,
        LedgerAccount.holding: only.place,
        LedgerAccount.id: only.account_id,
    }
    for column, value in given.items():
        if value is not None:
            wanted = wanted.where(column == value)
    return list(await session.scalars(wanted))


async def _measured(session: TenantSession, only: TransferFilter) -> tuple[list[UUID], list[UUID]]:
    """The accounts whose growth is what came in: those that grow by debits, and by credits."""
    wanted = select(LedgerAccount.id, LedgerAccount.normal_side)
    if only.account_id is not None:
        wanted = wanted.where(LedgerAccount.id == only.account_id)
    elif only.store_id is not None:
        wanted = wanted.where(LedgerAccount.store_id == only.store_id)
    else:
        wanted = wanted.where(LedgerAccount.code.startswith(HOLDING_PREFIX))
    if only.place is not None:
        wanted = wanted.where(LedgerAccount.holding == only.place)
    sides: dict[str, list[UUID]] = {side.value: [] for side in NormalSide}
    for id_, side in await session.execute(wanted):
        sides[side].append(id_)
    return sides[NormalSide.DEBIT], sides[NormalSide.CREDIT]


def _view(row: Any) -> TransferView:  # noqa: ANN401 - a row of text()
    values = row[: len(COLUMNS)]
    return TransferView(*values)._replace(
        amount_minor=int(row.amount_minor),
        currency=Currency(row.currency),
        details=json.loads(row.details),
    )


def _flow(row: Any) -> Flow:  # noqa: ANN401 - a row of text()
    currency = Currency(row.currency)
    return Flow(row.found, Money(int(row.in_minor), currency), Money(int(row.out_minor), currency))
