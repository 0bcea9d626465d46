"""What may be refused about a posting, a hold or a ledger account, and what postings are for."""

from enum import StrEnum
from functools import lru_cache
from typing import Final
from uuid import UUID

import strawberry

from core.currency import Currency
from core.errors import InvalidInput
from core.ids import Kind, inside
from core.money import CurrencyMismatch
from core.money import Money as CoreMoney
from schema.errors import (
    Error,
    ErrorKind,
    ForbiddenError,
    IdempotencyInProgressError,
    IdempotencyKeyReusedError,
    InvalidInputError,
    Refusal,
    Refused,
)
from schema.scalars import Money, api_enum
from tenant_db.ledger.errors import (
    AccountClosed,
    AccountCodeTaken,
    AccountNotEmpty,
    AccountUnknown,
    AlreadyReversed,
    AmountNotPositive,
    AmountTooLarge,
    CeilingExceeded,
    CustodyMixed,
    HoldAlreadyResolved,
    HoldExceeded,
    HoldExpired,
    HoldManaged,
    HoldUnknown,
    InsufficientFunds,
    NotReversible,
    SameAccount,
    SystemAccount,
    TooManyPostings,
    TransferUnknown,
)
from tenant_db.ledger.rules import TransferKind

IDS_KEPT_MAX: Final = 4_096


class PostingKind(StrEnum):
    """What people may post: adjustments and reversals have mutations of their own, which ask why."""

    SALE = TransferKind.SALE.value
    PAYOUT = TransferKind.PAYOUT.value
    FEE = TransferKind.FEE.value
    REFUND = TransferKind.REFUND.value
    TRANSFER = TransferKind.TRANSFER.value
    REWARD = TransferKind.REWARD.value


api_enum(
    PostingKind,
    "PostingKind",
    "What a posting is for. Corrections have `postAdjustment`, and mistakes `reverseTransfer`.",
    {
        PostingKind.SALE: "A payment came in.",
        PostingKind.PAYOUT: "Money left to the business.",
        PostingKind.FEE: "A provider's or the platform's fee.",
        PostingKind.REFUND: "Money went back to a payer.",
        PostingKind.TRANSFER: "Moves money between your own accounts.",
        PostingKind.REWARD: "A loyalty reward.",
    },
)


@strawberry.type(description="A transfer moves more than nothing.")
class AmountNotPositiveError(Error):
    pass


@strawberry.type(description="Source and destination are the same ledger account.")
class SameAccountError(Error):
    pass


@strawberry.type(description="More was sent than is taken at once. Nothing was posted.")
class TooManyPostingsError(Error):
    postings_max: int = strawberry.field(description="How many are taken at once.")


@strawberry.type(description="There is no such ledger account in your business.")
class LedgerAccountUnknownError(Error):
    pass


@strawberry.type(description="There is no such transfer in your business.")
class TransferUnknownError(Error):
    pass


@strawberry.type(description="A ledger account counts another currency.")
class CurrencyMismatchError(Error):
    expected: Currency = strawberry.field(description="What it counts.")
    got: Currency = strawberry.field(description="What you sent.")


@strawberry.type(
    description="Money the platform holds and money you hold never mix, and neither appears by hand."
)
class CustodyMixedError(Error):
    source: str = strawberry.field(description="The code of the account that would be debited.")
    destination: str = strawberry.field(description="The code of the account that would be credited.")


@strawberry.type(description="Only the system itself does that to this ledger account.")
class SystemAccountError(Error):
    account: str = strawberry.field(description="Its code.")


@strawberry.type(description="The ledger account takes no entries any more.")
class LedgerAccountClosedError(Error):
    account: str = strawberry.field(description="Its code.")


@strawberry.type(description="Something is in the ledger account, or on its way.")
class LedgerAccountNotEmptyError(Error):
    account: str = strawberry.field(description="Its code.")
    balance: Money = strawberry.field(description="What is in it.")
    pending: Money = strawberry.field(description="What its holds would take and bring.")


@strawberry.type(description="The code already names a ledger account that differs from what you sent.")
class LedgerAccountCodeTakenError(Error):
    account: str = strawberry.field(description="The code.")


@strawberry.type(description="A ledger account would have counted more than 38 digits.")
class AmountTooLargeError(Error):
    account: str = strawberry.field(description="Its code.")


@strawberry.type(description="Less is available than was asked for; pending holds count as spent.")
class InsufficientFundsError(Error):
    account: str = strawberry.field(description="The code of the ledger account.")
    available: Money = strawberry.field(description="What can be taken from it.")


