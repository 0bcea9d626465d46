"""Opening and closing ledger accounts of one's own."""

from typing import Annotated

import strawberry
from strawberry.types import Info

from core.currency import Currency
from core.ids import Kind, inside
from resolvers import ledger_accounts
from resolvers.ledger_accounts import NewLedgerAccount
from schema.errors import ForbiddenError, InvalidInputError, NotFoundError
from schema.ledger import LedgerAccount
from schema.ledger_posting_types import (
    LedgerAccountCodeTakenError,
    LedgerAccountNotEmptyError,
    LedgerAccountUnknownError,
    SystemAccountError,
)
from schema.scalars import BigInt
from tenancy.context import TenantContext
from tenant_db.ledger.rules import NormalSide


@strawberry.input(description="The ledger account to open.")
class OpenLedgerAccountInput:
    name: str = strawberry.field(
        description="Its name in the books, of a-z, 0-9 and _ . : -; its code is `custom:` and this."
    )
    currency: Currency = strawberry.field(description="What it counts.")
    normal_side: NormalSide = strawberry.field(description="The side on which its balance grows.")
    store_id: strawberry.ID | None = strawberry.field(
        default=None, description="The store it is about, if any; starts with store_."
    )
    floor_minor: BigInt | None = strawberry.field(
        default=None,
        description="What its available balance may not fall below, zero or less, in the smallest unit; left "
        "out, no limit.",
    )
    ceiling_minor: BigInt | None = strawberry.field(
        default=None,
        description="What its balance may not rise above, in the smallest unit; left out, no limit.",
    )

    def to_domain(self) -> NewLedgerAccount:
        """Raises InvalidInput."""
        return NewLedgerAccount(
            self.name,
            self.currency,
            self.normal_side,
            None if self.store_id is None else inside(Kind.STORE, self.store_id),
            self.floor_minor,
            self.ceiling_minor,
        )


@strawberry.input(description="The ledger account to close.")
class CloseLedgerAccountInput:
    id: strawberry.ID = strawberry.field(description="Starts with lacc_.")


@strawberry.type(description="The ledger account is open.")
class OpenLedgerAccountSuccess:
    account: LedgerAccount = strawberry.field(description="The account.")


@strawberry.type(description="The ledger account takes no entries any more.")
class CloseLedgerAccountSuccess:
    account: LedgerAccount = strawberry.field(description="The account.")


OpenLedgerAccountResult = Annotated[
    OpenLedgerAccountSuccess
    | LedgerAccountCodeTakenError
    | NotFoundError
    | InvalidInputError
    | ForbiddenError,
    strawberry.union("OpenLedgerAccountResult", description="Whether the account is open."),
]
CloseLedgerAccountResult = Annotated[
    CloseLedgerAccountSuccess
    | LedgerAccountUnknownError
    | LedgerAccountNotEmptyError
    | SystemAccountError
    | InvalidInputError
    | ForbiddenError,
    strawberry.union("CloseLedgerAccountResult", description="Whether the account is closed."),
]


@strawberry.type(description="Ledger accounts of your own.")
class LedgerAccountMutations:
    @strawberry.mutation(
        description="Opens a ledger account of your own. The same again gives the same account. Needs "
        "ledger:write."
    )
    async def open_ledger_account(
        self,
        info: Info[TenantContext, None],
        input: Annotated[OpenLedgerAccountInput, strawberry.argument(description="The account to open.")],
    ) -> OpenLedgerAccountResult:
        row = await ledger_accounts.open_ledger_account(info.context, input.to_domain())
        return OpenLedgerAccountSuccess(account=LedgerAccount.of(row))

    @strawberry.mutation(
        description="Closes a ledger account for good: it must be empty, with no hold pending. Needs "
        "ledger:write."
    )
    async def close_ledger_account(
        self,
        info: Info[TenantContext, None],
        input: Annotated[CloseLedgerAccountInput, strawberry.argument(description="The account to close.")],
    ) -> CloseLedgerAccountResult:
        row = await ledger_accounts.close_ledger_account(info.context, inside(Kind.LEDGER_ACCOUNT, input.id))
        return CloseLedgerAccountSuccess(account=LedgerAccount.of(row))
