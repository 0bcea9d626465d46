"""Refusals of collecting.

DomainError
├── AmountNotWhole       the provider takes whole units only
├── AmountOutOfRange     below or above what the provider takes at once
├── WrongCurrency        the channel collects another currency
├── PhoneNotServed       no number of the provider's network
├── TextNotUsable        a description or order reference is empty or too long
├── PaymentAlreadySent   the payer may have been asked by now
├── NobodyCollects       no provider account fits, or those that do don't answer
├── MethodNotOffered     the provider does not collect this way
├── NotWaiting           the payment does not wait for what was sent
├── CaptureTooMuch       more than the payer's bank has promised
├── ChannelNotActive     the channel is not verified and active
├── AccountNotEnabled    the provider account is switched off
├── StoreClosed          the store takes no payments any more
├── PaymentInProgress    another attempt for this order is still open
└── OrderAlreadyPaid     an attempt for this order has succeeded

The last five depend on state, so an idempotency key remembers them; their arguments are plain text.
"""

from core.currency import Currency
from core.errors import DomainError
from core.money import Money


class AmountNotWhole(DomainError):
    code = "AMOUNT_NOT_WHOLE"

    def __init__(self, currency: Currency) -> None:
        super().__init__(f"M-Pesa takes whole {currency} only: amountMinor must be a multiple of 100.")
        self.currency = currency


class AmountOutOfRange(DomainError):
    code = "AMOUNT_OUT_OF_RANGE"

    def __init__(self, least: Money, most: Money | None) -> None:
        upper = f" and at most {most}" if most is not None else ""
        super().__init__(f"One payment here is at least {least}{upper}.")
        self.least = least
        self.most = most


class WrongCurrency(DomainError):
    code = "WRONG_CURRENCY"

    def __init__(self, expected: Currency, got: Currency) -> None:
        super().__init__(f"This channel collects {expected}, not {got}.")
        self.expected = expected
        self.got = got


class PhoneNotServed(DomainError):
    code = "PHONE_NOT_SERVED"

    def __init__(self) -> None:
        super().__init__("M-Pesa can prompt Kenyan mobile numbers only, such as +254700000001.")


class TextNotUsable(DomainError):
    code = "TEXT_NOT_USABLE"

    def __init__(self, field: str, characters_max: int) -> None:
        super().__init__(f"{field} must have 1 to {characters_max} printable characters.")
        self.field = field
        self.characters_max = characters_max


class ChannelNotActive(DomainError):
    code = "CHANNEL_NOT_ACTIVE"
    is_stored = True

    def __init__(self, status: str) -> None:
        super().__init__(f"This channel is {status}. Verify and activate it, then use a new key.")
        self.status = status


class AccountNotEnabled(DomainError):
    code = "ACCOUNT_NOT_ENABLED"
    is_stored = True

    def __init__(self) -> None:
        super().__init__("This provider account is switched off. Enable it, then use a new key.")


class NobodyCollects(DomainError):
    code = "NOBODY_COLLECTS"

    def __init__(self) -> None:
        super().__init__("No provider account collects this payment now. Ask explainRouting why.")


class MethodNotOffered(DomainError):
    code = "METHOD_NOT_OFFERED"

    def __init__(self, provider: str, what: str) -> None:
        super().__init__(f"{provider} does not offer {what} here.")
        self.provider = provider


class NotWaiting(DomainError):
    """The payment does not stand where this could be done to it."""

    code = "PAYMENT_NOT_WAITING"

    def __init__(self, status: str, for_what: str) -> None:
        super().__init__(f"This payment is {status} and does not wait {for_what}.")
        self.status = status


class CaptureTooMuch(DomainError):
    code = "CAPTURE_TOO_MUCH"

    def __init__(self, authorized: Money) -> None:
        super().__init__(f"The payer's bank has promised {authorized}: capture that, or less.")
        self.authorized = authorized


class StoreClosed(DomainError):
    code = "STORE_CLOSED"
    is_stored = True

    def __init__(self) -> None:
        super().__init__("This store is closed. Choose another one and use a new key.")


class PaymentInProgress(DomainError):
    code = "PAYMENT_IN_PROGRESS"
    is_stored = True

    def __init__(self, payment_id: str) -> None:
        super().__init__(f"{payment_id} for the same order is still open. Wait for it, then use a new key.")
        self.payment_id = payment_id
        """As clients see it."""


class OrderAlreadyPaid(DomainError):
    code = "ORDER_ALREADY_PAID"
    is_stored = True

    def __init__(self, payment_id: str) -> None:
        super().__init__(f"This order was paid by {payment_id}.")
        self.payment_id = payment_id
        """As clients see it."""


class PaymentAlreadySent(DomainError):
    """The payer may have been asked by now, so the payment can't be cancelled."""

    code = "PAYMENT_ALREADY_SENT"

    def __init__(self, status: str) -> None:
        super().__init__(f"This payment is {status}. Only a payment that was not sent yet can be cancelled.")
        self.status = status
