"""The fields that only the page of an order may ask for, with the token of its link.

They take no ids: which order it is, the token says.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

import strawberry
from strawberry.types import Info

from core.collecting import Method
from core.phone import Phone
from resolvers import checkout, checkout_feed
from resolvers.checkout import WantedWay
from schema.checkout_types import Checkout, MethodNotAvailableError
from schema.errors import (
    IdempotencyInProgressError,
    IdempotencyKeyReusedError,
    InvalidInputError,
    NotSignedInError,
    RateLimitedError,
)
from schema.order_types import AmountNotDueError, OrderNotOpenError
from schema.payment_refusals import (
    AmountNotWholeError,
    AmountOutOfRangeError,
    ChannelNotActiveError,
    OrderAlreadyPaidError,
    PaymentInProgressError,
    PhoneNotServedError,
    StoreClosedError,
)
from tenancy.context import TenantContext


@strawberry.input(description="How the payer wants to pay.")
class PayCheckoutInput:
    idempotency_key: str = strawberry.field(
        description="The page's own unique name of this try. Repeat it to repeat safely."
    )
    method: Method = strawberry.field(description="One of the checkout's `methods`.")
    phone: str | None = strawberry.field(default=None, description="The phone that pays: 0700 000 001.")
    email: str | None = strawberry.field(default=None, description="The payer's e-mail address.")

    def to_domain(self) -> WantedWay:
        """Raises InvalidInput."""
        return WantedWay(
            self.method, None if self.phone is None else Phone.parse(self.phone), self.email or None
        )


@strawberry.type(description="The attempt is stored and on its way. Subscribe to checkoutUpdated.")
class PayCheckoutSuccess:
    checkout: Checkout = strawberry.field(description="The order now.")


PayCheckoutResult = Annotated[
    PayCheckoutSuccess
    | MethodNotAvailableError
    | OrderNotOpenError
    | OrderAlreadyPaidError
    | PaymentInProgressError
    | AmountNotDueError
    | AmountNotWholeError
    | AmountOutOfRangeError
    | ChannelNotActiveError
    | StoreClosedError
    | PhoneNotServedError
    | RateLimitedError
    | IdempotencyKeyReusedError
    | IdempotencyInProgressError
    | InvalidInputError
    | NotSignedInError,
    strawberry.union("PayCheckoutResult", description="Whether the attempt is on its way."),
]


@strawberry.type(description="The page of an order.")
class CheckoutQueries:
    @strawberry.field(
        description="The order of the link whose token is sent as `Authorization: Bearer hzp_…`; needs no "
        "other credential, and takes none."
    )
    async def checkout(self, info: Info[TenantContext, None]) -> Checkout:
        return Checkout.of(await checkout.checkout(info.context))


@strawberry.type(description="Paying an order on its page.")
class CheckoutMutations:
    @strawberry.mutation(description="Begins to pay what is due of the link's order. Needs its token.")
    async def pay_checkout(
        self,
        info: Info[TenantContext, None],
        input: Annotated[PayCheckoutInput, strawberry.argument(description="How to pay.")],
    ) -> PayCheckoutResult:
        view = await checkout.pay_checkout(info.context, input.to_domain(), input.idempotency_key)
        return PayCheckoutSuccess(checkout=Checkout.of(view))


@strawberry.type(description="The page of an order as it changes.")
class CheckoutSubscriptions:
    @strawberry.subscription(
        description="The link's order now, then each newer state. Needs its token. Steps in quick "
        "succession may come as one; the stream stays open after the order was paid."
    )
    async def checkout_updated(self, info: Info[TenantContext, None]) -> AsyncGenerator[Checkout, None]:
        views = checkout_feed.checkout_updates(info.context)
        async with aclosing(views):
            async for view in views:
                yield Checkout.of(view)
