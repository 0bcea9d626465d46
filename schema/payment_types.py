"""A payment as clients see it, and what may be refused about one."""

from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Final, cast
from uuid import UUID

import strawberry
from strawberry.types import Info

from core.collecting import CaptureMode, Method
from core.currency import Currency
from core.ids import Kind, inside, outside
from core.money import Money as CoreMoney
from resolvers.payments import PaymentView
from resolvers.refunds import GivenBack
from schema.channel_types import Channel, shown_channel, shown_store
from schema.collecting import NextAction
from schema.connections import Node
from schema.refund_types import Refund, given_back_loader
from schema.scalars import Money, api_enum
from schema.stores import Store
from tenancy.context import TenantContext
from tenant_db.channels.machine import Environment
from tenant_db.disputes.rules import DisputeState
from tenant_db.payments.machine import PaymentStatus
from tenant_db.payments.models import shown_action
from tenant_db.refunds.rules import RefundState

NAMES_KEPT_MAX: Final = 4_096

Since = Annotated[
    datetime | None,
    strawberry.argument(
        description="For who was here before: the payments that changed since then come too, whatever their "
        "age. Give a moment at which you were surely connected."
    ),
]
"""Of a stream of many payments."""
INTERRUPTION: Final = (
    "What changed while our own feed was away is made up for; where that is more than 20,000 steps, or where "
    "`since` is too long ago, the stream ends with the error FEED_INTERRUPTED: read the list, and subscribe "
    "again without `since`."
)
"""Of the same: what its description says last."""

api_enum(
    CaptureMode,
    "CaptureMode",
    "When authorised money is taken.",
    {
        CaptureMode.AUTOMATIC: "At once.",
        CaptureMode.MANUAL: "When you ask for it, within the days the provider keeps the promise.",
    },
)
api_enum(
    PaymentStatus,
    "PaymentStatus",
    "Where one attempt to collect stands.",
    {
        PaymentStatus.CREATED: "Stored. Nothing was sent to the provider yet.",
        PaymentStatus.SUBMITTING: "It is being sent to the provider.",
        PaymentStatus.UNKNOWN: "It was sent and no answer came. We are asking; never retry it yourself.",
        PaymentStatus.PENDING: "The payer has been asked, or the provider is working on it.",
        PaymentStatus.AUTHORIZED: "The payer's bank has promised the money; it is not taken yet.",
        PaymentStatus.SUCCEEDED: "The money is there.",
        PaymentStatus.FAILED: "It came to nothing; `failureCode` says why.",
        PaymentStatus.EXPIRED: "Nobody approved it in time.",
        PaymentStatus.CANCELLED: "It was taken back before the payer was asked, or the payer declined.",
    },
)


# The rows of a page name the same few stores and channels again and again.
@lru_cache(maxsize=NAMES_KEPT_MAX)
def _store_shown(id: UUID) -> strawberry.ID:
    return strawberry.ID(outside(Kind.STORE, id))


@lru_cache(maxsize=NAMES_KEPT_MAX)
def _channel_shown(id: UUID) -> strawberry.ID:
    return strawberry.ID(outside(Kind.CHANNEL, id))


@lru_cache(maxsize=NAMES_KEPT_MAX)
def _account_shown(id: UUID) -> strawberry.ID:
    return strawberry.ID(outside(Kind.PROVIDER_ACCOUNT, id))


class _Amount:
    """Has the attributes of Money; the decimal is made only where it is asked for."""

    __slots__ = ("amount_minor", "currency")

    def __init__(self, amount_minor: int, currency: Currency) -> None:
        self.amount_minor = amount_minor
        self.currency = currency

    @property
    def amount(self) -> Decimal:
        return CoreMoney(self.amount_minor, self.currency).amount


def _amount(minor: int | None, currency: Currency) -> Money | None:
    return None if minor is None else cast("Money", _Amount(minor, currency))


_METHODS: Final = {method.value: method for method in Method}
_CAPTURES: Final = {mode.value: mode for mode in CaptureMode}


