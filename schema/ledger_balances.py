"""What stores and accounts have: now, at any past instant, and as it changes."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Annotated

import strawberry
from strawberry.types import Info

from core.currency import Currency
from core.ids import Kind, inside, outside
from resolvers import ledger, ledger_feed
from schema.ledger_types import At, LedgerBalance
from schema.scalars import BigInt, Money
from schema.stores import StoreId
from tenancy.context import TenantContext
from tenant_db.ledger.balances import Balance, HoldingBalance, StoreState
from tenant_db.ledger.rules import Custody


@strawberry.type(description="What one store has at one place where money can be.")
class StoreHoldingBalance(LedgerBalance):
    holding: str = strawberry.field(description="The place: a channel's id, such as chan_….")
    custody: Custody = strawberry.field(description="Who holds the money.")

    @classmethod
    def of_holding(cls, balance: HoldingBalance) -> "StoreHoldingBalance":
        counters = balance.counters
        return cls(
            holding=balance.holding,
            custody=balance.custody,
            total=Money.of(counters.total),
            reserved=Money.of(counters.reserved),
            pending=Money.of(counters.pending),
            available=Money.of(counters.available),
        )


@strawberry.type(description="What one store has in one currency, over all places.")
class StoreBalance(LedgerBalance):
    holdings: list[StoreHoldingBalance] = strawberry.field(description="The same for each place.")

    @classmethod
    def of_store(cls, balance: Balance) -> "StoreBalance":
        counters = balance.counters
        return cls(
            total=Money.of(counters.total),
            reserved=Money.of(counters.reserved),
            pending=Money.of(counters.pending),
            available=Money.of(counters.available),
            holdings=[StoreHoldingBalance.of_holding(each) for each in balance.holdings],
        )


@strawberry.type(
    description="What one store has at one moment. Of two, keep the one with the higher "
    "sequence; where that is equal, the later asOf: holds change a balance without an entry."
)
class StoreBalanceState:
    store_id: strawberry.ID = strawberry.field(description="The store.")
    sequence: BigInt = strawberry.field(description="How many entries its accounts have; it only grows.")
    as_of: datetime = strawberry.field(description="When it was read, by the database's clock.")
    balances: list[StoreBalance] = strawberry.field(
        description="One for each currency; empty until the store earns."
    )

    @classmethod
    def of(cls, store_id: strawberry.ID, state: StoreState) -> "StoreBalanceState":
        return cls(
            store_id=store_id,
            sequence=BigInt(state.sequence),
            as_of=state.as_of,
            balances=[StoreBalance.of_store(balance) for balance in state.balances],
        )


@strawberry.type(description="Balances.")
class LedgerBalanceQueries:
    @strawberry.field(
        description="What a store has, or had at a past instant, one row for each currency; empty until it "
        "earns, null if there is no such store. Reserved and pending at a past instant are told by when "
        "holds were placed and resolved. Needs ledger:read."
    )
    async def store_balance(
        self, info: Info[TenantContext, None], store_id: StoreId, at: At = None
    ) -> list[StoreBalance] | None:
        found = await ledger.store_balance(info.context, inside(Kind.STORE, store_id), at)
        return None if found is None else [StoreBalance.of_store(balance) for balance in found]

    @strawberry.field(
        description="The balance of a ledger account by its code, all shards added up, now or at a past "
        "instant; null if there is no such account. Needs ledger:read."
    )
    async def ledger_balance(
        self,
        info: Info[TenantContext, None],
        code: Annotated[str, strawberry.argument(description="Such as fees:provider or holding:chan_….")],
        currency: Annotated[Currency, strawberry.argument(description="Its currency.")],
        at: At = None,
    ) -> LedgerBalance | None:
        found = await ledger.ledger_balance(info.context, code, currency, at)
        return None if found is None else LedgerBalance.of(found)


@strawberry.type(description="Balances as they change.")
class LedgerBalanceSubscriptions:
    @strawberry.subscription(
        description="What a store has now, then again after changes. Needs ledger:read. Changes in quick "
        "succession come as one: at most ten states a second, and always the last one."
    )
    async def store_balance_updated(
        self, info: Info[TenantContext, None], store_id: StoreId
    ) -> AsyncGenerator[StoreBalanceState, None]:
        id_ = inside(Kind.STORE, store_id)
        shown = strawberry.ID(outside(Kind.STORE, id_))
        states = ledger_feed.store_balance_updates(info.context, id_)
        async with aclosing(states):
            async for state in states:
                yield StoreBalanceState.of(shown, state)
