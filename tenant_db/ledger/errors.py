"""Refusals of the ledger.

DomainError
├── AmountNotPositive     a transfer moves more than nothing
├── SameAccount           source and destination are one account
├── TooManyPostings       a bulk is larger than the ledger takes at once
├── AccountUnknown        no such ledger account here
├── TransferUnknown       no such transfer here
├── CustodyMixed          money would change its custodian in the books alone
├── SystemAccount         a ledger account that only the system may touch so
├── (core.errors) InvalidInput, NotFound
├── (tenancy.idempotency) IdempotencyKeyReused
├── (core.money) CurrencyMismatch
└── LedgerRefusal         depends on the books, so an idempotency key remembers it
    ├── AccountClosed
    ├── AccountNotEmpty   it can't be closed while money is in it, or on its way
    ├── AccountCodeTaken  the code names an account with other properties
    ├── AmountTooLarge    a counter would have more than 38 digits
    ├── InsufficientFunds the source would fall below its floor
    ├── CeilingExceeded   the destination would rise above its ceiling
    ├── AlreadyReversed   the transfer was undone before
    ├── NotReversible     what undoes a transfer can't be undone itself
    ├── HoldUnknown       no such hold here
    ├── HoldAlreadyResolved
    ├── HoldExpired
    ├── HoldExceeded      more was to be posted than the hold has set aside
    └── HoldManaged       it belongs to a refund or payout, which resolves it

Stored refusals take plain text and numbers, so that they can be told again.
"""

from core.errors import DomainError


class AmountNotPositive(DomainError):
    """A transfer moves more than nothing."""

    code = "AMOUNT_NOT_POSITIVE"

    def __init__(self) -> None:
        super().__init__("A transfer moves an amount greater than zero. To move it back, swap the accounts.")


class SameAccount(DomainError):
    """Source and destination are one ledger account."""

    code = "SAME_ACCOUNT"

    def __init__(self) -> None:
        super().__init__("Source and destination are the same ledger account. Name two.")


class TooManyPostings(DomainError):
    """A bulk is larger than the ledger takes at once."""

    code = "TOO_MANY_POSTINGS"

    def __init__(self, postings_max: int) -> None:
        super().__init__(f"Send at most {postings_max} postings at once.")
        self.postings_max = postings_max


class AccountUnknown(DomainError):
    """There is no such ledger account."""

    code = "LEDGER_ACCOUNT_UNKNOWN"

    def __init__(self) -> None:
        super().__init__("There is no such ledger account in this business.")


class TransferUnknown(DomainError):
    """There is no such transfer."""

    code = "TRANSFER_UNKNOWN"

    def __init__(self) -> None:
        super().__init__("There is no such transfer in this business.")


class CustodyMixed(DomainError):
    """Money would change its custodian in the books alone."""

    code = "CUSTODY_MIXED"

    def __init__(self, source: str, destination: str) -> None:
        super().__init__(
            f"Money can't be moved from {source} to {destination} by hand: what the platform holds stays"
            " within its holding, and never mixes with what the business holds itself."
        )
        self.source = source
        """The code of the account."""
        self.destination = destination


class SystemAccount(DomainError):
    """Only the system itself does that to this ledger account."""

    code = "SYSTEM_ACCOUNT"

    def __init__(self, account: str) -> None:
        super().__init__(f"{account} is kept by the system.")
        self.account = account


class LedgerRefusal(DomainError):
    """The books as they stand forbid it; nothing was posted."""

    is_stored = True


class AccountClosed(LedgerRefusal):
    """The ledger account takes no entries any more."""

    code = "LEDGER_ACCOUNT_CLOSED"

    def __init__(self, account: str) -> None:
        super().__init__(f"The ledger account {account} is closed.")
        self.account = account
        """Its code."""


class AccountNotEmpty(LedgerRefusal):
    """A ledger account is closed when nothing is in it, nor on its way."""

    code = "LEDGER_ACCOUNT_NOT_EMPTY"

    def __init__(self, account: str, balance_minor: int, pending_minor: int, currency: str) -> None:
        super().__init__(f"{account} can't be closed: move its balance and resolve its holds first.")
        self.account = account
        self.balance_minor = balance_minor
        self.pending_minor = pending_minor
        """What its holds would take and bring."""
        self.currency = currency


