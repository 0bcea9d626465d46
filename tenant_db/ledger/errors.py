"""Refusals of the ledger.

DomainError
├── AmountNotPositive     a transfer moves more than nothing
├── SameAccount           source and destination are one account
├── AccountUnknown        no such ledger account here
├── TransferUnknown       no such transfer here
├── (tenancy.idempotency) IdempotencyKeyReused
├── (core.money) CurrencyMismatch
└── LedgerRefusal         depends on the books, so an idempotency key remembers it
    ├── AccountClosed
    ├── InsufficientFunds the source would fall below its floor
    ├── CeilingExceeded   the destination would rise above its ceiling
    ├── AlreadyReversed   the transfer was undone before
    └── NotReversible     what undoes a transfer can't be undone itself

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