@strawberry.type(description="One attempt to collect one amount for one order.")
class Payment(Node):
    status: PaymentStatus = strawberry.field(description="Where it stands.")
    sub_status: str | None = strawberry.field(
        description="The provider's own step, such as `stk_initiated`; for display and support only."
    )
    amount: Money = strawberry.field(description="What is to be paid.")
    authorized_amount: Money | None = strawberry.field(
        description="What the payer's bank has promised; null where money is taken at once."
    )
    captured_amount: Money | None = strawberry.field(
        description="What is to be taken, or was, of the promise: the store is credited with this."
    )
    fee: Money | None = strawberry.field(
        description="What the provider kept. Null until it is told, and where it does not tell."
    )
    method: Method = strawberry.field(description="How the payer pays.")
    capture_mode: CaptureMode = strawberry.field(description="When authorised money is taken.")
    next_action: NextAction | None = strawberry.field(
        description="What the payer has to do now; null where there is nothing, or it has ended."
    )
    phone: str | None = strawberry.field(
        description="Who is asked to pay, in E.164; null where no phone is asked."
    )
    reference: str = strawberry.field(description="What the payer sees: 12 letters and digits.")
    order_reference: str | None = strawberry.field(description="Your own name of the order.")
    description: str = strawberry.field(description="What it is for.")
    provider: str = strawberry.field(description="Who collects: `mpesa`, `stripe`.")
    environment: Environment = strawberry.field(description="Whether real money moves.")
    failure_code: str | None = strawberry.field(
        description="Why it failed, such as `insufficient_funds` or `wrong_pin`, or why the payer's last "
        "try did, while it is still open; null if none did."
    )
    failure_message: str | None = strawberry.field(description="The same for people.")
    receipt: str | None = strawberry.field(
        description="The provider's receipt number. Null until it is known, which may be after success."
    )
    version: int = strawberry.field(
        description="Grows with every change: of two states, the one with the higher version is newer."
    )
    needs_review: bool = strawberry.field(description="Something contradicts it; a person must look.")
    review_note: str | None = strawberry.field(description="What contradicts it.")
    created_at: datetime = strawberry.field(description="When you asked for it.")
    expires_at: datetime = strawberry.field(
        description="From then on it may expire. Money that comes later still counts."
    )
    submitted_at: datetime | None = strawberry.field(description="When it was sent to the provider.")
    settled_at: datetime | None = strawberry.field(description="When it ended.")
    store_id: strawberry.ID = strawberry.field(description="Whose balance grows.")
    channel_id: strawberry.ID | None = strawberry.field(
        description="Which channel collects; null where a provider account collects without one."
    )
    provider_account_id: strawberry.ID = strawberry.field(description="Which provider account collects.")
    _store_id: strawberry.Private[UUID]
    _channel_id: strawberry.Private[UUID | None]

    @strawberry.field(description="The store of `storeId`; null without the scope stores:read.")
    async def store(self, info: Info[TenantContext, None]) -> Store | None:
        return await shown_store(info.context, self._store_id)

    @strawberry.field(
        description="The channel of `channelId`; null where there is none, and without channels:read."
    )
    async def channel(self, info: Info[TenantContext, None]) -> Channel | None:
        if self._channel_id is None:
            return None
        return await shown_channel(info.context, self._channel_id)

    @strawberry.field(description="What was given back, or is on its way, the oldest first.")
    async def refunds(self, info: Info[TenantContext, None]) -> list[Refund]:
        return [Refund.of(row) for row in (await self._given_back(info)).refunds]

    @strawberry.field(description="How its refunds stand together.")
    async def refund_status(self, info: Info[TenantContext, None]) -> RefundState:
        return (await self._given_back(info)).state

    @strawberry.field(description="What was given back for good, as far as the provider says.")
    async def refunded_amount(self, info: Info[TenantContext, None]) -> Money:
        given = await self._given_back(info)
        return Money.of(CoreMoney(given.refunded_minor, self.amount.currency))

    @strawberry.field(description="How its disputes stand together.")
    async def dispute_status(self, info: Info[TenantContext, None]) -> DisputeState:
        return (await self._given_back(info)).disputed

    async def _given_back(self, info: Info[TenantContext, None]) -> GivenBack:
        return await info.context.loader(given_back_loader).load(inside(Kind.PAYMENT, self.id))

    @classmethod
    def of(cls, view: PaymentView) -> "Payment":
        """Plain attributes only: pages of payments take the compiled path."""
        return cls(
            id=strawberry.ID(outside(Kind.PAYMENT, view.id)),
            status=view.status,
            sub_status=view.sub_status,
            amount=cast("Money", _Amount(view.amount_minor, view.currency)),
            authorized_amount=_amount(view.authorized_minor, view.currency),
            captured_amount=_amount(view.captured_minor, view.currency),
            fee=_amount(view.fee_minor, view.currency),
            method=_METHODS[view.method],
            capture_mode=_CAPTURES[view.capture_mode],
            next_action=None if view.next_action is None else NextAction.of(shown_action(view.next_action)),
            phone=view.phone,
            reference=view.reference,
            order_reference=view.order_reference,
            description=view.description,
            provider=view.provider,
            environment=view.environment,
            failure_code=view.failure_code,
            failure_message=view.failure_message,
            receipt=view.receipt,
            version=view.version,
            needs_review=view.needs_review,
            review_note=view.review_note,
            created_at=view.created_at,
            expires_at=view.expires_at,
            submitted_at=view.submitted_at,
            settled_at=view.settled_at,
            store_id=_store_shown(view.store_id),
            channel_id=None if view.channel_id is None else _channel_shown(view.channel_id),
            provider_account_id=_account_shown(view.provider_account_id),
            _store_id=view.store_id,
            _channel_id=view.channel_id,
        )
