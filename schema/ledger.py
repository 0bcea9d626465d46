"""The books of a business: accounts, transfers, balances, reports."""

from typing import Annotated
from uuid import UUID

import strawberry
from strawberry.types import Info

from core.ids import Kind, inside
from resolvers import ledger
from schema.connections import After, Connection, First, connection, page_request
from schema.ledger_balances import LedgerBalanceQueries, LedgerBalanceSubscriptions
from schema.ledger_history import TransferQueries, place_of
from schema.ledger_reports import LedgerReportQueries
from schema.ledger_types import LedgerAccount, Transfer
from tenancy.context import TenantContext

__all__ = [
    "LedgerAccount",
    "LedgerBalanceSubscriptions",
    "LedgerQueries",
    "Transfer",
    "ledger_account_node",
    "transfer_node",
]

OnlyStore = Annotated[
    strawberry.ID | None, strawberry.argument(description="Only of this store; starts with store_.")
]
OnlyHolding = Annotated[
    strawberry.ID | None,
    strawberry.argument(description="Only of this place: a channel's id, chan_…, or pacc_…."),
]


async def ledger_account_node(context: TenantContext, id: UUID) -> LedgerAccount | None:
    row = await ledger.ledger_account(context, id)
    return None if row is None else LedgerAccount.of(row)


async def transfer_node(context: TenantContext, id: UUID) -> Transfer | None:
    row = await ledger.transfer(context, id)
    return None if row is None else Transfer.of(row)


@strawberry.type(description="The books.")
class LedgerQueries(TransferQueries, LedgerBalanceQueries, LedgerReportQueries):
    @strawberry.field(description="The ledger accounts, newest first. Needs ledger:read.")
    async def ledger_accounts(
        self,
        info: Info[TenantContext, None],
        first: First = 20,
        after: After = None,
        store_id: OnlyStore = None,
        holding_id: OnlyHolding = None,
    ) -> Connection[LedgerAccount]:
        scope = info.context.tenant.id
        page = await ledger.ledger_accounts(
            info.context,
            page_request(first, after, scope),
            None if store_id is None else inside(Kind.STORE, store_id),
            None if holding_id is None else place_of(holding_id),
        )
        return connection(page, LedgerAccount.of, scope, after=after)

    @strawberry.field(description="One ledger account; null if there is no such account. Needs ledger:read.")
    async def ledger_account(
        self,
        info: Info[TenantContext, None],
        id: Annotated[strawberry.ID, strawberry.argument(description="Starts with lacc_.")],
    ) -> LedgerAccount | None:
        return await ledger_account_node(info.context, inside(Kind.LEDGER_ACCOUNT, id))

    @strawberry.field(description="One transfer; null if there is no such transfer. Needs ledger:read.")
    async def transfer(
        self,
        info: Info[TenantContext, None],
        id: Annotated[strawberry.ID, strawberry.argument(description="Starts with txr_.")],
    ) -> Transfer | None:
        return await transfer_node(info.context, inside(Kind.TRANSFER, id))
