"""Holds: setting an amount aside, then moving it or letting it go."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import strawberry
from strawberry.scalars import JSON
from strawberry.types import Info

from core.ids import Kind, inside, outside
from core.money import Money as CoreMoney
from resolvers import ledger_holds
from resolvers.ledger_holds import HoldView, Promise
from resolvers.ledger_posting import guarded_metadata
from schema.connections import After, Connection, First, Node, connection, page_request
from schema.ledger_loaders import hold_transfers_loader
from schema.ledger_posting import DESTINATION, EFFECTIVE_AT, KEY, METADATA, REFERENCE, SOURCE
from schema.ledger_posting_types import (
    AmountNotPositiveError,
    CallRefusal,
    CurrencyMismatchError,
    HoldAlreadyResolvedError,
    HoldExceededError,
    HoldExpiredError,
    HoldManagedError,
    HoldUnknownError,
    PostingKind,
    PostingRefusal,
    account_id,
)
from schema.ledger_types import LedgerAccount, Transfer, shown_account
from schema.scalars import Money, MoneyInput, api_enum
from tenancy.context import TenantContext
from tenant_db.ledger.rules import TransferKind


class HoldState(StrEnum):
    """Where a hold is."""

    PENDING = "pending"
    POSTED = "posted"
    VOIDED = "voided"
    EXPIRED = "expired"


api_enum(
    HoldState,
    "HoldState",
    "Where a hold is. It is resolved once.",
    {
        HoldState.PENDING: "The amount is set aside.",
        HoldState.POSTED: "It was moved, in full or in part; the rest is free.",
        HoldState.VOIDED: "It was let go.",
        HoldState.EXPIRED: "Its time was over before anybody resolved it.",
    },
)


@strawberry.type(description="An amount that is set aside: it counts as spent, and moves when it is posted.")
class Hold(Node):
    source_id: strawberry.ID = strawberry.field(description="The ledger account it will be taken from.")
    destination_id: strawberry.ID = strawberry.field(description="The ledger account it will go to.")
    amount: Money = strawberry.field(description="What was set aside.")
    posted_amount: Money = strawberry.field(description="What was moved of it.")
    state: HoldState = strawberry.field(description="Where it is.")
    kind: TransferKind = strawberry.field(description="What the transfer is for that posts it.")
    reference: str = strawberry.field(description="What it is about.")
    metadata: JSON = strawberry.field(description="What you attached to it.")
    created_at: datetime = strawberry.field(description="When it was placed.")
    expires_at: datetime | None = strawberry.field(
        description="From then on it can't be posted; null if it waits for ever."
    )
    resolved_at: datetime | None = strawberry.field(description="When it was resolved; null while pending.")
    _row: strawberry.Private[HoldView]

    @strawberry.field(description="The ledger account of `sourceId`, as it is now.")
    async def source(self, info: Info[TenantContext, None]) -> LedgerAccount | None:
        return await shown_account(info.context, self._row.source_id)

    @strawberry.field(description="The ledger account of `destinationId`, as it is now.")
    async def destination(self, info: Info[TenantContext, None]) -> LedgerAccount | None:
        return await shown_account(info.context, self._row.destination_id)

    @strawberry.field(description="The transfer that moved it; null while none has.")
    async def transfer(self, info: Info[TenantContext, None]) -> Transfer | None:
        moved = await info.context.loader(hold_transfers_loader).load(self._row.id)
        return None if moved is None else Transfer.of(moved)

    @classmethod
    def of(cls, row: HoldView) -> "Hold":
        return cls(
            id=strawberry.ID(outside(Kind.HOLD, row.id)),
            source_id=strawberry.ID(outside(Kind.LEDGER_ACCOUNT, row.source_id)),
            destination_id=strawberry.ID(outside(Kind.LEDGER_ACCOUNT, row.destination_id)),
            amount=Money.of(CoreMoney(row.amount_minor, row.currency)),
            posted_amount=Money.of(CoreMoney(row.posted_minor, row.currency)),
            state=HoldState(row.state),
            kind=TransferKind(row.kind),
            reference=row.reference,
            metadata=JSON(row.details),
            created_at=row.created_at,
            expires_at=row.expires_at,
            resolved_at=row.resolved_at,
            _row=row,
        )


async def hold_node(context: TenantContext, id: UUID) -> Hold | None:
    row = await ledger_holds.hold(context, id)
    return None if row is None else Hold.of(row)


@strawberry.input(description="The amount to set aside.")
class PlaceHoldInput:
    idempotency_key: str = strawberry.field(description=KEY)
    source_id: strawberry.ID = strawberry.field(description=SOURCE)
    destination_id: strawberry.ID = strawberry.field(description=DESTINATION)
    amount: MoneyInput = strawberry.field(description="How much; more than zero.")
    kind: PostingKind = strawberry.field(description="What the transfer is for that posts it.")
    reference: str = strawberry.field(description=REFERENCE)
    expires_at: datetime | None = strawberry.field(
        default=None, description="When it lets go by itself; left out, it waits for ever."
    )
    metadata: JSON | None = strawberry.field(default=None, description=METADATA)

    def to_domain(self) -> Promise:
        """Raises InvalidInput."""
        return Promise(
            account_id("sourceId", self.source_id),
            account_id("destinationId", self.destination_id),
            self.amount.to_domain(),
            TransferKind(self.kind.value),
            self.reference,
            self.expires_at,
            guarded_metadata(self.metadata),
        )


@strawberry.input(description="The hold to post.")
class PostHoldInput:
    idempotency_key: str = strawberry.field(description=KEY)
    hold_id: strawberry.ID = strawberry.field(description="The hold; starts with hold_.")
    amount: MoneyInput | None = strawberry.field(
        default=None, description="A part of it, the rest is let go; left out, all of it."
    )
    effective_at: datetime | None = strawberry.field(default=None, description=EFFECTIVE_AT)


@strawberry.input(description="The hold to let go.")
class VoidHoldInput:
    idempotency_key: str = strawberry.field(description=KEY)
    hold_id: strawberry.ID = strawberry.field(description="The hold; starts with hold_.")


@strawberry.type(description="The amount is set aside.")
class PlaceHoldSuccess:
    hold: Hold = strawberry.field(description="The hold.")


@strawberry.type(description="The amount has moved.")
class PostHoldSuccess:
    transfer: Transfer = strawberry.field(description="The transfer that moved it.")
    hold: Hold = strawberry.field(description="The hold, which is over.")


@strawberry.type(description="The amount is free again.")
class VoidHoldSuccess:
    hold: Hold = strawberry.field(description="The hold, which is over.")


ResolvingRefusal = (
    HoldUnknownError | HoldAlreadyResolvedError | HoldExpiredError | HoldManagedError | CallRefusal
)
PlaceHoldResult = Annotated[
    PlaceHoldSuccess | PostingRefusal,
    strawberry.union("PlaceHoldResult", description="Whether the amount was set aside."),
]
PostHoldResult = Annotated[
    PostHoldSuccess | AmountNotPositiveError | CurrencyMismatchError | HoldExceededError | ResolvingRefusal,
    strawberry.union("PostHoldResult", description="Whether the amount was moved."),
]
VoidHoldResult = Annotated[
    VoidHoldSuccess | ResolvingRefusal,
    strawberry.union("VoidHoldResult", description="Whether the amount was let go."),
]

HoldId = Annotated[strawberry.ID, strawberry.argument(description="Starts with hold_.")]
State = Annotated[
    HoldState | None, strawberry.argument(description="Only holds in this state; left out, all.")
]


@strawberry.type(description="Amounts that are set aside.")
class HoldQueries:
    @strawberry.field(description="The holds, newest first. Needs ledger:read.")
    async def holds(
        self, info: Info[TenantContext, None], first: First = 20, after: After = None, state: State = None
    ) -> Connection[Hold]:
        scope = info.context.tenant.id
        page = await ledger_holds.holds(
            info.context, page_request(first, after, scope), None if state is None else state.value
        )
        return connection(page, Hold.of, scope, after=after)

    @strawberry.field(description="One hold; null if there is no such hold. Needs ledger:read.")
    async def hold(self, info: Info[TenantContext, None], id: HoldId) -> Hold | None:
        return await hold_node(info.context, inside(Kind.HOLD, id))


@strawberry.type(description="Setting amounts aside.")
class HoldMutations:
    @strawberry.mutation(
        description="Sets an amount aside: it counts as spent until it is posted, voided or expires. "
        "Needs ledger:write."
    )
    async def place_hold(
        self,
        info: Info[TenantContext, None],
        input: Annotated[PlaceHoldInput, strawberry.argument(description="The amount to set aside.")],
    ) -> PlaceHoldResult:
        placed = await ledger_holds.place_hold(info.context, input.to_domain(), input.idempotency_key)
        return PlaceHoldSuccess(hold=Hold.of(placed))

    @strawberry.mutation(
        description="Moves what a hold has set aside, in full or in part, once. Needs ledger:write."
    )
    async def post_hold(
        self,
        info: Info[TenantContext, None],
        input: Annotated[PostHoldInput, strawberry.argument(description="The hold to post.")],
    ) -> PostHoldResult:
        transfer, hold = await ledger_holds.post_hold(
            info.context,
            inside(Kind.HOLD, input.hold_id),
            None if input.amount is None else input.amount.to_domain(),
            input.effective_at,
            input.idempotency_key,
        )
        return PostHoldSuccess(transfer=Transfer.of(transfer), hold=Hold.of(hold))

    @strawberry.mutation(description="Lets go of what a hold has set aside, once. Needs ledger:write.")
    async def void_hold(
        self,
        info: Info[TenantContext, None],
        input: Annotated[VoidHoldInput, strawberry.argument(description="The hold to let go.")],
    ) -> VoidHoldResult:
        hold = await ledger_holds.void_hold(
            info.context, inside(Kind.HOLD, input.hold_id), input.idempotency_key
        )
        return VoidHoldSuccess(hold=Hold.of(hold))
