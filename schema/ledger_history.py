"""Transfers by every filter, newest first, and what they come to."""

from datetime import datetime
from typing import Annotated, cast
from uuid import UUID

import strawberry
from strawberry.types import Info

from core.currency import Currency
from core.errors import InvalidInput
from core.ids import Kind, inside, outside, parse
from core.pages import Page
from resolvers import ledger
from schema.connections import After, Connection, First, LazyConnection, page_request
from schema.ledger_types import Transfer
from schema.scalars import BigInt, Money
from tenancy.context import TenantContext
from tenant_db.ledger.history import Flow, TransferView
from tenant_db.ledger.rules import TransferKind
from tenant_db.ledger.searching import AmountRange, TransferFilter, TransferStatus

PLACES = frozenset({Kind.CHANNEL, Kind.PROVIDER_ACCOUNT})


@strawberry.input(description="Amounts of one currency, both ends included.")
class AmountRangeInput:
    currency: Currency = strawberry.field(description="Only transfers in this currency.")
    at_least_minor: BigInt | None = strawberry.field(
        default=None, description="In its smallest unit; left out, from zero."
    )
    at_most_minor: BigInt | None = strawberry.field(
        default=None, description="In its smallest unit; left out, without end."
    )

    def to_domain(self) -> AmountRange:
        return AmountRange(self.currency, self.at_least_minor, self.at_most_minor)


@strawberry.input(
    description="Which transfers are wanted: all that you give must hold. Store, holding and account name "
    "ledger accounts; a transfer is found if one account that fits all three is its source or destination."
)
class TransferFilterInput:
    kinds: list[TransferKind] | None = strawberry.field(
        default=None, description="What they are for; empty or left out, anything."
    )
    status: TransferStatus | None = strawberry.field(default=None, description="Whether they still count.")
    reference: str | None = strawberry.field(
        default=None, description="What they are about, in full, such as a payment's id."
    )
    amount: AmountRangeInput | None = strawberry.field(default=None, description="How much they move.")
    since: datetime | None = strawberry.field(default=None, description="Recorded then or later.")
    before: datetime | None = strawberry.field(default=None, description="Recorded earlier.")
    store_id: strawberry.ID | None = strawberry.field(
        default=None, description="Touching an account of this store; starts with store_."
    )
    holding_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="Touching money at this place: a channel's id, chan_…, or a provider account's, pacc_….",
    )
    account_id: strawberry.ID | None = strawberry.field(
        default=None, description="Touching this ledger account; starts with lacc_."
    )

    def to_domain(self) -> TransferFilter:
        """Raises InvalidInput."""
        return TransferFilter(
            kinds=frozenset(self.kinds or ()),
            status=self.status,
            reference=self.reference,
            amount=None if self.amount is None else self.amount.to_domain(),
            since=self.since,
            before=self.before,
            store_id=None if self.store_id is None else inside(Kind.STORE, self.store_id),
            place=None if self.holding_id is None else place_of(self.holding_id),
            account_id=None if self.account_id is None else inside(Kind.LEDGER_ACCOUNT, self.account_id),
        )


def place_of(id: str) -> str:
    """A place's TypeID as accounts have it. Raises InvalidInput."""
    kind, inner = parse(id)
    if kind not in PLACES:
        raise InvalidInput("holdingId", "Money lies at a channel, chan_…, or a provider account, pacc_….")
    return outside(kind, inner)


@strawberry.type(description="What transfers of one currency come to.")
class TransferFlow:
    currency: Currency = strawberry.field(description="The currency.")
    count: int = strawberry.field(description="How many transfers there are.")
    incoming: Money = strawberry.field(
        description="What they brought to the ledger accounts that the filter names; where it names none, to "
        "the places where money lies. What moves between two of these counts neither as brought nor taken."
    )
    outgoing: Money = strawberry.field(description="What they took from the same accounts.")

    @classmethod
    def of(cls, flow: Flow) -> "TransferFlow":
        return cls(
            currency=flow.incoming.currency,
            count=flow.count,
            incoming=Money.of(flow.incoming),
            outgoing=Money.of(flow.outgoing),
        )


@strawberry.type(
    name="TransferConnection",
    description="One page of transfers, newest first. A search looks at some thousands at a time: where few "
    "fit, a page may be short or empty although `hasNextPage` is true. Go on from `endCursor`.",
)
class TransferConnection(Connection[Transfer]):
    @strawberry.field(
        description="What all transfers of the filter come to, whatever the page, by currency. It is added "
        "up only if you ask; null where there are more than 250,000 to look at: ask for a shorter period."
    )
    async def summary(self, info: Info[TenantContext, None]) -> list[TransferFlow] | None:
        only = cast("_Found", self).only
        found = await ledger.flows(info.context, only)
        return None if found is None else [TransferFlow.of(flow) for flow in found]


class _Found(LazyConnection[TransferView, Transfer]):
    """A page that knows what was searched for."""

    __slots__ = ("only",)

    def __init__(
        self, page: Page[TransferView], scope: UUID, after: str | None, only: TransferFilter
    ) -> None:
        super().__init__(page, Transfer.of, scope, after)
        self.only = only


@strawberry.type(description="Transfers.")
class TransferQueries:
    @strawberry.field(description="The transfers that a filter finds, newest first. Needs ledger:read.")
    async def transfers(
        self,
        info: Info[TenantContext, None],
        first: First = 20,
        after: After = None,
        filter: Annotated[
            TransferFilterInput | None, strawberry.argument(description="Which ones; left out, all.")
        ] = None,
    ) -> TransferConnection:
        scope = info.context.tenant.id
        only = TransferFilter() if filter is None else filter.to_domain()
        page = await ledger.transfers(info.context, page_request(first, after, scope), only)
        return cast("TransferConnection", _Found(page, scope, after, only))
