"""Refunds as clients see them, and what may be refused about one."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import strawberry
from strawberry.dataloader import DataLoader
from strawberry.types import Info

from core.ids import Kind, outside
from resolvers import refunds
from resolvers.refunds import GivenBack
from schema.connections import Node
from schema.errors import Error, Refusal
from schema.scalars import Money, api_enum
from tenancy.context import TenantContext
from tenant_db.disputes.rules import DisputeState
from tenant_db.refunds.errors import (
    PartialRefundNotOffered,
    PaymentNotCaptured,
    PaymentNotRefundable,
    RefundNotOffered,
    RefundTooMuch,
)
from tenant_db.refunds.machine import RefundStatus
from tenant_db.refunds.models import Refund as RefundRow
from tenant_db.refunds.models import RefundEvent
from tenant_db.refunds.rules import RefundOrigin, RefundState

BATCH_MAX = 200

api_enum(
    RefundStatus,
    "RefundStatus",
    "Where a refund stands.",
    {
        RefundStatus.REQUESTED: "Its money is set aside; the provider will soon be asked.",
        RefundStatus.SUBMITTING: "The provider is being asked.",
        RefundStatus.UNKNOWN: "It was sent and no answer came; the provider is asked what became of it.",
        RefundStatus.PENDING: "The provider has taken it and not decided: a bank may need days.",
        RefundStatus.NEEDS_ATTENTION: "A person must do something at the provider: see `attention`.",
        RefundStatus.SUCCEEDED: "The money is on its way to the payer.",
        RefundStatus.FAILED: "It came to nothing; the money is yours again.",
        RefundStatus.REVERSED: "It had succeeded, could not be delivered, and the money came back to you.",
    },
)
api_enum(
    RefundOrigin,
    "RefundOrigin",
    "Who wanted the money to go back.",
    {
        RefundOrigin.API: "You, by `refundPayment`.",
        RefundOrigin.REVIEW: "A person who decided a review.",
        RefundOrigin.PROVIDER: "Somebody at the provider, such as in its dashboard.",
    },
)
api_enum(
    RefundState,
    "PaymentRefundStatus",
    "How the refunds of a payment stand together.",
    {
        RefundState.NONE: "Nothing was given back.",
        RefundState.UNDER_WAY: "A refund is not decided yet.",
        RefundState.PARTLY: "A part was given back.",
        RefundState.FULLY: "All of it was given back.",
    },
)
api_enum(
    DisputeState,
    "PaymentDisputeStatus",
    "How the disputes of a payment stand together.",
    {
        DisputeState.NONE: "Nobody disputes it.",
        DisputeState.OPEN: "The payer disputes it, and the bank has not decided.",
        DisputeState.WON: "The bank has decided for you.",
        DisputeState.LOST: "The bank has decided for the payer.",
    },
)


@strawberry.type(description="The provider gives no money back from here.")
class RefundNotOfferedError(Error):
    provider: str = strawberry.field(description="Which provider.")


@strawberry.type(description="The provider gives back the whole payment or nothing.")
class PartialRefundNotOfferedError(Error):
    provider: str = strawberry.field(description="Which provider.")


@strawberry.type(description="Nothing was paid, or it can't be given back as it stands.")
class PaymentNotRefundableError(Error):
    status: str = strawberry.field(description="Where the payment stands, in lower case.")


@strawberry.type(description="The money is only promised and nothing was taken: cancel the payment instead.")
class PaymentNotCapturedError(Error):
    payment_id: strawberry.ID = strawberry.field(description="The payment to cancel.")


@strawberry.type(description="That is more than is left of the payment.")
class RefundTooMuchError(Error):
    left: Money = strawberry.field(
        description="What can still be given back: refunds under way and lost disputes are taken off."
    )


class TooMuchRefusal(Refusal[RefundTooMuch, RefundTooMuchError]):
    """Shows what is left as the API's Money."""

    def told(self, refusal: RefundTooMuch) -> RefundTooMuchError:
        return self._shown(refusal, {"left": Money.of(refusal.left)})


