"""A payment as clients see it, and what may be refused about one."""

from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final, cast
from uuid import UUID

import strawberry
from strawberry.types import Info

from core.currency import Currency
from core.ids import Kind, inside, outside
from core.money import Money as CoreMoney
from resolvers.payments import PaymentView
from resolvers.refunds import GivenBack
from schema.channel_types import Channel, shown_channel, shown_store
from schema.connections import Node
from schema.errors import Error, Refusal
from schema.refund_types import Refund, given_back_loader
from schema.scalars import Money, api_enum
from schema.stores import Store
from tenancy.context import TenantContext
from tenant_db.channels.machine import Environment
from tenant_db.disputes.rules import DisputeState
from tenant_db.payments.errors import (
    AmountNotWhole,
    AmountOutOfRange,
    ChannelNotActive,
    OrderAlreadyPaid,
    PaymentAlreadySent,
    PaymentInProgress,
    PhoneNotServed,
    StoreClosed,
    TextNotUsable,
    WrongCurrency,
)
from tenant_db.payments.machine import PaymentStatus
from tenant_db.refunds.rules import RefundState

NAMES_KEPT_MAX: Final = 4_096

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


@strawberry.type(description="The channel can't take payments now.")
class ChannelNotActiveError(Error):
    status: str = strawberry.field(description="Where the channel is in its set-up, in lower case.")


@strawberry.type(description="The store is closed.")
class StoreClosedError(Error):
    pass


@strawberry.type(description="The channel collects another currency.")
class WrongCurrencyError(Error):
    expected: Currency = strawberry.field(description="What the channel collects.")
    got: Currency = strawberry.field(description="What you sent.")


@strawberry.type(description="The provider takes whole units of this currency only.")
class AmountNotWholeError(Error):
    currency: Currency = strawberry.field(description="The currency.")


@strawberry.type(description="The amount is below or above what the provider takes at once.")
class AmountOutOfRangeError(Error):
    least: Money = strawberry.field(description="The least that one payment may be.")
    most: Money | None = strawberry.field(description="The most; null if there is no limit.")


@strawberry.type(description="The phone is no number of the provider's network.")
class PhoneNotServedError(Error):
    pass


@strawberry.type(description="A text is empty, too long, or has characters that can't be shown.")
class TextNotUsableError(Error):
    field: str = strawberry.field(description="Which input field.")
    characters_max: int = strawberry.field(description="How many characters it may have.")


@strawberry.type(description="Another attempt for the same order may still be paid.")
class PaymentInProgressError(Error):
    payment_id: strawberry.ID = strawberry.field(description="That payment.")


@strawberry.type(description="An attempt for this order has succeeded.")
class OrderAlreadyPaidError(Error):
    payment_id: strawberry.ID = strawberry.field(description="That payment.")


@strawberry.type(description="The payer may have been asked by now, so it can't be cancelled.")
class PaymentAlreadySentError(Error):
    status: str = strawberry.field(description="Where the payment stands, in lower case.")


class OutOfRangeRefusal(Refusal[AmountOutOfRange, AmountOutOfRangeError]):
    """Shows the limits as the API's Money."""

    def told(self, refusal: AmountOutOfRange) -> AmountOutOfRangeError:
        shown = super().told(refusal)
        shown.least = Money.of(refusal.least)
        shown.most = None if refusal.most is None else Money.of(refusal.most)
        return shown


REFUSALS = (
    Refusal(ChannelNotActive, ChannelNotActiveError),
    Refusal(StoreClosed, StoreClosedError),
    Refusal(WrongCurrency, WrongCurrencyError),
    Refusal(AmountNotWhole, AmountNotWholeError),
    OutOfRangeRefusal(AmountOutOfRange, AmountOutOfRangeError),
    Refusal(PhoneNotServed, PhoneNotServedError),
    Refusal(TextNotUsable, TextNotUsableError),
    Refusal(PaymentInProgress, PaymentInProgressError),
    Refusal(OrderAlreadyPaid, OrderAlreadyPaidError),
    Refusal(PaymentAlreadySent, PaymentAlreadySentError),
)


# The rows of a page name the same few stores and channels again and again.
@lru_cache(maxsize=NAMES_KEPT_MAX)
def _store_shown(id: UUID) -> strawberry.ID:
    return strawberry.ID(outside(Kind.STORE, id))


@lru_cache(maxsize=NAMES_KEPT_MAX)
def _channel_shown(id: UUID) -> strawberry.ID:
    return strawberry.ID(outside(Kind.CHANNEL, id))


class _Amount:
    """Has the attributes of Money; the decimal is made only where it is asked for."""

    __slots__ = ("amount_minor", "currency")

    def __init__(self, amount_minor: int, currency: Currency) -> None:
        self.amount_minor = amount_minor
        self.currency = currency

    @property
    def amount(self) -> Decimal:
        return CoreMoney(self.amount_minor, self.currency).amount


@strawberry.type(description="One attempt to collect one amount for one order.")
class Payment(Node):
    status: PaymentStatus = strawberry.field(description="Where it stands.")
    sub_status: str | None = strawberry.field(
        description="The provider's own step, such as `stk_initiated`; for display and support only."
    )
    amount: Money = strawberry.field(description="What is to be paid.")
    phone: str = strawberry.field(description="Who is asked to pay, in E.164.")
    reference: str = strawberry.field(description="What the payer sees: 12 letters and digits.")
    order_reference: str | None = strawberry.field(description="Your own name of the order.")
    description: str = strawberry.field(description="What it is for.")
    provider: str = strawberry.field(description="Who collects: `mpesa`.")
    environment: Environment = strawberry.field(description="Whether real money moves.")
    failure_code: str | None = strawberry.field(
        description="Why it failed, such as `insufficient_funds` or `wrong_pin`; null if it did not."
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
    channel_id: strawberry.ID = strawberry.field(description="Which channel collects.")
    _store_id: strawberry.Private[UUID]
    _channel_id: strawberry.Private[UUID]

    @strawberry.field(description="The store of `storeId`; null without the scope stores:read.")
    async def store(self, info: Info[TenantContext, None]) -> Store | None:
        return await shown_store(info.context, self._store_id)

    @strawberry.field(description="The channel of `channelId`; null without the scope channels:read.")
    async def channel(self, info: Info[TenantContext, None]) -> Channel | None:
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
            channel_id=_channel_shown(view.channel_id),
            _store_id=view.store_id,
            _channel_id=view.channel_id,
        )