@strawberry.type(description="A ledger account would hold more than its ceiling.")
class CeilingExceededError(Error):
    account: str = strawberry.field(description="Its code.")
    ceiling: Money = strawberry.field(description="The most it may hold.")


@strawberry.type(description="The transfer was reversed before.")
class AlreadyReversedError(Error):
    transfer_id: strawberry.ID = strawberry.field(description="The transfer.")


@strawberry.type(description="A reversal can't be reversed.")
class NotReversibleError(Error):
    transfer_id: strawberry.ID = strawberry.field(description="The transfer.")


@strawberry.type(description="There is no such hold in your business.")
class HoldUnknownError(Error):
    hold_id: strawberry.ID = strawberry.field(description="What you sent.")


@strawberry.type(description="The hold was posted or voided before.")
class HoldAlreadyResolvedError(Error):
    hold_id: strawberry.ID = strawberry.field(description="The hold.")
    resolution: str = strawberry.field(description="`posted` or `voided`.")


@strawberry.type(description="The hold's time is over; what it had set aside is free.")
class HoldExpiredError(Error):
    hold_id: strawberry.ID = strawberry.field(description="The hold.")


@strawberry.type(description="More was to be posted than the hold has set aside.")
class HoldExceededError(Error):
    hold_id: strawberry.ID = strawberry.field(description="The hold.")
    amount: Money = strawberry.field(description="What it has set aside.")


@strawberry.type(description="The hold belongs to a refund or payout, which resolves it.")
class HoldManagedError(Error):
    hold_id: strawberry.ID = strawberry.field(description="The hold.")
    reference: str = strawberry.field(description="What it belongs to.")


class AmountRefusal(Refusal[Refused, ErrorKind]):
    """Shows amounts as the API's Money: a field `available` from `available_minor` and `currency`."""

    def told(self, refusal: Refused) -> ErrorKind:
        amounts = {
            name.removesuffix("_minor"): Money.of(CoreMoney(value, Currency(vars(refusal)["currency"])))
            for name, value in vars(refusal).items()
            if name.endswith("_minor")
        }
        return self._shown(refusal, amounts)


REFUSALS = (
    Refusal(AmountNotPositive, AmountNotPositiveError),
    Refusal(SameAccount, SameAccountError),
    Refusal(TooManyPostings, TooManyPostingsError),
    Refusal(AccountUnknown, LedgerAccountUnknownError),
    Refusal(TransferUnknown, TransferUnknownError),
    Refusal(CurrencyMismatch, CurrencyMismatchError),
    Refusal(CustodyMixed, CustodyMixedError),
    Refusal(SystemAccount, SystemAccountError),
    Refusal(AccountClosed, LedgerAccountClosedError),
    AmountRefusal(AccountNotEmpty, LedgerAccountNotEmptyError),
    Refusal(AccountCodeTaken, LedgerAccountCodeTakenError),
    Refusal(AmountTooLarge, AmountTooLargeError),
    AmountRefusal(InsufficientFunds, InsufficientFundsError),
    AmountRefusal(CeilingExceeded, CeilingExceededError),
    Refusal(AlreadyReversed, AlreadyReversedError),
    Refusal(NotReversible, NotReversibleError),
    Refusal(HoldUnknown, HoldUnknownError),
    Refusal(HoldAlreadyResolved, HoldAlreadyResolvedError),
    Refusal(HoldExpired, HoldExpiredError),
    AmountRefusal(HoldExceeded, HoldExceededError),
    Refusal(HoldManaged, HoldManagedError),
)

CallRefusal = InvalidInputError | ForbiddenError | IdempotencyKeyReusedError | IdempotencyInProgressError
"""What any mutation with a key may be refused for."""

PostingRefusal = (
    AmountNotPositiveError
    | SameAccountError
    | LedgerAccountUnknownError
    | CurrencyMismatchError
    | CustodyMixedError
    | LedgerAccountClosedError
    | AmountTooLargeError
    | InsufficientFundsError
    | CeilingExceededError
    | CallRefusal
)
"""What a new transfer or hold may be refused for."""


# A bulk names the same few accounts a thousand times.
@lru_cache(maxsize=IDS_KEPT_MAX)
def account_id(field: str, text: str) -> UUID:
    """Raises InvalidInput, which names the field."""
    try:
        return inside(Kind.LEDGER_ACCOUNT, text)
    except InvalidInput as error:
        raise InvalidInput(field, error.message) from error
