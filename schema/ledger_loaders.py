"""What transfers, entries and accounts lead to, read in one query for each level of a document."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final, NamedTuple, TypeVar
from uuid import UUID

from strawberry.dataloader import DataLoader

from core.pages import Page, PageRequest
from resolvers import ledger
from tenancy.context import TenantContext
from tenant_db.ledger.balances import Counters
from tenant_db.ledger.entries import EntryView, Sides
from tenant_db.ledger.history import TransferView
from tenant_db.ledger.models import LedgerAccount

BATCH_MAX: Final = 200

Key = TypeVar("Key")
Found = TypeVar("Found")


class EntriesWanted(NamedTuple):
    """One page of one account's entries."""

    account_id: UUID
    request: PageRequest


class BalanceWanted(NamedTuple):
    """One account's balance at one instant."""

    account_id: UUID
    at: datetime


def accounts_loader(context: TenantContext) -> DataLoader[UUID, LedgerAccount | None]:
    return _loader(context, ledger.ledger_accounts_by_id)


def transfers_loader(context: TenantContext) -> DataLoader[UUID, TransferView | None]:
    return _loader(context, ledger.transfers_by_id)


def reversals_loader(context: TenantContext) -> DataLoader[UUID, TransferView | None]:
    """By the id of the transfer that is undone."""
    return _loader(context, ledger.reversals_of)


def hold_transfers_loader(context: TenantContext) -> DataLoader[UUID, TransferView | None]:
    """By the id of the hold that is posted."""
    return _loader(context, ledger.transfers_of_holds)


def sides_loader(context: TenantContext) -> DataLoader[Sides, Sequence[EntryView]]:
    """Both entries of a transfer, the source's first."""
    return _loader(context, ledger.entries_of_transfers)


def entries_loader(context: TenantContext) -> DataLoader[EntriesWanted, Page[EntryView]]:
    """Pages of accounts' entries: one query for all accounts that ask for the same page."""

    async def load(keys: list[EntriesWanted]) -> list[Page[EntryView]]:
        found: dict[EntriesWanted, Page[EntryView]] = {}
        for request in dict.fromkeys(key.request for key in keys):
            ids = [key.account_id for key in keys if key.request == request]
            pages = await ledger.entries_of_accounts(context, ids, request)
            found |= {EntriesWanted(id_, request): page for id_, page in pages.items()}
        return [found[key] for key in keys]

    return DataLoader(load_fn=load, max_batch_size=BATCH_MAX)


def balances_loader(context: TenantContext) -> DataLoader[BalanceWanted, Counters]:
    """Past balances: one query for all accounts at one instant."""

    async def load(keys: list[BalanceWanted]) -> list[Counters]:
        found: dict[BalanceWanted, Counters] = {}
        for at in dict.fromkeys(key.at for key in keys):
            ids = [key.account_id for key in keys if key.at == at]
            balances = await ledger.account_balances(context, ids, at)
            found |= {BalanceWanted(id_, at): counters for id_, counters in balances.items()}
        return [found[key] for key in keys]

    return DataLoader(load_fn=load, max_batch_size=BATCH_MAX)


def _loader(
    context: TenantContext, read: Callable[[TenantContext, Sequence[Key]], Awaitable[list[Found]]]
) -> DataLoader[Key, Found]:
    async def load(keys: list[Key]) -> list[Found]:
        return await read(context, keys)

    return DataLoader(load_fn=load, max_batch_size=BATCH_MAX)
