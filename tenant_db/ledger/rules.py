"""The arithmetic of the books: what a movement does to an account, and when it is refused. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from core.currency import Currency
from core.money import CurrencyMismatch, Money
from tenant_db.ledger.errors import AccountClosed, CeilingExceeded, InsufficientFunds


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


@dataclass(frozen=True, slots=True)
class AccountState:
    """An account's counters at one moment, in minor units of its currency."""

    id: UUID
    code: str
    currency: Currency
    normal_side: NormalSide
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
        return self._net(self.posted_debits_minor, self.posted_credits_minor)

    @property
    def reserved_minor(self) -> int:
        """What pending holds will take, once posted."""
        return self._falling(self.pending_debits_minor, self.pending_credits_minor)

    @property
    def incoming_minor(self) -> int:
        """What pending holds will bring, once posted."""
        return self._falling(self.pending_credits_minor, self.pending_debits_minor)

    @property
    def available_minor(self) -> int:
        """What can still be taken: holds count as spent, what they would bring does not count yet."""
        return self.posted_minor - self.reserved_minor

    def moved(self, side: NormalSide, amount_minor: int, overdraft: Overdraft) -> "AccountState":
        """The account after one entry.

        Raises:
            AccountClosed: it takes no entries any more.
            InsufficientFunds: it would fall below its floor, and may not.
            CeilingExceeded: it would rise above its ceiling, what is pending included.
        """
        if self.closed_at is not None:
            raise AccountClosed(self.code)
        debit = amount_minor if side is NormalSide.DEBIT else 0
        after = replace(
            self,
            posted_debits_minor=self.posted_debits_minor + debit,
            posted_credits_minor=self.posted_credits_minor + amount_minor - debit,
            entry_count=self.entry_count + 1,
        )
        if side is self.normal_side:
            _guard_ceiling(after)
        elif overdraft is Overdraft.REFUSED:
            _guard_floor(self, after)
        return after

    def _net(self, debits: int, credits_: int) -> int:
        return debits - credits_ if self.normal_side is NormalSide.DEBIT else credits_ - debits

    def _falling(self, debits: int, credits_: int) -> int:
        return credits_ if self.normal_side is NormalSide.DEBIT else debits


def _guard_floor(before: AccountState, after: AccountState) -> None:
    if after.floor_minor is not None and after.available_minor < after.floor_minor:
        left = before.available_minor - after.floor_minor
        raise InsufficientFunds(after.code, left, after.currency)


def _guard_ceiling(after: AccountState) -> None:
    expected = after.posted_minor + after.incoming_minor
    if after.ceiling_minor is not None and expected > after.ceiling_minor:
        raise CeilingExceeded(after.code, after.ceiling_minor, after.currency)


@dataclass(frozen=True, slots=True)
class Movement:
    """An amount on its way from one account to another."""

    source_id: UUID
    destination_id: UUID
    amount: Money
    overdraft: Overdraft


@dataclass(frozen=True, slots=True)
class NewEntry:
    """One account's side of a movement, with the balance it found and the one it left."""

    movement: int
    """Which of the movements, counted from 0."""
    account_id: UUID
    sequence: int
    side: NormalSide
    amount_minor: int
    balance_before_minor: int
    balance_after_minor: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What movements come to: the accounts afterwards, and an entry for each side of each."""

    accounts: Mapping[UUID, AccountState]
    entries: Sequence[NewEntry]


def carry_out(accounts: Mapping[UUID, AccountState], movements: Sequence[Movement]) -> Outcome:
    """Apply movements one after another; the source is debited, the destination credited.

    `accounts` holds every account that is named, and is left as it is.

    Raises:
        CurrencyMismatch: an account holds a currency other than the movement's.
        LedgerRefusal: the first movement that its accounts refuse, as `AccountState.moved` says.
    """
    now = dict(accounts)
    entries = []
    for number, movement in enumerate(movements):
        for side, account_id in (
            (NormalSide.DEBIT, movement.source_id),
            (NormalSide.CREDIT, movement.destination_id),
        ):
            before = now[account_id]
            after = now[account_id] = _step(before, side, movement)
            entries.append(_entry(number, side, movement, before, after))
    touched = {entry.account_id for entry in entries}
    return Outcome({id_: now[id_] for id_ in touched}, entries)


def _step(account: AccountState, side: NormalSide, movement: Movement) -> AccountState:
    if account.currency is not movement.amount.currency:
        raise CurrencyMismatch(account.currency, movement.amount.currency)
    return account.moved(side, movement.amount.minor, movement.overdraft)


def _entry(
    number: int, side: NormalSide, movement: Movement, before: AccountState, after: AccountState
) -> NewEntry:
    return NewEntry(
        movement=number,
        account_id=before.id,
        sequence=after.entry_count,
        side=side,
        amount_minor=movement.amount.minor,
        balance_before_minor=before.posted_minor,
        balance_after_minor=after.posted_minor,
    )
