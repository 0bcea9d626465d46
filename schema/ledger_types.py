"""Ledger accounts, transfers and entries as clients see them."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry
from strawberry.scalars import JSON
from strawberry.types import Info

import schema.ledger_enums  # noqa: F401 - gives the enums their descriptions
from core.currency import Currency
from core.ids import Kind, outside
from core.money import Money as CoreMoney
from schema.channel_types import shown_store
from schema.connections import After, Connection, First, Node, connection, page_request
from schema.ledger_loaders import (
    BalanceWanted,
    EntriesWanted,
    accounts_loader,
    balances_loader,
    entries_loader,
    reversals_loader,
    sides_loader,
    transfers_loader,
)
from schema.scalars import BigInt, Money
from schema.stores import Store
from tenancy.context import TenantContext
from tenant_db.ledger.balances import Counters
from tenant_db.ledger.entries import EntryView, Sides
from tenant_db.ledger.history import TransferView
from tenant_db.ledger.models import LedgerAccount as LedgerAccountRow
from tenant_db.ledger.models import Transfer as TransferModel
from tenant_db.ledger.results import Posted
from tenant_db.ledger.rules import Custody, NormalSide, TransferKind
from tenant_db.ledger.searching import TransferStatus

TransferRow = TransferView | TransferModel | Posted
"""A transfer that was read, or was posted just now."""

At = Annotated[
    datetime | None,
    strawberry.argument(
        description="An instant that has passed, such as 2026-01-31T21:00:00Z; left out, now. What was "
        "recorded at or before it counts. Of the last seconds, something may still be on its way."
    ),
]


@strawberry.type(
    description="One balance at one moment. Holds count from when they are placed to when they end."
)
class LedgerBalance:
    total: Money = strawberry.field(description="What is posted, on the account's normal side.")
    reserved: Money = strawberry.field(description="What pending holds will take.")
    pending: Money = strawberry.field(description="What pending holds will bring; it can't be taken yet.")
    available: Money = strawberry.field(description="total less reserved: what can be taken.")

    @classmethod
    def of(cls, counters: Counters) -> "LedgerBalance":
        return cls(
            total=Money.of(counters.total),
            reserved=Money.of(counters.reserved),
            pending=Money.of(counters.pending),
            available=Money.of(counters.available),
        )


@strawberry.type(description="One account's side of a transfer, with the balance that it found and left.")
class LedgerEntry:
    sequence: BigInt = strawberry.field(
        description="Its place among the account's entries: 1, 2, 3, … gap-free."
    )
    account_id: strawberry.ID = strawberry.field(description="The ledger account.")
    transfer_id: strawberry.ID = strawberry.field(description="The transfer.")
    side: NormalSide = strawberry.field(
        description="DEBIT for the transfer's source, CREDIT for its destination."
    )
    amount: Money = strawberry.field(description="How much moved; never negative.")
    balance_before: Money = strawberry.field(description="The account's balance that it found.")
    balance_after: Money = strawberry.field(description="The balance that it left.")
    created_at: datetime = strawberry.field(description="When it was recorded.")
    _transfer_id: strawberry.Private[UUID]

    @strawberry.field(description="The transfer of `transferId`.")
    async def transfer(self, info: Info[TenantContext, None]) -> "Transfer":
        view = await info.context.loader(transfers_loader).load(self._transfer_id)
        assert view is not None  # noqa: S101 - an entry is written with its transfer, and both stay
        return Transfer.of(view)

    @classmethod
    def of(cls, view: EntryView) -> "LedgerEntry":
        return cls(
            sequence=BigInt(view.sequence),
            account_id=account_shown(view.account_id),
            transfer_id=strawberry.ID(outside(Kind.TRANSFER, view.transfer_id)),
            side=view.side,
            amount=_money(view.amount_minor, view.currency),
            balance_before=_money(view.balance_before_minor, view.currency),
            balance_after=_money(view.balance_after_minor, view.currency),
            created_at=view.created_at,
            _transfer_id=view.transfer_id,
        )


@strawberry.type(description="One balance in the books. A busy one is split into shards: add them up.")
class LedgerAccount(Node):
    code: str = strawberry.field(
        description="What it is for: `holding:chan_…`, `store:store_…:available:chan_…`, `suspense:chan_…`."
    )
    currency: Currency = strawberry.field(description="What it counts.")
    shard: int = strawberry.field(description="Which part of its code's balance it is; 0 where it is all.")
    normal_side: NormalSide = strawberry.field(description="The side on which its balance grows.")
    custody: Custody | None = strawberry.field(description="Who holds the money; null where none lies here.")
    holding: strawberry.ID | None = strawberry.field(
        description="The place that the money lies at, such as chan_…; null where none lies here."
    )
    store_id: strawberry.ID | None = strawberry.field(description="The store whose money it is.")
    total: Money = strawberry.field(description="What is posted, on its normal side.")
    reserved: Money = strawberry.field(description="What pending holds will take.")
    pending: Money = strawberry.field(description="What pending holds will bring.")
    available: Money = strawberry.field(description="total less reserved.")
    floor: Money | None = strawberry.field(description="What `available` may not fall below; null: no limit.")
    ceiling: Money | None = strawberry.field(
        description="What total and pending may not rise above; null: no limit."
    )
    entry_count: BigInt = strawberry.field(description="How many entries it has: the last one's sequence.")
    created_at: datetime = strawberry.field(description="When it was opened.")
    closed_at: datetime | None = strawberry.field(description="When it was closed; null while it is open.")
    _id: strawberry.Private[UUID]
    _store_id: strawberry.Private[UUID | None]

    @strawberry.field(description="The store of `storeId`; null without the scope stores:read.")
    async def store(self, info: Info[TenantContext, None]) -> Store | None:
        return None if self._store_id is None else await shown_store(info.context, self._store_id)

    @strawberry.field(description="Its balance now, or at a past instant.")
    async def balance(self, info: Info[TenantContext, None], at: At = None) -> LedgerBalance:
        if at is None:
            return LedgerBalance(
                total=self.total, reserved=self.reserved, pending=self.pending, available=self.available
            )
        wanted = BalanceWanted(self._id, at)
        return LedgerBalance.of(await info.context.loader(balances_loader).load(wanted))

    @strawberry.field(description="Its entries, the last one first.")
    async def entries(
        self, info: Info[TenantContext, None], first: First = 20, after: After = None
    ) -> Connection[LedgerEntry]:
        scope = info.context.tenant.id
        wanted = EntriesWanted(self._id, page_request(first, after, scope))
        page = await info.context.loader(entries_loader).load(wanted)
        return connection(page, LedgerEntry.of, scope, after=after)

    @classmethod
    def of(cls, row: LedgerAccountRow) -> "LedgerAccount":
        balance = LedgerBalance.of(Counters.of(row))
        return cls(
            id=account_shown(row.id),
            code=row.code,
            currency=row.currency,
            shard=row.shard,
            normal_side=NormalSide(row.normal_side),
            custody=None if row.custody is None else Custody(row.custody),
            holding=None if row.holding is None else strawberry.ID(row.holding),
            store_id=None if row.store_id is None else strawberry.ID(outside(Kind.STORE, row.store_id)),
            total=balance.total,
            reserved=balance.reserved,
            pending=balance.pending,
            available=balance.available,
            floor=None if row.floor_minor is None else _money(row.floor_minor, row.currency),
            ceiling=None if row.ceiling_minor is None else _money(row.ceiling_minor, row.currency),
            entry_count=BigInt(row.entry_count),
            created_at=row.created_at,
            closed_at=row.closed_at,
            _id=row.id,
            _store_id=row.store_id,
        )


@strawberry.type(description="One movement between two ledger accounts. It never changes.")
class Transfer(Node):
    source_id: strawberry.ID = strawberry.field(description="The ledger account that is debited.")
    destination_id: strawberry.ID = strawberry.field(description="The ledger account that is credited.")
    amount: Money = strawberry.field(description="How much moved.")
    kind: TransferKind = strawberry.field(description="What it is for.")
    reference: str = strawberry.field(description="What it is about, such as a payment's id.")
    reverses_id: strawberry.ID | None = strawberry.field(description="The transfer that it undoes.")
    hold_id: strawberry.ID | None = strawberry.field(description="The hold that it posts.")
    metadata: JSON = strawberry.field(description="What was attached to it; of a correction, its reason.")
    effective_at: datetime = strawberry.field(description="When it counts.")
    created_at: datetime = strawberry.field(description="When it was recorded.")
    _row: strawberry.Private[TransferRow]

    @strawberry.field(description="Whether it still counts.")
    async def status(self, info: Info[TenantContext, None]) -> TransferStatus:
        undoing = await info.context.loader(reversals_loader).load(self._row.id)
        return TransferStatus.POSTED if undoing is None else TransferStatus.REVERSED

    @strawberry.field(description="The transfer that undid it; null while it counts.")
    async def reversed_by(self, info: Info[TenantContext, None]) -> "Transfer | None":
        undoing = await info.context.loader(reversals_loader).load(self._row.id)
        return None if undoing is None else Transfer.of(undoing)

    @strawberry.field(description="Its two entries: the source's, then the destination's.")
    async def entries(self, info: Info[TenantContext, None]) -> list[LedgerEntry]:
        row = self._row
        sides = Sides(row.source_id, row.source_sequence, row.destination_id, row.destination_sequence)
        return [LedgerEntry.of(view) for view in await info.context.loader(sides_loader).load(sides)]

    @strawberry.field(description="The ledger account of `sourceId`, as it is now.")
    async def source(self, info: Info[TenantContext, None]) -> LedgerAccount | None:
        return await shown_account(info.context, self._row.source_id)

    @strawberry.field(description="The ledger account of `destinationId`, as it is now.")
    async def destination(self, info: Info[TenantContext, None]) -> LedgerAccount | None:
        return await shown_account(info.context, self._row.destination_id)

    @classmethod
    def of(cls, row: TransferRow) -> "Transfer":
        return cls(
            id=strawberry.ID(outside(Kind.TRANSFER, row.id)),
            source_id=account_shown(row.source_id),
            destination_id=account_shown(row.destination_id),
            amount=_money(row.amount_minor, row.currency),
            kind=TransferKind(row.kind),
            reference=row.reference,
            reverses_id=None
            if row.reverses_id is None
            else strawberry.ID(outside(Kind.TRANSFER, row.reverses_id)),
            hold_id=None if row.hold_id is None else strawberry.ID(outside(Kind.HOLD, row.hold_id)),
            metadata=JSON(row.details),
            effective_at=row.effective_at,
            created_at=row.created_at,
            _row=row,
        )


async def shown_account(context: TenantContext, id: UUID) -> LedgerAccount | None:
    """A ledger account that another type names. Raises Forbidden without ledger:read."""
    row = await context.loader(accounts_loader).load(id)
    return None if row is None else LedgerAccount.of(row)


def account_shown(id: UUID) -> strawberry.ID:
    return strawberry.ID(outside(Kind.LEDGER_ACCOUNT, id))


def _money(minor: int, currency: Currency) -> Money:
    return Money.of(CoreMoney(minor, currency))
