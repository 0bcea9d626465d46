"""What may be refused about a payment."""

import strawberry

from core.currency import Currency
from schema.errors import Error, Refusal
from schema.scalars import Money
from tenant_db.payments.errors import (
    AccountNotEnabled,
    AmountNotWhole,
    AmountOutOfRange,
    ChannelNotActive,
    MethodNotOffered,
    NobodyCollects,
    OrderAlreadyPaid,
    PaymentAlreadySent,
    PaymentInProgress,
    PhoneNotServed,
    StoreClosed,
    TextNotUsable,
    WrongCurrency,
)


@strawberry.type(description="The channel can't take payments now.")
class ChannelNotActiveError(Error):
    status: str = strawberry.field(description="Where the channel is in its set-up, in lower case.")


@strawberry.type(description="The provider account is switched off.")
class AccountNotEnabledError(Error):
    pass


@strawberry.type(description="The provider does not collect this way.")
class MethodNotOfferedError(Error):
    provider: str = strawberry.field(description="The provider's code, such as `mpesa`.")


@strawberry.type(description="No provider account collects this payment now; `explainRouting` says why.")
class NobodyCollectsError(Error):
    pass


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
    Refusal(AccountNotEnabled, AccountNotEnabledError),
    Refusal(MethodNotOffered, MethodNotOfferedError),
    Refusal(NobodyCollects, NobodyCollectsError),
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
