"""The books of a business: accounts, transfers, holds, balances."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from core.currency import Currency
from core.errors import InvalidInput
from core.pages import Page, PageRequest
from resolvers.pages import page_of
from tenancy.context import TenantContext
from tenancy.roles import Scope
from tenant_db.ledger import balances, entries, history
from tenant_db.ledger.balances import Balance, Counters
from tenant_db.ledger.entries import EntryView, Sides
from tenant_db.ledger.history import Flow, TransferView
from tenant_db.ledger.models import LedgerAccount
from tenant_db.ledger.searching import TransferFilter
from tenant_db.stores.models import Store


async def ledger_accounts(
    context: TenantContext, request: PageRequest, store_id: UUID | None = None, place: str | None = None
) -> Page[LedgerAccount]:
    """Of one store or place, or all. Needs ledger:read."""
    context.require(Scope.LEDGER_READ)
    wanted = select(LedgerAccount)
    if store_id is not None:
        wanted = wanted.where(LedgerAccount.store_id == store_id)
    if place is not None:
        wanted = wanted.where(LedgerAccount.holding == place)
    async with context.tenant.reading() as session:
        return await page_of(session, wanted, LedgerAccount, request)


async def ledger_account(context: TenantContext, id: UUID) -> LedgerAccount | None:
    """Needs ledger:read. None: this business has no such ledger account."""
    return (await ledger_accounts_by_id(context, [id]))[0]


async def ledger_accounts_by_id(context: TenantContext, ids: Sequence[UUID]) -> list[LedgerAccount | None]:
    """In the order of `ids`. Needs ledger:read."""
    context.require(Scope.LEDGER_READ)
    async with context.tenant.reading() as session:
        found = await session.scalars(select(LedgerAccount).where(LedgerAccount.id.in_(ids)))
        by_id = {row.id: row for row in found}
    return [by_id.get(id_) for id_ in ids]


async def account_balances(
    context: TenantContext, ids: Sequence[UUID], at: datetime | None
) -> Mapping[UUID, Counters]:
    """Balances of accounts now, or at a past instant. Needs ledger:read.

    Raises:
        InvalidInput: the instant is still to come.
    """
    context.require(Scope.LEDGER_READ)
    _guard_past(context, at)
    async with context.tenant.reading() as session:
        return await balances.account_balances(session, ids, at)


async def ledger_balance(
    context: TenantContext, code: str, currency: Currency, at: datetime | None
) -> Counters | None:
    """The balance of an account with all its shards. Needs ledger:read. None: there is no such account.

    Raises:
        InvalidInput: the instant is still to come.
    """
    context.require(Scope.LEDGER_READ)
    _guard_past(context, at)
    async with context.tenant.reading() as session:
        ids = await session.scalars(
            select(LedgerAccount.id).where(LedgerAccount.code == code, LedgerAccount.currency == currency)
        )
        shards = list((await balances.account_balances(session, list(ids), at)).values())
    return sum(shards[1:], shards[0]) if shards else None


async def store_balance(
    context: TenantContext, store_id: UUID, at: datetime | None = None
) -> Sequence[Balance] | None:
    """What a store has, or had at a past instant, by currency. Needs ledger:read. None: no such store.

    Raises:
        InvalidInput: the instant is still to come.
    """
    context.require(Scope.LEDGER_READ)
    _guard_past(context, at)
    async with context.tenant.reading() as session:
        if await session.get(Store, store_id) is None:
            return None
        return await balances.store_balances(session, store_id, at)


async def entries_of_accounts(
    context: TenantContext, ids: Sequence[UUID], request: PageRequest
) -> Mapping[UUID, Page[EntryView]]:
    """The same page of each account's entries, newest first. Needs ledger:read."""
    context.require(Scope.LEDGER_READ)
    async with context.tenant.reading() as session:
        return await entries.entries_of_accounts(session, ids, request)


async def transfers(context: TenantContext, request: PageRequest, only: TransferFilter) -> Page[TransferView]:
    """Needs ledger:read. A page may be short: see `history.transfers`."""
    context.require(Scope.LEDGER_READ)
    async with context.tenant.reading() as session:
        return await history.transfers(session, only, request)


async def flows(context: TenantContext, only: TransferFilter) -> Sequence[Flow] | None:
    """What all transfers of a filter come to. Needs ledger:read. None: there are too many."""
    context.require(Scope.LEDGER_READ)
    async with context.tenant.reading() as session:
        return await history.flows(session, only)


async def transfer(context: TenantContext, id: UUID) -> TransferView | None:
    """Needs ledger:read. None: this business has no such transfer."""
    return (await transfers_by_id(context, [id]))[0]


async def transfers_by_id(context: TenantContext, ids: Sequence[UUID]) -> list[TransferView | None]:
    """In the order of `ids`. Needs ledger:read."""
    context.require(Scope.LEDGER_READ)
    async with context.tenant.reading() as session:
        found = await history.transfers_by_id(session, ids)
    return [found.get(id_) for id_ in ids]


async def reversals_of(context: TenantContext, ids: Sequence[UUID]) -> list[TransferView | None]:
    """What undid these transfers, in the order of `ids`. Needs ledger:read."""
    context.require(Scope.LEDGER_READ)
    async with context.tenant.reading() as session:
        found = await history.reversals_of(session, ids)
    return [found.get(id_) for id_ in ids]


async def transfers_of_holds(context: TenantContext, ids: Sequence[UUID]) -> list[TransferView | None]:
    """What posted these holds, in the order of `ids`. Needs ledger:read."""
    context.require(Scope.LEDGER_READ)
    async with context.tenant.reading() as session:
        found = await history.transfers_of_holds(session, ids)
    return [found.get(id_) for id_ in ids]


async def entries_of_transfers(
    context: TenantContext, transfers: Sequence[Sides]
) -> list[Sequence[EntryView]]:
    """Both entries of each transfer, the source's first. Needs ledger:read."""
    context.require(Scope.LEDGER_READ)
    async with context.tenant.reading() as session:
        return await entries.entries_of_transfers(session, transfers)


def _guard_past(context: TenantContext, at: datetime | None) -> None:
    if at is not None and at > context.services.clock():
        raise InvalidInput("at", "Send an instant that has passed, or leave it out for now.")
