"""The book of one transaction: accounts under their locks, and what is to be written of them. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from core.currency import Currency
from core.errors import DomainError, InvalidInput
from core.ids import Kind, outside
from core.money import CurrencyMismatch, Money
from tenancy.idempotency import IdempotencyKeyReused
from tenant_db.ledger.commands import PEOPLE, NewHold, NewTransfer, PostHold, Reverse
from tenant_db.ledger.errors import (
    AccountUnknown,
    AlreadyReversed,
    HoldAlreadyResolved,
    HoldExceeded,
    HoldExpired,
    HoldManaged,
    NotReversible,
)
from tenant_db.ledger.repeats import is_repeat, is_repeated_hold
from tenant_db.ledger.results import Held, Posted, held_of, posted_of, posted_of_hold
from tenant_db.ledger.rules import (
    AccountState,
    NormalSide,
    Origin,
    Overdraft,
    TransferKind,
    guard_custody,
)

__all__ = ["Book", "Held", "Posted", "reversal_key"]

DEBIT: Final = NormalSide.DEBIT
CREDIT: Final = NormalSide.CREDIT


class Book:
    """Carries out commands one after another; whoever is refused leaves no trace.

    `transfers` and `holds` are earlier ones that commands may repeat or resolve.
    """

    __slots__ = (
        "_holds_by_key",
        "_origin",
        "_transfers_by_key",
        "accounts",
        "balances",
        "placed",
        "posted",
        "resolved",
    )

    def __init__(
        self,
        accounts: Mapping[UUID, AccountState],
        transfers: Iterable[Posted] = (),
        holds: Iterable[Held] = (),
        origin: Origin = Origin.SYSTEM,
    ) -> None:
        self.accounts = accounts
        self.posted: list[Posted] = []
        """To be written."""
        self.balances: list[tuple[int, int, int, int]] = []
        """For each of `posted`: the source's balance before and after, the destination's before and after."""
        self.placed: list[Held] = []
        self.resolved: list[Held] = []
        self._transfers_by_key = {transfer.idempotency_key: transfer for transfer in transfers}
        self._holds_by_key = {hold.idempotency_key: hold for hold in holds}
        self._origin = origin

    @property
    def is_changed(self) -> bool:
        return bool(self.posted or self.placed or self.resolved)

    def changed_accounts(self) -> list[AccountState]:
        """Those whose counters are no longer what the database has."""
        ids: set[UUID] = set()
        for rows in (self.posted, self.placed, self.resolved):
            for row in rows:
                ids.add(row.source_id)
                ids.add(row.destination_id)
        return [self.accounts[id_] for id_ in ids]

    def post(self, news: Sequence[NewTransfer]) -> list[Posted]:
        """Post transfers that succeed or fail together, in their order, each key once.

        Raises:
            IdempotencyKeyReused: a key already stands for a different transfer.
            AccountUnknown: an id names no account here.
            CurrencyMismatch: an account holds a currency other than the transfer's.
            CustodyMixed: people may not post between these accounts.
            LedgerRefusal: an account refuses its entry, as `AccountState.guard` says.
        """
        if len(news) == 1:
            return [self._post_or_repeat(news[0])]
        saved = self._saved(news)
        try:
            return [self._post_or_repeat(new) for new in news]
        except DomainError:
            self._restore(saved)
            raise

    def reverse(self, original: Posted, command: Reverse) -> Posted:
        """Move the whole amount of a transfer back. The system may repeat itself, for the same reason.

        Raises:
            NotReversible: it is a reversal.
            AlreadyReversed: it was reversed before.
            What `post` raises.
        """
        if original.kind == TransferKind.REVERSAL:
            raise NotReversible(outside(Kind.TRANSFER, original.id))
        undoing = NewTransfer(
            source_id=original.destination_id,
            destination_id=original.source_id,
            amount=Money(original.amount_minor, original.currency),
            kind=TransferKind.REVERSAL,
            reference=original.reference,
            idempotency_key=reversal_key(original.id),
            reverses_id=original.id,
            overdraft=command.overdraft,
            details={"reason": command.reason},
            id=command.id,
        )
        earlier = self._transfers_by_key.get(undoing.idempotency_key)
        if earlier is not None and (self._origin is Origin.PEOPLE or not is_repeat(undoing, earlier)):
            raise AlreadyReversed(outside(Kind.TRANSFER, original.id))
        return self._post_or_repeat(undoing)

    def place(self, new: NewHold, now: datetime) -> Held:
        """Set an amount aside on both accounts.

        Raises:
            InvalidInput: it would have expired.
            What `post` raises.
        """
        earlier = self._holds_by_key.get(new.idempotency_key)
        if earlier is not None:
            if not is_repeated_hold(new, earlier):
                raise IdempotencyKeyReused
            return earlier
        if new.expires_at is not None and new.expires_at <= now:
            raise InvalidInput("expiresAt", "Send a time that is still to come.")
        source, destination = self._ends(new.source_id, new.destination_id, new.amount.currency)
        amount = new.amount.minor
        source.guard(DEBIT, amount, Overdraft.REFUSED)
        destination.guard(CREDIT, amount, Overdraft.REFUSED)
        source.reserve(DEBIT, amount)
        destination.reserve(CREDIT, amount)
        held = held_of(new)
        self.placed.append(held)
        self._holds_by_key[new.idempotency_key] = held
        return held

    def post_hold(self, hold: Held, command: PostHold, now: datetime) -> Posted:
        """Move what a hold has set aside, or a part of it; the rest is let go. It breaks no limit.

        Raises:
            CurrencyMismatch: the part is in another currency.
            HoldExceeded: the part is more than the hold.
            What `void_hold` raises.
        """
        self._guard_pending(hold, now)
        amount = _part(hold, command.amount)
        source, destination = self._let_go(hold)
        posted = posted_of_hold(hold, command, amount)
        self._write(posted, source, destination)
        self._resolve(hold, "posted", amount)
        return posted

    def void_hold(self, hold: Held, now: datetime) -> None:
        """Let go of what a hold has set aside.

        Raises:
            HoldManaged: people can't resolve what a refund or payout has placed.
            HoldAlreadyResolved: it was posted or voided before.
            HoldExpired: its time is over.
        """
        self._guard_pending(hold, now)
        self._let_go(hold)
        self._resolve(hold, "voided", 0)

    def expire_hold(self, hold: Held) -> None:
        """Let go of what a pending hold has set aside, because its time is over."""
        self._let_go(hold)
        self._resolve(hold, "expired", 0)

    def _post_or_repeat(self, new: NewTransfer) -> Posted:
        earlier = self._transfers_by_key.get(new.idempotency_key)
        if earlier is not None:
            if not is_repeat(new, earlier):
                raise IdempotencyKeyReused
            return earlier
        source, destination = self._ends(new.source_id, new.destination_id, new.amount.currency)
        amount = new.amount.minor
        # Both guards before both writes, so that a refusal leaves no trace.
        source.guard(DEBIT, amount, new.overdraft)
        destination.guard(CREDIT, amount, new.overdraft)
        posted = posted_of(new)
        self._write(posted, source, destination)
        return posted

    def _ends(
        self, source_id: UUID, destination_id: UUID, currency: Currency
    ) -> tuple[AccountState, AccountState]:
        try:
            source, destination = self.accounts[source_id], self.accounts[destination_id]
        except KeyError:
            raise AccountUnknown from None
        for end in (source, destination):
            if end.currency is not currency:
                raise CurrencyMismatch(end.currency, currency)
        if self._origin is Origin.PEOPLE:
            guard_custody(source, destination)
        return source, destination

    def _write(self, posted: Posted, source: AccountState, destination: AccountState) -> None:
        posted.source_sequence, before, after = source.write(DEBIT, posted.amount_minor)
        posted.destination_sequence, target_before, target_after = destination.write(
            CREDIT, posted.amount_minor
        )
        self.posted.append(posted)
        self.balances.append((before, after, target_before, target_after))
        self._transfers_by_key[posted.idempotency_key] = posted

    def _guard_pending(self, hold: Held, now: datetime) -> None:
        if self._origin is Origin.PEOPLE and not hold.idempotency_key.startswith(PEOPLE):
            raise HoldManaged(outside(Kind.HOLD, hold.id), hold.reference)
        if hold.state in {"posted", "voided"}:
            raise HoldAlreadyResolved(outside(Kind.HOLD, hold.id), hold.state)
        if hold.state == "expired" or (hold.expires_at is not None and hold.expires_at <= now):
            raise HoldExpired(outside(Kind.HOLD, hold.id))

    def _let_go(self, hold: Held) -> tuple[AccountState, AccountState]:
        source, destination = self.accounts[hold.source_id], self.accounts[hold.destination_id]
        source.reserve(DEBIT, -hold.amount_minor)
        destination.reserve(CREDIT, -hold.amount_minor)
        return source, destination

    def _resolve(self, hold: Held, state: str, posted_minor: int) -> None:
        hold.state = state
        hold.posted_minor = posted_minor
        self.resolved.append(hold)

    def _saved(self, news: Sequence[NewTransfer]) -> tuple[int, list[tuple[AccountState, int, int, int]]]:
        ids = {id_ for new in news for id_ in (new.source_id, new.destination_id)}
        touched = [self.accounts[id_] for id_ in ids if id_ in self.accounts]
        counters = [
            (account, account.posted_debits_minor, account.posted_credits_minor, account.entry_count)
            for account in touched
        ]
        return len(self.posted), counters

    def _restore(self, saved: tuple[int, list[tuple[AccountState, int, int, int]]]) -> None:
        length, counters = saved
        for account, debits, credits_, entries in counters:
            account.posted_debits_minor = debits
            account.posted_credits_minor = credits_
            account.entry_count = entries
        for posted in self.posted[length:]:
            del self._transfers_by_key[posted.idempotency_key]
        del self.posted[length:], self.balances[length:]


def reversal_key(transfer_id: UUID) -> str:
    """Of the transfer that undoes another: there is one at most."""
    return f"reversal:{transfer_id}"


def _part(hold: Held, part: Money | None) -> int:
    if part is None:
        return hold.amount_minor
    if part.currency is not hold.currency:
        raise CurrencyMismatch(hold.currency, part.currency)
    if part.minor > hold.amount_minor:
        raise HoldExceeded(outside(Kind.HOLD, hold.id), hold.amount_minor, hold.currency)
    return part.minor
