"""Words about collecting money that the books, the adapters and the API share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Method(StrEnum):
    """How a payer pays."""

    MOBILE_MONEY = "mobile_money"
    CARD = "card"
    BANK_TRANSFER = "bank_transfer"


class CaptureMode(StrEnum):
    """When authorised money is taken."""

    AUTOMATIC = "automatic"
    MANUAL = "manual"
    """Only when the business asks for it, within the days the provider keeps the authorisation."""


class Feature(StrEnum):
    """What a provider can do: the catalog's `features`, and what an adapter says of itself."""

    COLLECT = "collect"
    QUERY = "query"
    CONFIRM = "confirm"
    """Takes a step of the payer through us: an OTP, a PIN, a payment method."""
    CAPTURE = "capture"
    CANCEL = "cancel"
    REFUND = "refund"
    PARTIAL_REFUND = "partial_refund"
    RECOVER = "recover"
    """Can be asked about an attempt whose answer was lost."""
    LIST = "list"
    """Lists its own payments, for the nightly sweep."""
    DISPUTE = "dispute"
    WEBHOOK = "webhook"
    PAYOUT = "payout"


class ActionKind(StrEnum):
    """What the payer has to do next."""

    REDIRECT = "redirect"
    """Open `url`."""
    CLIENT_SDK = "client_sdk"
    """Hand `data` (client secret and publishable key) to the provider's own script."""
    APPROVE_PROMPT = "approve_prompt"
    """Approve the prompt on the phone."""
    PAY_BY_HAND = "pay_by_hand"
    """Pay to `data`'s PayBill and account from the phone's menu."""
    ENTER_OTP = "enter_otp"
    ENTER_PIN = "enter_pin"
    ENTER_PHONE = "enter_phone"
    ENTER_BIRTHDAY = "enter_birthday"
    ENTER_ADDRESS = "enter_address"
    SHOW = "show"
    """Show `data` as it is: a code, a voucher, bank details."""


@dataclass(frozen=True, slots=True)
class NextAction:
    """One step of the payer, in words every front end can follow."""

    kind: ActionKind
    instructions: str
    """A sentence for the payer."""
    url: str | None = field(default=None, repr=False)
    data: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Never a secret of the business; a client secret is the payer's own."""
