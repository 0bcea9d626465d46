"""Words about collecting that several areas show: the ways to pay, and what a payer does next."""

import strawberry

from core.collecting import ActionKind, Method
from core.collecting import NextAction as CoreNextAction
from schema.scalars import api_enum

api_enum(
    Method,
    "PaymentMethod",
    "How a payer pays.",
    {
        Method.MOBILE_MONEY: "From a wallet on the phone, such as M-Pesa.",
        Method.CARD: "By a debit or credit card.",
        Method.BANK_TRANSFER: "From a bank account.",
    },
)
api_enum(
    ActionKind,
    "NextActionKind",
    "What the payer has to do next.",
    {
        ActionKind.REDIRECT: "Open `url`; the payer comes back by themselves.",
        ActionKind.CLIENT_SDK: "Hand `data` to the provider's own script in your app.",
        ActionKind.APPROVE_PROMPT: "Approve the prompt on the phone.",
        ActionKind.PAY_BY_HAND: "Pay from the phone's menu, to what `data` says.",
        ActionKind.ENTER_OTP: "Type the code that the provider has sent.",
        ActionKind.ENTER_PIN: "Type the PIN of the card.",
        ActionKind.ENTER_PHONE: "Type a phone number.",
        ActionKind.ENTER_BIRTHDAY: "Type the date of birth.",
        ActionKind.ENTER_ADDRESS: "Type the address of the card.",
        ActionKind.SHOW: "Look at `data`: a code, a voucher, bank details.",
    },
)


@strawberry.type(description="One named value of a next action.")
class NextActionValue:
    name: str = strawberry.field(description="Its name, such as `client_secret` or `account`.")
    value: str = strawberry.field(description="The value.")


@strawberry.type(description="One step of the payer, in words every front end can follow.")
class NextAction:
    kind: ActionKind = strawberry.field(description="What sort of step.")
    instructions: str = strawberry.field(description="A sentence for the payer.")
    url: str | None = strawberry.field(description="Where to go; null where the step needs no page.")
    data: list[NextActionValue] = strawberry.field(description="What the step needs, by name.")

    @classmethod
    def of(cls, action: CoreNextAction) -> "NextAction":
        return cls(
            kind=action.kind,
            instructions=action.instructions,
            url=action.url,
            data=[NextActionValue(name=name, value=value) for name, value in action.data.items()],
        )
