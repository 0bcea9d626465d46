"""Entries as they are read back: an account's own, and both sides of a transfer."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import text

from core.currency import Currency
from core.errors import InvalidInput
from core.pages import Page, PageRequest
from tenancy.sessions import TenantSession
from tenant_db.ledger.rules import NormalSide

SEQUENCE_LIMIT: Final = 2**63


class EntryView(NamedTuple):
    """One account's side of a transfer."""

    account_id: UUID
    sequence: int
    created_at: datetime
    transfer_id: UUID
    side: NormalSide
    amount_minor: int
    balance_before_minor: int
    balance_after_minor: int
    currency: Currency

    @property
    def id(self) -> UUID:
        """Its sequence, in the form in which a cursor keeps its place."""
        return UUID(int=self.sequence)


class Sides(NamedTuple):
    """Where a transfer's two entries stand."""

    source_id: UUID
    source_sequence: int
    destination_id: UUID
    destination_sequence: int


async def entries_of_accounts(
    session: TenantSession, account_ids: Sequence[UUID], request: PageRequest
) -> dict[UUID, Page[EntryView]]:
    """The same page of each account's entries, the last sequence first.

    Raises:
        InvalidInput: the cursor is of another list.
    """
    values = {"ids": list(account_ids), "rows": request.first + 1, "after": _after(request)}
    pages: dict[UUID, list[EntryView]] = {id_: [] for id_ in account_ids}
    for row in await session.execute(text(_OF_ACCOUNTS), values):
        pages[row.account_id].append(_view(row))
    return {
        id_: Page(views[: request.first], has_next=len(views) > request.first) for id_, views in pages.items()
    }


async def entries_of_transfers(
    session: TenantSession, transfers: Sequence[Sides]
) -> list[Sequence[EntryView]]:
    """Both entries of each transfer, the source's first."""
    places = [
        place
        for sides in transfers
        for place in (
            (sides.source_id, sides.source_sequence),
            (sides.destination_id, sides.destination_sequence),
        )
    ]
    values = {"accounts": [place[0] for place in places], "sequences": [place[1] for place in places]}
    found = [_view(row) for row in await session.execute(text(_OF_SIDES), values)]
    by_place = {(view.account_id, view.sequence): view for view in found}
    views = [by_place[place] for place in places]
    return [views[number : number + 2] for number in range(0, len(views), 2)]


def _after(request: PageRequest) -> int:
    if request.after is None:
        return SEQUENCE_LIMIT - 1
    if request.after.id.int >= SEQUENCE_LIMIT:
        raise InvalidInput("after", "This is no cursor of this list. Take it from pageInfo.endCursor.")
    return request.after.id.int


def _view(row: Any) -> EntryView:  # noqa: ANN401 - a row of text()
    return EntryView(
        row.account_id,
        row.sequence,
        row.created_at,
        row.transfer_id,
        NormalSide(row.side),
        int(row.amount_minor),
        int(row.balance_before_minor),
        int(row.balance_after_minor),
        Currency(row.currency),
    )


_COLUMNS: Final = (
    "entry.account_id, entry.sequence, entry.created_at, entry.transfer_id, entry.side, entry.amount_minor,"
    " entry.balance_before_minor, entry.balance_after_minor, account.currency"
)
_OF_ACCOUNTS: Final = f"""
SELECT {_COLUMNS}
FROM ledger_accounts AS account CROSS JOIN LATERAL (
    SELECT * FROM ledger_entries
    WHERE account_id = account.id AND sequence < CAST(:after AS bigint)
    ORDER BY sequence DESC LIMIT CAST(:rows AS bigint)
) AS entry
WHERE account.id = ANY(CAST(:ids AS uuid[]))
ORDER BY entry.account_id, entry.sequence DESC"""  # noqa: S608 - constant names
_OF_SIDES: Final = f"""
SELECT {_COLUMNS}
FROM unnest(CAST(:accounts AS uuid[]), CAST(:sequences AS bigint[])) AS side (account_id, sequence)
JOIN ledger_entries AS entry USING (account_id, sequence)
JOIN ledger_accounts AS account ON account.id = entry.account_id"""  # noqa: S608 - constant names
