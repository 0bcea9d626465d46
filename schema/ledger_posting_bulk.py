"""Posting up to a thousand transfers in one request, each for itself."""

from collections.abc import Sequence
from typing import Annotated, Final
from uuid import UUID

import strawberry
from strawberry.types import Info

from core.errors import DomainError
from core.ids import Kind, outside
from resolvers import ledger_posting
from resolvers.ledger_posting import Item
from schema.errors import GENERIC_REFUSALS, Error, ForbiddenError, InvalidInputError
from schema.inputs import built_directly
from schema.ledger_posting import MovementInput
from schema.ledger_posting_types import REFUSALS, TooManyPostingsError
from tenancy.context import TenantContext

TELLERS: Final = {refusal.exception_type: refusal for refusal in (*GENERIC_REFUSALS, *REFUSALS)}


@built_directly
@strawberry.input(description="One posting of many.")
class PostTransfersItemInput(MovementInput):
    idempotency_key: str = strawberry.field(
        description="Your own unique name of this posting, such as a UUID. Repeat it to repeat safely, here "
        "or in `postTransfer`."
    )

    def item(self) -> Item | DomainError:
        """What is to be posted, or why it can't be."""
        try:
            return Item(self.to_domain(), self.idempotency_key)
        except DomainError as refusal:
            return refusal


@built_directly
@strawberry.input(description="Postings, each for itself.")
class PostTransfersInput:
    items: list[PostTransfersItemInput] = strawberry.field(
        description="1 to 1,000 of them, in order: a later one may spend what an earlier one brought."
    )


@strawberry.type(description="What became of one posting.")
class PostTransfersItem:
    index: int = strawberry.field(description="Its place in what you sent, from 0.")
    transfer_id: strawberry.ID | None = strawberry.field(
        description="The transfer; null if it was refused. A repeated key gives the first transfer again."
    )
    error: Error | None = strawberry.field(description="Why it was refused; null if it is posted.")


@strawberry.type(description="Each posting was carried out or refused.")
class PostTransfersSuccess:
    items: list[PostTransfersItem] = strawberry.field(description="What became of each, in your order.")
    posted_count: int = strawberry.field(description="How many are posted.")
    refused_count: int = strawberry.field(description="How many were refused.")

    @classmethod
    def of(cls, outcomes: Sequence[UUID | DomainError]) -> "PostTransfersSuccess":
        items = [_item(index, outcome) for index, outcome in enumerate(outcomes)]
        refused = sum(item.error is not None for item in items)
        return cls(items=items, posted_count=len(items) - refused, refused_count=refused)


PostTransfersResult = Annotated[
    PostTransfersSuccess | TooManyPostingsError | InvalidInputError | ForbiddenError,
    strawberry.union(
        "PostTransfersResult", description="What became of each posting, or why none was looked at."
    ),
]


@strawberry.type(description="Posting many transfers at once.")
class LedgerBulkMutations:
    @strawberry.mutation(
        description="Posts up to 1,000 transfers, each for itself: one that is refused leaves its neighbours "
        "alone. After a failure send the same again; what was posted is not repeated. Needs ledger:write."
    )
    async def post_transfers(
        self,
        info: Info[TenantContext, None],
        input: Annotated[PostTransfersInput, strawberry.argument(description="The postings.")],
    ) -> PostTransfersResult:
        items = [item.item() for item in input.items]
        return PostTransfersSuccess.of(await ledger_posting.post_transfers(info.context, items))


def _item(index: int, outcome: UUID | DomainError) -> PostTransfersItem:
    if isinstance(outcome, UUID):
        transfer_id = strawberry.ID(outside(Kind.TRANSFER, outcome))
        return PostTransfersItem(index=index, transfer_id=transfer_id, error=None)
    teller = TELLERS.get(type(outcome))
    if teller is None:
        # Nothing about this posting: that the business is away, for example. All of it may be sent again.
        raise outcome
    return PostTransfersItem(index=index, transfer_id=None, error=teller.told(outcome))
