"""The arithmetic of the books: what a movement does to an account, and when it is refused. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from core.currency import Currency
from tenant_db.ledger.errors import (
    AccountClosed,
    AmountTooLarge,
    CeilingExceeded,
    CustodyMixed,
    InsufficientFunds,
)
from tenant_db.ledger.limits import COUNTER_LIMIT

HOLDING_PREFIX: Final = "holding:"
STORE_PREFIX: Final = "store:"
CUSTOM_PREFIX: Final = "custom:"
"""Of the accounts that people open."""


class NormalSide(StrEnum):
    """The side on which an account's balance grows."""

    DEBIT = "debit"
    CREDIT = "credit"


class Custody(StrEnum):
    """Who holds the money that a holding stands for."""

    TENANT = "tenant"
    PLATFORM = "platform"


class TransferKind(StrEnum):
    """What a transfer is for."""

    SALE = "sale"
    PAYOUT = "payout"
    FEE = "fee"
    REFUND = "refund"
    ADJUSTMENT = "adjustment"
    REVERSAL = "reversal"
    TRANSFER = "transfer"
    REWARD = "reward"


class Overdraft(StrEnum):
    """Whether an account may fall below its floor."""

    REFUSED = "refused"
    ALLOWED = "allowed"
    """For what nobody here decides: a chargeback, a provider's reversal or its fee."""


class Origin(StrEnum):
    """Who asks for a posting."""

    SYSTEM = "system"
    """A settlement, refund or payout: it follows money that moves outside."""
    PEOPLE = "people"
    """Staff and their programs, through the API: nothing moves outside, so custody must stay as it is."""


@dataclass(slots=True)
class AccountState:
    """An account's counters in one transaction, in minor units of its currency. Changed in place.

    Guards come before writes: a write is never refused.
    """

    id: UUID
    code: str
    currency: Currency
    normal_side: NormalSide
    custody: Custody | None
    holding: str | None
    floor_minor: int | None
    ceiling_minor: int | None
    posted_debits_minor: int
    posted_credits_minor: int
    pending_debits_minor: int
    pending_credits_minor: int
    entry_count: int
    closed_at: datetime | None

    @property
    def posted_minor(self) -> int:
        """The final balance, on the normal side."""
        net = self.posted_debits_minor - self.posted_credits_minor
        return net if self.normal_side is NormalSide.DEBIT else -net

    @property
    def reserved_minor(self) -> int:
        """What pending holds will take, once posted."""
        if self.normal_side is NormalSide.DEBIT:
            return self.pending_credits_minor
        return self.pending_debits_minor

    @property
    def incoming_minor(self) -> int:
        """What pending holds will bring, once posted."""
        if self.normal_side is NormalSide.DEBIT:
            return self.pending_debits_minor
        return self.pending_credits_minor

    @property
    def available_minor(self) -> int:
        """What can still be taken: holds count as spent, what they would bring does not count yet."""
        return self.posted_minor - self.reserved_minor

    def guard(self, side: NormalSide, amount_minor: int, overdraft: Overdraft) -> None:
        """Refuse an entry, or a hold that would make one.

        Raises:
            AccountClosed: it takes no entries any more.
            AmountTooLarge: a counter would have more than 38 digits.
            InsufficientFunds: it would fall below its floor, and may not.
            CeilingExceeded: it would rise above its ceiling, what is pending included.
        """
        if self.closed_at is not None:
            raise AccountClosed(self.code)
        counted = self.posted_debits_minor + self.pending_debits_minor
        if side is NormalSide.CREDIT:
            counted = self.posted_credits_minor + self.pending_credits_minor
        if counted + amount_minor >= COUNTER_LIMIT:
            raise AmountTooLarge(self.code)
        if side is self.normal_side:
            self._guard_ceiling(amount_minor)
        elif self.floor_minor is not None and overdraft is Overdraft.REFUSED:
            self._guard_floor(self.floor_minor, amount_minor)

    def write(self, side: NormalSide, amount_minor: int) -> tuple[int, int, int]:
        """Make an entry; gives its sequence, and the balance before and after it."""
        before = self.posted_minor
        if side is NormalSide.DEBIT:
            self.posted_debits_minor += amount_minor
        else:
            self.posted_credits_minor += amount_minor
        self.entry_count += 1
        after = before + amount_minor if side is self.normal_side else before - amount_minor
        return self.entry_count, before, after

    def reserve(self, side: NormalSide, amount_minor: int) -> None:
        """Count a hold as pending; a negative amount lets it go."""
        if side is NormalSide.DEBIT:
            self.pending_debits_minor += amount_minor
        else:
            self.pending_credits_minor += amount_minor

    def _guard_floor(self, floor_minor: int, amount_minor: int) -> None:
        left = self.available_minor - floor_minor
        if amount_minor > left:
            raise InsufficientFunds(self.code, left, self.currency)

    def _guard_ceiling(self, amount_minor: int) -> None:
        if self.ceiling_minor is None:
            return
        if self.posted_minor + self.incoming_minor + amount_minor > self.ceiling_minor:
            raise CeilingExceeded(self.code, self.ceiling_minor, self.currency)


def guard_custody(source: AccountState, destination: AccountState) -> None:
    """Refuse a posting by people that would say that somebody else holds the money.

    What a holding has changes only when money moves outside, so only its parts can be posted against
    each other where the platform is the custodian.

    Raises:
        CustodyMixed: tenant and platform custody would mix, or the platform's part of a holding with
            anything but another part of it.
    """
    if source.custody is not Custody.PLATFORM and destination.custody is not Custody.PLATFORM:
        return
    is_within = source.custody is destination.custody and source.holding == destination.holding
    if not is_within or any(end.code.startswith(HOLDING_PREFIX) for end in (source, destination)):
        raise CustodyMixed(source.code, destination.code)
