"""The books of a business: accounts, transfers, balances."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry
from strawberry.types import Info

from core.currency import Currency
from core.ids import Kind, inside, outside
from core.money import Money as CoreMoney
from resolvers import ledger
from schema.connections import After, Connection, First, Node, connection, page_request
from schema.scalars import Money, api_enum
from tenancy.context import TenantContext
from tenant_db.ledger.balances import Balance, HoldingBalance
from tenant_db.ledger.models import LedgerAccount as LedgerAccountRow
from tenant_db.ledger.models import Transfer as TransferRow
from tenant_db.ledger.rules import Custody, NormalSide, TransferKind

api_enum(
    NormalSide,
    "NormalSide",
    "The side on which a ledger account's balance grows.",
    {
        NormalSide.DEBIT: "Where money is, and what was spent: holdings, fees paid.",
        NormalSide.CREDIT: "Whose money it is: a store's available balance, suspense.",
    },
)
api_enum(
    Custody,
    "Custody",
    "Who holds the money itself.",
    {
        Custody.TENANT: "Your business, at its own provider account; it is paid out to you by the provider.",
        Custody.PLATFORM: "The platform, until you ask for a payout.",
    },
)
api_enum(
    TransferKind,
    "TransferKind",
    "What a transfer is for.",
    {
        TransferKind.SALE: "A payment came in.",
        TransferKind.PAYOUT: "Money left to the business.",
        TransferKind.FEE: "A provider's or the platform's fee.",
        TransferKind.REFUND: "Money went back to a payer.",
        TransferKind.ADJUSTMENT: "A correction, with its reason.",
        TransferKind.REVERSAL: "Undoes another transfer.",
        TransferKind.TRANSFER: "Moves money between your own accounts.",
        TransferKind.REWARD: "A loyalty reward.",
    },
)


@strawberry.type(description="One balance in the books.")
class LedgerAccount(Node):
    code: str = strawberry.field(
        description="What it is for: `holding:chan_…`, `store:store_…:available:chan_…`, `suspense:chan_…`."
    )
    currency: Currency = strawberry.field(description="What it counts.")
    normal_side: NormalSide = strawberry.field(description="The side on which its balance grows.")
    custody: Custody | None = strawberry.field(description="Who holds the money; null where none lies here.")
    total: Money = strawberry.field(description="What is posted, on its normal side.")
    reserved: Money = strawberry.field(description="What pending holds will take.")
    available: Money = strawberry.field(description="total less reserved.")
    created_at: datetime = strawberry.field(description="When it was opened.")
    closed_at: datetime | None = strawberry.field(description="When it was closed; null while it is open.")

    @classmethod
    def of(cls, row: LedgerAccountRow) -> "LedgerAccount":
        is_debit = row.normal_side == NormalSide.DEBIT
        net = row.posted_debits_minor - row.posted_credits_minor
        total = CoreMoney(net if is_debit else -net, row.currency)
        pending = row.pending_credits_minor if is_debit else row.pending_debits_minor
        reserved = CoreMoney(pending, row.currency)
        return cls(
            id=strawberry.ID(outside(Kind.LEDGER_ACCOUNT, row.id)),
            code=row.code,
            currency=row.currency,
            normal_side=NormalSide(row.normal_side),
            custody=None if row.custody is None else Custody(row.custody),
            total=Money.of(total),
            reserved=Money.of(reserved),
            available=Money.of(total - reserved),
            created_at=row.created_at,
            closed_at=row.closed_at,
        )


@strawberry.type(description="One movement between two ledger accounts. It never changes.")
class Transfer(Node):
    source_id: strawberry.ID = strawberry.field(description="The ledger account that is debited.")
    destination_id: strawberry.ID = strawberry.field(description="The ledger account that is credited.")
    amount: Money = strawberry.field(description="How much moved.")
    kind: TransferKind = strawberry.field(description="What it is for.")
    reference: str = strawberry.field(description="What it is about, such as a payment's id.")
    reverses_id: strawberry.ID | None = strawberry.field(description="The transfer that it undoes.")
    effective_at: datetime = strawberry.field(description="When it counts.")
    created_at: datetime = strawberry.field(description="When it was recorded.")

    @classmethod
    def of(cls, row: TransferRow) -> "Transfer":
        return cls(
            id=strawberry.ID(outside(Kind.TRANSFER, row.id)),
            source_id=strawberry.ID(outside(Kind.LEDGER_ACCOUNT, row.source_id)),
            destination_id=strawberry.ID(outside(Kind.LEDGER_ACCOUNT, row.destination_id)),
            amount=Money.of(CoreMoney(row.amount_minor, row.currency)),
            kind=TransferKind(row.kind),
            reference=row.reference,
            reverses_id=_maybe_transfer(row.reverses_id),
            effective_at=row.effective_at,
            created_at=row.created_at,
        )


def _maybe_transfer(id: UUID | None) -> strawberry.ID | None:
    return None if id is None else strawberry.ID(outside(Kind.TRANSFER, id))


@strawberry.type(description="What one store has at one place where money can be.")
class StoreHoldingBalance:
    holding: str = strawberry.field(description="The place: a channel's id, such as chan_….")
    custody: Custody = strawberry.field(description="Who holds the money.")
    total: Money = strawberry.field(description="What is posted.")
    reserved: Money = strawberry.field(description="What pending holds will take.")
    available: Money = strawberry.field(description="total less reserved.")

    @classmethod
    def of(cls, balance: HoldingBalance) -> "StoreHoldingBalance":
        return cls(
            holding=balance.holding,
            custody=balance.custody,
            total=Money.of(balance.total),
            reserved=Money.of(balance.reserved),
            available=Money.of(balance.available),
        )


@strawberry.type(description="What one store has in one currency, over all places.")
class StoreBalance:
    total: Money = strawberry.field(description="What is posted.")
    reserved: Money = strawberry.field(description="What pending holds will take.")
    available: Money = strawberry.field(description="total less reserved.")
    holdings: list[StoreHoldingBalance] = strawberry.field(description="The same for each place.")

    @classmethod
    def of(cls, balance: Balance) -> "StoreBalance":
        return cls(
            total=Money.of(balance.total),
            reserved=Money.of(balance.reserved),
            available=Money.of(balance.available),
            holdings=[StoreHoldingBalance.of(each) for each in balance.holdings],
        )


async def ledger_account_node(context: TenantContext, id: UUID) -> LedgerAccount | None:
    row = await ledger.ledger_account(context, id)
    return None if row is None else LedgerAccount.of(row)


async def transfer_node(context: TenantContext, id: UUID) -> Transfer | None:
    row = await ledger.transfer(context, id)
    return None if row is None else Transfer.of(row)


@strawberry.type(description="The books.")
class LedgerQueries:
    @strawberry.field(description="The ledger accounts, newest first. Needs ledger:read.")
    async def ledger_accounts(
        self, info: Info[TenantContext, None], first: First = 20, after: After = None
    ) -> Connection[LedgerAccount]:
        scope = info.context.tenant.id
        page = await ledger.ledger_accounts(info.context, page_request(first, after, scope))
        return connection(page, LedgerAccount.of, scope, after=after)

    @strawberry.field(description="The transfers, newest first. Needs ledger:read.")
    async def transfers(
        self, info: Info[TenantContext, None], first: First = 20, after: After = None
    ) -> Connection[Transfer]:
        scope = info.context.tenant.id
        page = await ledger.transfers(info.context, page_request(first, after, scope))
        return connection(page, Transfer.of, scope, after=after)

    @strawberry.field(
        description="What a store has, one row for each currency; empty until it earns, null if there is "
        "no such store. Needs ledger:read."
    )
    async def store_balance(
        self,
        info: Info[TenantContext, None],
        store_id: Annotated[strawberry.ID, strawberry.argument(description="Starts with store_.")],
    ) -> list[StoreBalance] | None:
        found = await ledger.store_balance(info.context, inside(Kind.STORE, store_id))
        return None if found is None else [StoreBalance.of(balance) for balance in found]
