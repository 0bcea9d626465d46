"""A ledger in plain dictionaries: what the real one must answer to one request at a time, and must hold."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from core.currency import Currency
from tenant_db.ledger.batching import Command, Linked
from tenant_db.ledger.commands import NewHold, NewTransfer, PostHold, Reverse, VoidHold
from tenant_db.ledger.rules import NormalSide, TransferKind

DEBIT = NormalSide.DEBIT


@dataclass(frozen=True, slots=True)
class Account:
    """What does not change about an account, and its balance."""

    id: UUID
    side: NormalSide
    currency: Currency = Currency.KES
    floor_minor: int | None = None
    ceiling_minor: int | None = None
    is_closed: bool = False
    posted_minor: int = 0
    reserved_minor: int = 0
    incoming_minor: int = 0

    def refusal(self, side: NormalSide, amount_minor: int) -> str | None:
        """Why it takes no such entry, or no hold that would make it."""
        if self.is_closed:
            return "LEDGER_ACCOUNT_CLOSED"
        if side is self.side:
            full = self.posted_minor + self.incoming_minor + amount_minor
            return "CEILING_EXCEEDED" if full > (self.ceiling_minor or full) else None
        left = self.posted_minor - self.reserved_minor - amount_minor
        return (
            "INSUFFICIENT_FUNDS" if left < (left if self.floor_minor is None else self.floor_minor) else None
        )

    def moved(self, side: NormalSide, amount_minor: int) -> "Account":
        change = amount_minor if side is self.side else -amount_minor
        return replace(self, posted_minor=self.posted_minor + change)

    def pending(self, side: NormalSide, amount_minor: int) -> "Account":
        if side is self.side:
            return replace(self, incoming_minor=self.incoming_minor + amount_minor)
        return replace(self, reserved_minor=self.reserved_minor + amount_minor)


@dataclass(frozen=True, slots=True)
class Moved:
    """A transfer that was acknowledged."""

    id: UUID
    source_id: UUID
    destination_id: UUID
    amount_minor: int
    kind: str
    currency: Currency


@dataclass(frozen=True, slots=True)
class Held:
    """A hold that was acknowledged."""

    new: NewHold
    state: str = "pending"
    posted_minor: int = 0


@dataclass(slots=True)
class Oracle:
    """Accounts by id, transfers by key, holds by id."""

    accounts: dict[UUID, Account]
    transfers: dict[str, Moved] = field(default_factory=dict)
    holds: dict[UUID, Held] = field(default_factory=dict)

    def refusal(self, command: Command, now: datetime) -> str | None:
        """The code with which a request is refused that comes alone, under a key of its own."""
        match command:
            case Linked(transfers):
                return self._refusal_of_group([_movement(new) for new in transfers])
            case NewHold():
                is_late = command.expires_at is not None and command.expires_at <= now
                return "INVALID_INPUT" if is_late else self._refusal_of_group([_movement(command)])
            case PostHold(hold_id, part):
                held = self.holds[hold_id]
                exceeded = part is not None and part.minor > held.new.amount.minor
                return _resolved(held, now) or ("HOLD_EXCEEDED" if exceeded else None)
            case VoidHold(hold_id):
                return _resolved(self.holds[hold_id], now)
            case Reverse(transfer_id):
                return self._refusal_of_reversal(transfer_id)

    def apply(self, command: Command) -> None:
        """Take over what a command did."""
        match command:
            case Linked(transfers):
                for new in transfers:
                    self._move(
                        new.idempotency_key, Moved(new.id, *_movement(new), new.kind, new.amount.currency)
                    )
            case NewHold():
                self.holds[command.id] = Held(command)
                self._reserve(command, command.amount.minor)
            case PostHold(hold_id, part):
                amount = part or self.holds[hold_id].new.amount
                hold = self._let_go(hold_id, "posted", amount.minor)
                moved = Moved(
                    command.id, hold.source_id, hold.destination_id, amount.minor, hold.kind, amount.currency
                )
                self._move(f"hold:{hold_id}", moved)
            case VoidHold(hold_id):
                self._let_go(hold_id, "voided", 0)
            case Reverse(transfer_id):
                original = self._transfer(transfer_id)
                source, destination, amount_minor = _swapped(original)
                kind = TransferKind.REVERSAL
                moved = Moved(command.id, source, destination, amount_minor, kind, original.currency)
                self._move(f"reversal:{transfer_id}", moved)

    def expire(self, now: datetime) -> None:
        """Let go of what has waited for too long."""
        due = [
            hold_id
            for hold_id, held in self.holds.items()
            if _resolved(held, now) and held.state == "pending"
        ]
        for hold_id in due:
            self._let_go(hold_id, "expired", 0)

    def _refusal_of_reversal(self, transfer_id: UUID) -> str | None:
        original = self._transfer(transfer_id)
        if original.kind == TransferKind.REVERSAL:
            return "NOT_REVERSIBLE"
        if f"reversal:{transfer_id}" in self.transfers:
            return "ALREADY_REVERSED"
        return self._refusal_of_group([_swapped(original)])

    def _refusal_of_group(self, movements: "list[Movement]") -> str | None:
        """Of the first that is refused, after those before it."""
        accounts = dict(self.accounts)
        for source_id, destination_id, amount_minor in movements:
            source, destination = accounts[source_id], accounts[destination_id]
            if source.currency is not destination.currency:
                return "CURRENCY_MISMATCH"
            refusal = source.refusal(DEBIT, amount_minor) or destination.refusal(
                NormalSide.CREDIT, amount_minor
            )
            if refusal is not None:
                return refusal
            accounts[source_id] = source.moved(DEBIT, amount_minor)
            accounts[destination_id] = destination.moved(NormalSide.CREDIT, amount_minor)
        return None

    def _move(self, key: str, moved: Moved) -> None:
        assert key not in self.transfers, f"{key} was applied twice"
        self.transfers[key] = moved
        for id_, side in ((moved.source_id, DEBIT), (moved.destination_id, NormalSide.CREDIT)):
            self.accounts[id_] = self.accounts[id_].moved(side, moved.amount_minor)

    def _reserve(self, new: NewHold, amount_minor: int) -> None:
        for id_, side in ((new.source_id, DEBIT), (new.destination_id, NormalSide.CREDIT)):
            self.accounts[id_] = self.accounts[id_].pending(side, amount_minor)

    def _let_go(self, hold_id: UUID, state: str, posted_minor: int) -> NewHold:
        held = self.holds[hold_id]
        assert held.state == "pending", f"{hold_id} was {held.state}, and is {state} now"
        self.holds[hold_id] = replace(held, state=state, posted_minor=posted_minor)
        self._reserve(held.new, -held.new.amount.minor)
        return held.new

    def _transfer(self, transfer_id: UUID) -> Moved:
        return next(moved for moved in self.transfers.values() if moved.id == transfer_id)


Movement = tuple[UUID, UUID, int]


def _movement(new: NewTransfer | NewHold) -> Movement:
    return new.source_id, new.destination_id, new.amount.minor


def _swapped(original: Moved) -> Movement:
    return original.destination_id, original.source_id, original.amount_minor


def _resolved(held: Held, now: datetime) -> str | None:
    """Why a hold can't be resolved any more."""
    if held.state in {"posted", "voided"}:
        return "HOLD_ALREADY_RESOLVED"
    is_over = held.new.expires_at is not None and held.new.expires_at <= now
    return "HOLD_EXPIRED" if is_over or held.state == "expired" else None
