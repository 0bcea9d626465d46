"""What is done to a payment on its way: a payer's step handed on, authorised money captured."""

from typing import Annotated

import strawberry
from strawberry.types import Info

from core.ids import Kind, inside
from resolvers import payment_steps
from schema.errors import (
    Error,
    ForbiddenError,
    IdempotencyInProgressError,
    IdempotencyKeyReusedError,
    InvalidInputError,
    NotFoundError,
    Refusal,
)
from schema.payment_refusals import (
    WrongCurrencyError,
)
from schema.payment_types import Payment
from schema.scalars import Money, MoneyInput
from tenancy.context import TenantContext
from tenant_db.payments.errors import CaptureTooMuch, NotWaiting


@strawberry.type(description="The payment does not stand where this could be done to it.")
class PaymentNotWaitingError(Error):
    status: str = strawberry.field(description="Where the payment stands, in lower case.")


@strawberry.type(description="The payer's bank has promised less.")
class CaptureTooMuchError(Error):
    authorized: Money = strawberry.field(description="What the payer's bank has promised.")


class CaptureRefusal(Refusal[CaptureTooMuch, CaptureTooMuchError]):
    """Shows the promise as the API's Money."""

    def told(self, refusal: CaptureTooMuch) -> CaptureTooMuchError:
        return self._shown(refusal, {"authorized": Money.of(refusal.authorized)})


REFUSALS = (
    Refusal(NotWaiting, PaymentNotWaitingError),
    CaptureRefusal(CaptureTooMuch, CaptureTooMuchError),
)

KEY = "Your own unique name of this request, such as a UUID. Repeat it to repeat safely."


@strawberry.input(description="What the payer entered, answering the payment's `nextAction`.")
class ConfirmPaymentInput:
    idempotency_key: str = strawberry.field(description=KEY)
    id: strawberry.ID = strawberry.field(description="The payment's id; starts with pay_.")
    otp: str | None = strawberry.field(default=None, description="The code for ENTER_OTP.")
    pin: str | None = strawberry.field(default=None, description="The PIN for ENTER_PIN.")
    phone: str | None = strawberry.field(default=None, description="The number for ENTER_PHONE.")
    birthday: str | None = strawberry.field(
        default=None, description="The date for ENTER_BIRTHDAY: 2000-12-31."
    )
    address: str | None = strawberry.field(default=None, description="The address for ENTER_ADDRESS.")
    payment_method: str | None = strawberry.field(
        default=None, description="The provider's name of what to pay with, such as Stripe's pm_…."
    )

    def values(self) -> dict[str, str]:
        """What was entered, by the names that adapters know."""
        told = {
            "otp": self.otp,
            "pin": self.pin,
            "phone": self.phone,
            "birthday": self.birthday,
            "address": self.address,
            "payment_method": self.payment_method,
        }
        return {name: value for name, value in told.items() if value is not None}


@strawberry.input(description="Which authorised payment to capture, and how much of it.")
class CapturePaymentInput:
    idempotency_key: str = strawberry.field(description=KEY)
    id: strawberry.ID = strawberry.field(description="The payment's id; starts with pay_.")
    amount: MoneyInput | None = strawberry.field(
        default=None,
        description="A part of what was promised; left out, all. The rest goes back to the payer.",
    )


@strawberry.type(description="What the payer entered is on its way. Subscribe to paymentUpdated.")
class ConfirmPaymentSuccess:
    payment: Payment = strawberry.field(description="The payment now.")


@strawberry.type(description="The capture is on its way. Subscribe to paymentUpdated.")
class CapturePaymentSuccess:
    payment: Payment = strawberry.field(description="The payment now.")


ConfirmPaymentResult = Annotated[
    ConfirmPaymentSuccess
    | PaymentNotWaitingError
    | IdempotencyKeyReusedError
    | IdempotencyInProgressError
    | NotFoundError
    | InvalidInputError
    | ForbiddenError,
    strawberry.union("ConfirmPaymentResult", description="Whether it is on its way to the provider."),
]
CapturePaymentResult = Annotated[
    CapturePaymentSuccess
    | PaymentNotWaitingError
    | WrongCurrencyError
    | CaptureTooMuchError
    | IdempotencyKeyReusedError
    | IdempotencyInProgressError
    | NotFoundError
    | InvalidInputError
    | ForbiddenError,
    strawberry.union("CapturePaymentResult", description="Whether the capture is on its way."),
]


@strawberry.type(description="What is done to a payment on its way.")
class PaymentStepMutations:
    @strawberry.mutation(
        description="Hands on what the payer entered, once; it is not kept. Needs payments:write."
    )
    async def confirm_payment(
        self,
        info: Info[TenantContext, None],
        input: Annotated[ConfirmPaymentInput, strawberry.argument(description="What was entered.")],
    ) -> ConfirmPaymentResult:
        view = await payment_steps.confirm_payment(
            info.context, inside(Kind.PAYMENT, input.id), input.values(), input.idempotency_key
        )
        return ConfirmPaymentSuccess(payment=Payment.of(view))

    @strawberry.mutation(
        description="Takes authorised money, all or a part. It has SUCCEEDED once the provider has answered. "
        "Needs payments:write."
    )
    async def capture_payment(
        self,
        info: Info[TenantContext, None],
        input: Annotated[CapturePaymentInput, strawberry.argument(description="What to capture.")],
    ) -> CapturePaymentResult:
        amount = None if input.amount is None else input.amount.to_domain()
        view = await payment_steps.capture_payment(
            info.context, inside(Kind.PAYMENT, input.id), amount, input.idempotency_key
        )
        return CapturePaymentSuccess(payment=Payment.of(view))
