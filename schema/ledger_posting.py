"""Posting to the books: single transfers, linked ones, adjustments, reversals."""

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry.scalars import JSON
from strawberry.types import Info

from core.ids import Kind, inside
from resolvers import ledger_posting
from resolvers.ledger_posting import Movement, guarded_metadata
from schema.inputs import built_directly
from schema.ledger import Transfer
from schema.ledger_posting_types import (
    AlreadyReversedError,
    AmountTooLargeError,
    CallRefusal,
    CeilingExceededError,
    CustodyMixedError,
    InsufficientFundsError,
    LedgerAccountClosedError,
    NotReversibleError,
    PostingKind,
    PostingRefusal,
    TransferUnknownError,
    account_id,
)
from schema.scalars import MoneyInput
from tenancy.context import TenantContext
from tenant_db.ledger.rules import TransferKind

KEY = "Your own unique name of this request, such as a UUID. Repeat it to repeat safely."
SOURCE = "The ledger account that is debited; starts with lacc_."
DESTINATION = "The ledger account that is credited; starts with lacc_."
REFERENCE = "What it is about, such as an order's number: 1 to 200 characters."
EFFECTIVE_AT = "When it counts; left out, now. When it is recorded is kept beside it."
METADATA = "A JSON object of your own, up to 4 kB; it is kept with the transfer."


@built_directly
@strawberry.input(description="One movement between two ledger accounts.")
class MovementInput:
    source_id: strawberry.ID = strawberry.field(description=SOURCE)
    destination_id: strawberry.ID = strawberry.field(description=DESTINATION)
    amount: MoneyInput = strawberry.field(description="How much moves; more than zero.")
    kind: PostingKind = strawberry.field(description="What it is for.")
    reference: str = strawberry.field(description=REFERENCE)
    effective_at: datetime | None = strawberry.field(default=None, description=EFFECTIVE_AT)
    metadata: JSON | None = strawberry.field(default=None, description=METADATA)

    def to_domain(self) -> Movement:
        """Raises InvalidInput."""
        return Movement(
            account_id("sourceId", self.source_id),
            account_id("destinationId", self.destination_id),
            self.amount.to_domain(),
            TransferKind(self.kind.value),
            self.reference,
            self.effective_at,
            guarded_metadata(self.metadata),
        )


@built_directly
@strawberry.input(description="The transfer to post.")
class PostTransferInput(MovementInput):
    idempotency_key: str = strawberry.field(description=KEY)


@built_directly
@strawberry.input(description="Transfers that succeed or fail together.")
class PostLinkedTransfersInput:
    idempotency_key: str = strawberry.field(description=KEY)
    transfers: list[MovementInput] = strawberry.field(
        description="2 to 100 of them, in order: a later one may spend what an earlier one brought."
    )


@strawberry.input(description="A correction of the books.")
class PostAdjustmentInput:
    idempotency_key: str = strawberry.field(description=KEY)
    source_id: strawberry.ID = strawberry.field(description=SOURCE)
    destination_id: strawberry.ID = strawberry.field(description=DESTINATION)
    amount: MoneyInput = strawberry.field(description="How much moves; more than zero.")
    reference: str = strawberry.field(description=REFERENCE)
    reason: str = strawberry.field(
        description="Why, in 1 to 500 characters; it is kept with the transfer and in the audit log."
    )
    effective_at: datetime | None = strawberry.field(default=None, description=EFFECTIVE_AT)
    metadata: JSON | None = strawberry.field(default=None, description=METADATA)

    def to_domain(self) -> Movement:
        """Raises InvalidInput."""
        return Movement(
            account_id("sourceId", self.source_id),
            account_id("destinationId", self.destination_id),
            self.amount.to_domain(),
            TransferKind.ADJUSTMENT,
            self.reference,
            self.effective_at,
            guarded_metadata(self.metadata),
        )


@strawberry.input(description="The transfer to undo.")
class ReverseTransferInput:
    idempotency_key: str = strawberry.field(description=KEY)
    transfer_id: strawberry.ID = strawberry.field(description="The transfer; starts with txr_.")
    reason: str = strawberry.field(
        description="Why, in 1 to 500 characters; it is kept with the reversal and in the audit log."
    )