REFUSALS = (
    Refusal(RefundNotOffered, RefundNotOfferedError),
    Refusal(PartialRefundNotOffered, PartialRefundNotOfferedError),
    Refusal(PaymentNotRefundable, PaymentNotRefundableError),
    Refusal(PaymentNotCaptured, PaymentNotCapturedError),
    TooMuchRefusal(RefundTooMuch, RefundTooMuchError),
)


@strawberry.type(description="One step of a refund.")
class RefundStep:
    at: datetime = strawberry.field(description="When.")
    from_status: RefundStatus | None = strawberry.field(description="Where it stood; null for the first.")
    to_status: RefundStatus = strawberry.field(description="Where it stood then.")
    cause: str = strawberry.field(
        description="What made it: `api`, `job`, `query` (the provider was asked), `callback` or `review`."
    )

    @classmethod
    def of(cls, row: RefundEvent) -> "RefundStep":
        return cls(
            at=row.created_at,
            from_status=None if row.from_status is None else RefundStatus(row.from_status),
            to_status=RefundStatus(row.to_status),
            cause=row.cause,
        )


@strawberry.type(description="One amount of one payment on its way back to the payer.")
class Refund(Node):
    payment_id: strawberry.ID = strawberry.field(description="The payment it gives back.")
    store_id: strawberry.ID = strawberry.field(description="Whose balance shrinks.")
    amount: Money = strawberry.field(description="How much.")
    status: RefundStatus = strawberry.field(description="Where it stands.")
    reason: str = strawberry.field(description="Why it was asked for.")
    origin: RefundOrigin = strawberry.field(description="Who wanted it.")
    provider: str = strawberry.field(description="Who gives it back: `stripe`.")
    provider_reference: str | None = strawberry.field(
        description="The provider's own id; null until it is known."
    )
    attention: str | None = strawberry.field(
        description="What a person must do at the provider; null if nothing."
    )
    failure_code: str | None = strawberry.field(description="The provider's code of why it failed.")
    failure_message: str | None = strawberry.field(description="The same for people.")
    version: int = strawberry.field(
        description="Grows with every change: of two states, the one with the higher version is newer."
    )
    created_at: datetime = strawberry.field(description="When it was asked for, or became known.")
    submitted_at: datetime | None = strawberry.field(description="When it was sent to the provider.")
    settled_at: datetime | None = strawberry.field(description="When it ended.")
    _id: strawberry.Private[UUID]

    @strawberry.field(description="What happened to it, the oldest first; at most the last 100 steps.")
    async def steps(self, info: Info[TenantContext, None]) -> list[RefundStep]:
        events = await info.context.loader(steps_loader).load(self._id)
        return [RefundStep.of(event) for event in events]

    @classmethod
    def of(cls, row: RefundRow) -> "Refund":
        return cls(
            id=strawberry.ID(outside(Kind.REFUND, row.id)),
            payment_id=strawberry.ID(outside(Kind.PAYMENT, row.payment_id)),
            store_id=strawberry.ID(outside(Kind.STORE, row.store_id)),
            amount=Money.of(row.amount),
            status=RefundStatus(row.status),
            reason=row.reason,
            origin=RefundOrigin(row.origin),
            provider=row.provider,
            provider_reference=row.provider_reference,
            attention=row.attention,
            failure_code=row.failure_code,
            failure_message=row.failure_message,
            version=row.version,
            created_at=row.created_at,
            submitted_at=row.submitted_at,
            settled_at=row.settled_at,
            _id=row.id,
        )


def steps_loader(context: TenantContext) -> DataLoader[UUID, Sequence[RefundEvent]]:
    """By the refund's id."""

    async def load(ids: list[UUID]) -> list[Sequence[RefundEvent]]:
        return await refunds.steps_of_refunds(context, ids)

    return DataLoader(load_fn=load, max_batch_size=BATCH_MAX)


def given_back_loader(context: TenantContext) -> DataLoader[UUID, GivenBack]:
    """By the payment's id."""

    async def load(ids: list[UUID]) -> list[GivenBack]:
        return await refunds.given_back(context, ids)

    return DataLoader(load_fn=load, max_batch_size=BATCH_MAX)