class AccountCodeTaken(LedgerRefusal):
    """The code names a ledger account with other properties."""

    code = "LEDGER_ACCOUNT_CODE_TAKEN"

    def __init__(self, account: str) -> None:
        super().__init__(f"{account} exists with another side, store, floor or ceiling, or is closed.")
        self.account = account


class AmountTooLarge(LedgerRefusal):
    """A counter of the ledger account would have more than 38 digits."""

    code = "AMOUNT_TOO_LARGE"

    def __init__(self, account: str) -> None:
        super().__init__(f"{account} would have counted more than 38 digits. Open another ledger account.")
        self.account = account


class InsufficientFunds(LedgerRefusal):
    """Less is available than was asked for; pending holds count as spent."""

    code = "INSUFFICIENT_FUNDS"

    def __init__(self, account: str, available_minor: int, currency: str) -> None:
        super().__init__(f"{account} has less available than this transfer needs. Check its balance first.")
        self.account = account
        self.available_minor = available_minor
        """Above the floor, pending holds taken off."""
        self.currency = currency


class CeilingExceeded(LedgerRefusal):
    """The ledger account would hold more than its ceiling."""

    code = "CEILING_EXCEEDED"

    def __init__(self, account: str, ceiling_minor: int, currency: str) -> None:
        super().__init__(f"{account} would hold more than its ceiling.")
        self.account = account
        self.ceiling_minor = ceiling_minor
        self.currency = currency


class AlreadyReversed(LedgerRefusal):
    """The transfer was undone before, for another reason."""

    code = "ALREADY_REVERSED"

    def __init__(self, transfer_id: str) -> None:
        super().__init__(f"{transfer_id} was reversed before.")
        self.transfer_id = transfer_id
        """As clients see it."""


class NotReversible(LedgerRefusal):
    """What undoes a transfer can not be undone itself."""

    code = "NOT_REVERSIBLE"

    def __init__(self, transfer_id: str) -> None:
        super().__init__(f"{transfer_id} is itself a reversal. Post a new transfer instead.")
        self.transfer_id = transfer_id
        """As clients see it."""


class HoldUnknown(LedgerRefusal):
    """There is no such hold."""

    code = "HOLD_UNKNOWN"

    def __init__(self, hold_id: str) -> None:
        super().__init__("There is no such hold in this business.")
        self.hold_id = hold_id
        """As clients see it."""


class HoldAlreadyResolved(LedgerRefusal):
    """A hold is posted or voided once."""

    code = "HOLD_ALREADY_RESOLVED"

    def __init__(self, hold_id: str, resolution: str) -> None:
        super().__init__(f"{hold_id} was {resolution} before.")
        self.hold_id = hold_id
        self.resolution = resolution
        """`posted` or `voided`."""


class HoldExpired(LedgerRefusal):
    """The hold's time is over: what it had set aside is free."""

    code = "HOLD_EXPIRED"

    def __init__(self, hold_id: str) -> None:
        super().__init__(f"{hold_id} has expired. Place a new hold.")
        self.hold_id = hold_id


class HoldExceeded(LedgerRefusal):
    """More was to be posted than the hold has set aside."""

    code = "HOLD_EXCEEDED"

    def __init__(self, hold_id: str, amount_minor: int, currency: str) -> None:
        super().__init__(f"{hold_id} has set aside less than that.")
        self.hold_id = hold_id
        self.amount_minor = amount_minor
        """What it has set aside."""
        self.currency = currency


class VerificationRunning(LedgerRefusal):
    """Another verification of the ledger, with another head, goes on."""

    code = "VERIFICATION_RUNNING"

    def __init__(self, verification_id: str) -> None:
        super().__init__(f"{verification_id} still goes on. Try again when it has ended.")
        self.verification_id = verification_id


class HoldManaged(LedgerRefusal):
    """The hold belongs to a refund or payout, which resolves it."""

    code = "HOLD_MANAGED"

    def __init__(self, hold_id: str, reference: str) -> None:
        super().__init__(f"{hold_id} belongs to {reference}. Resolve that instead.")
        self.hold_id = hold_id
        self.reference = reference