@strawberry.type(description="The transfer is posted.")
class PostTransferSuccess:
    transfer: Transfer = strawberry.field(description="The transfer.")


@strawberry.type(description="All of the transfers are posted.")
class PostLinkedTransfersSuccess:
    transfers: list[Transfer] = strawberry.field(description="The transfers, in the order you sent.")


@strawberry.type(description="The correction is posted.")
class PostAdjustmentSuccess:
    transfer: Transfer = strawberry.field(description="The transfer that corrects.")


@strawberry.type(description="The transfer is undone.")
class ReverseTransferSuccess:
    transfer: Transfer = strawberry.field(description="What undoes it; `reversesId` names it.")


PostTransferResult = Annotated[
    PostTransferSuccess | PostingRefusal,
    strawberry.union("PostTransferResult", description="Whether the transfer was posted."),
]
PostLinkedTransfersResult = Annotated[
    PostLinkedTransfersSuccess | PostingRefusal,
    strawberry.union("PostLinkedTransfersResult", description="Whether all were posted; if not, none was."),
]
PostAdjustmentResult = Annotated[
    PostAdjustmentSuccess | PostingRefusal,
    strawberry.union("PostAdjustmentResult", description="Whether the correction was posted."),
]
ReverseTransferResult = Annotated[
    ReverseTransferSuccess
    | TransferUnknownError
    | AlreadyReversedError
    | NotReversibleError
    | CustodyMixedError
    | LedgerAccountClosedError
    | AmountTooLargeError
    | InsufficientFundsError
    | CeilingExceededError
    | CallRefusal,
    strawberry.union("ReverseTransferResult", description="Whether the transfer was undone."),
]


@strawberry.type(description="Posting to the books.")
class LedgerPostingMutations:
    @strawberry.mutation(description="Moves money from one ledger account to another. Needs ledger:write.")
    async def post_transfer(
        self,
        info: Info[TenantContext, None],
        input: Annotated[PostTransferInput, strawberry.argument(description="The transfer to post.")],
    ) -> PostTransferResult:
        posted = await ledger_posting.post_transfer(info.context, input.to_domain(), input.idempotency_key)
        return PostTransferSuccess(transfer=Transfer.of(posted))

    @strawberry.mutation(
        description="Posts 2 to 100 transfers that succeed or fail together. Needs ledger:write."
    )
    async def post_linked_transfers(
        self,
        info: Info[TenantContext, None],
        input: Annotated[PostLinkedTransfersInput, strawberry.argument(description="The transfers.")],
    ) -> PostLinkedTransfersResult:
        movements = [each.to_domain() for each in input.transfers]
        posted = await ledger_posting.post_linked_transfers(info.context, movements, input.idempotency_key)
        return PostLinkedTransfersSuccess(transfers=[Transfer.of(each) for each in posted])

    @strawberry.mutation(
        description="Corrects the books, with a reason. To undo one transfer use `reverseTransfer`. "
        "Needs ledger:write."
    )
    async def post_adjustment(
        self,
        info: Info[TenantContext, None],
        input: Annotated[PostAdjustmentInput, strawberry.argument(description="The correction.")],
    ) -> PostAdjustmentResult:
        posted = await ledger_posting.post_adjustment(
            info.context, input.to_domain(), input.reason, input.idempotency_key
        )
        return PostAdjustmentSuccess(transfer=Transfer.of(posted))

    @strawberry.mutation(
        description="Undoes a transfer with a second one that moves the whole amount back, once. "
        "Needs ledger:write."
    )
    async def reverse_transfer(
        self,
        info: Info[TenantContext, None],
        input: Annotated[ReverseTransferInput, strawberry.argument(description="The transfer to undo.")],
    ) -> ReverseTransferResult:
        posted = await ledger_posting.reverse_transfer(
            info.context, inside(Kind.TRANSFER, input.transfer_id), input.reason, input.idempotency_key
        )
        return ReverseTransferSuccess(transfer=Transfer.of(posted))
