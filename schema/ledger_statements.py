"""Statements of ledger accounts and stores: opening balance, every entry, closing balance."""

from datetime import date, datetime
from typing import Annotated

import strawberry
from strawberry.types import Info

import schema.ledger  # noqa: F401 - gives the enums their descriptions
from core.currency import Currency
from core.ids import Kind, inside, outside
from core.money import Money as CoreMoney
from resolvers import account_statements as statements
from resolvers.account_statements import WantedPeriod
from schema.connections import After, Connection, First, connection, page_request
from schema.scalars import BigInt, Money
from tenancy.context import TenantContext
from tenant_db.ledger.rules import TransferKind
from tenant_db.ledger.statement_entries import Line
from tenant_db.ledger.statements import Statement


@strawberry.input(
    description="A period, by the time at which things were recorded: since and before, or firstDay and "
    "lastDay."
)
class PeriodInput:
    since: datetime | None = strawberry.field(default=None, description="Its first instant.")
    before: datetime | None = strawberry.field(
        default=None, description="The instant at which it is over: what happens then belongs to the next."
    )
    first_day: date | None = strawberry.field(
        default=None, description="Its first day, in the store's time zone; in UTC where there is no store."
    )
    last_day: date | None = strawberry.field(
        default=None, description="Its last day, which belongs to it, in the same zone."
    )

    def to_domain(self) -> WantedPeriod:
        """Raises InvalidInput."""
        return WantedPeriod(self.since, self.before, self.first_day, self.last_day)


@strawberry.type(description="One entry of a statement: a ledger account's side of a transfer.")
class LedgerStatementEntry:
    account_id: strawberry.ID = strawberry.field(description="The ledger account whose balance it moved.")
    sequence: BigInt = strawberry.field(
        description="Its number in that account: from 1, without a gap; what is later is higher."
    )
    transfer_id: strawberry.ID = strawberry.field(description="The transfer that it is a side of.")
    other_account_id: strawberry.ID = strawberry.field(
        description="The ledger account at the transfer's other end."
    )
    kind: TransferKind = strawberry.field(description="What the transfer is for.")
    reference: str = strawberry.field(description="What it is about, such as a payment's id.")
    change: Money = strawberry.field(
        description="What it added to the statement's balance; below zero where it took."
    )
    balance: Money = strawberry.field(description="The statement's balance after it.")
    created_at: datetime = strawberry.field(description="When it was recorded.")
    effective_at: datetime = strawberry.field(description="When it counts.")

    @classmethod
    def of(cls, line: Line) -> "LedgerStatementEntry":
        entry = line.entry
        return cls(
            account_id=strawberry.ID(outside(Kind.LEDGER_ACCOUNT, entry.account_id)),
            sequence=BigInt(entry.sequence),
            transfer_id=strawberry.ID(outside(Kind.TRANSFER, entry.transfer_id)),
            other_account_id=strawberry.ID(outside(Kind.LEDGER_ACCOUNT, entry.other_id)),
            kind=TransferKind(entry.kind),
            reference=entry.reference,
            change=Money.of(CoreMoney(entry.change_minor, line.currency)),
            balance=Money.of(CoreMoney(line.balance_minor, line.currency)),
            created_at=entry.created_at,
            effective_at=entry.effective_at,
        )


@strawberry.type(description="What a statement's entries come to.")
class LedgerTurnover:
    incoming: Money = strawberry.field(description="What came in.")
    outgoing: Money = strawberry.field(description="What went out.")


@strawberry.type(
    description="What was there when a period began, what came and went, and what was there then: of one "
    "ledger account, or of all places where a store has money of one currency."
)
class LedgerStatement:
    statement: strawberry.Private[Statement]
    currency: Currency = strawberry.field(description="The currency of everything in it.")
    since: datetime = strawberry.field(description="The period's first instant.")
    before: datetime = strawberry.field(description="The instant at which it is over.")
    opening: Money = strawberry.field(description="The balance when the period began.")
    closing: Money = strawberry.field(
        description="The balance when it was over, or now where it is not: opening and every change."
    )
    entry_count: BigInt = strawberry.field(description="How many entries it has.")

    @classmethod
    def of(cls, statement: Statement) -> "LedgerStatement":
        return cls(
            statement=statement,
            currency=statement.currency,
            since=statement.period.since,
            before=statement.period.before,
            opening=Money.of(statement.opening),
            closing=Money.of(statement.closing),
            entry_count=BigInt(statement.entry_count),
        )

    @strawberry.field(description="What came in and what went out: all entries are added up.")
    async def turnover(self, info: Info[TenantContext, None]) -> LedgerTurnover:
        found = await statements.turnover(info.context, self.statement)
        return LedgerTurnover(incoming=Money.of(found.incoming), outgoing=Money.of(found.outgoing))

    @strawberry.field(description="The entries, oldest first, each with the balance it left.")
    async def entries(
        self, info: Info[TenantContext, None], first: First = 20, after: After = None
    ) -> Connection[LedgerStatementEntry]:
        scope = info.context.tenant.id
        page = await statements.lines(info.context, self.statement, page_request(first, after, scope))
        return connection(page, LedgerStatementEntry.of, scope, after=after)


PeriodOf = Annotated[PeriodInput, strawberry.argument(description="The period.")]


@strawberry.type(description="Statements.")
class LedgerStatementQueries:
    @strawberry.field(
        description="The statement of one ledger account, of a split one with all its parts; null if there "
        "is no such account. Needs ledger:read."
    )
    async def ledger_account_statement(
        self,
        info: Info[TenantContext, None],
        account_id: Annotated[strawberry.ID, strawberry.argument(description="Starts with lacc_.")],
        period: PeriodOf,
    ) -> LedgerStatement | None:
        found = await statements.account_statement(
            info.context, inside(Kind.LEDGER_ACCOUNT, account_id), period.to_domain()
        )
        return None if found is None else LedgerStatement.of(found)

    @strawberry.field(
        description="What a store had and has at all places together, a statement for each currency; null "
        "if there is no such store. To page through the entries of one, name its currency. Needs "
        "ledger:read."
    )
    async def store_statements(
        self,
        info: Info[TenantContext, None],
        store_id: Annotated[strawberry.ID, strawberry.argument(description="Starts with store_.")],
        period: PeriodOf,
        currency: Annotated[
            Currency | None, strawberry.argument(description="Only this currency's statement.")
        ] = None,
    ) -> list[LedgerStatement] | None:
        found = await statements.store_statements(
            info.context, inside(Kind.STORE, store_id), period.to_domain(), currency
        )
        return None if found is None else [LedgerStatement.of(each) for each in found]
