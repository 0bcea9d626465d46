"""What the ledger can be told to do. A command is checked when it is made for what needs no books. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from core.ids import new_id
from core.money import Money
from tenant_db.ledger.errors import AmountNotPositive, SameAccount
from tenant_db.ledger.limits import (
    KEY_LENGTH_MAX,
    REASON_LENGTH_MAX,
    REFERENCE_LENGTH_MAX,
    as_json,
    guard_text,
)
from tenant_db.ledger.rules import Overdraft, TransferKind

PEOPLE: Final = "people:"
"""Before each key that people choose, so that they can't take one of ours, such as `sale:{payment}`."""


def of_people(key: str) -> str:
    """The key of a transfer or hold that people asked for under `key`."""
    return f"{PEOPLE}{key}"


def require_people(keys: Iterable[str]) -> None:
    """Raises ValueError where a key of a request was not made by `of_people`: it could be one of ours."""
    if not all(key.startswith(PEOPLE) for key in keys):
        raise ValueError("the key of a request is made by `of_people`")


@dataclass(frozen=True, slots=True)
class NewTransfer:
    """The command to move one amount from one ledger account to another.

    Raises:
        AmountNotPositive: it would move nothing, or less.
        SameAccount: source and destination are one.
        InvalidInput: the reference, the key or the details can't be stored.
    """

    source_id: UUID
    """Is debited. A sale goes from `holding:…` to `store:…:available:…`, and both balances grow."""
    destination_id: UUID
    """Is credited."""
    amount: Money
    kind: TransferKind
    reference: str
    """What it is about: a payment's TypeID, or the caller's own reference."""
    idempotency_key: str
    """`sale:{payment}`: one effect, one key."""
    effective_at: datetime | None = None
    """When it counts; None is now."""
    reverses_id: UUID | None = None
    overdraft: Overdraft = Overdraft.REFUSED
    details: Mapping[str, Any] = field(default_factory=dict)
    id: UUID = field(default_factory=new_id, compare=False)
    """Of the transfer, if this command makes one: a repeat gives the earlier one's."""
    details_json: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        _guard_movement(self.source_id, self.destination_id, self.amount)
        guard_text("reference", self.reference, REFERENCE_LENGTH_MAX)
        guard_text("idempotencyKey", self.idempotency_key, KEY_LENGTH_MAX)
        _guard_aware(self.effective_at)
        object.__setattr__(self, "details_json", as_json("details", self.details))


@dataclass(frozen=True, slots=True)
class NewHold:
    """The command to set an amount aside: it counts as spent, and moves when the hold is posted.

    Raises:
        What NewTransfer raises.
    """

    source_id: UUID
    destination_id: UUID
    amount: Money
    kind: TransferKind
    """Of the transfer that posts it."""
    reference: str
    idempotency_key: str
    expires_at: datetime | None = None
    """From then on it can only be let go. None: it waits for ever."""
    details: Mapping[str, Any] = field(default_factory=dict)
    id: UUID = field(default_factory=new_id, compare=False)
    details_json: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        _guard_movement(self.source_id, self.destination_id, self.amount)
        guard_text("reference", self.reference, REFERENCE_LENGTH_MAX)
        guard_text("idempotencyKey", self.idempotency_key, KEY_LENGTH_MAX)
        _guard_aware(self.expires_at)
        object.__setattr__(self, "details_json", as_json("details", self.details))


@dataclass(frozen=True, slots=True)
class PostHold:
    """The command to move what a hold has set aside, once.

    Raises:
        AmountNotPositive: the part is nothing, or less.
    """

    hold_id: UUID
    amount: Money | None = None
    """A part of it, the rest is let go; None is all of it."""
    effective_at: datetime | None = None
    id: UUID = field(default_factory=new_id, compare=False)
    """Of the transfer."""

    def __post_init__(self) -> None:
        if self.amount is not None and self.amount.minor <= 0:
            raise AmountNotPositive
        _guard_aware(self.effective_at)


@dataclass(frozen=True, slots=True)
class VoidHold:
    """The command to let go of what a hold has set aside, once."""

    hold_id: UUID


@dataclass(frozen=True, slots=True)
class Reverse:
    """The command to move the whole amount of a transfer back, once.

    Raises:
        InvalidInput: the reason can't be stored.
    """

    transfer_id: UUID
    reason: str
    overdraft: Overdraft = Overdraft.REFUSED
    """Allowed where a provider took the money back whether it is still there or not."""
    id: UUID = field(default_factory=new_id, compare=False)
    """Of the reversing transfer."""

    def __post_init__(self) -> None:
        guard_text("reason", self.reason, REASON_LENGTH_MAX)


def _guard_aware(instant: datetime | None) -> None:
    if instant is not None and instant.tzinfo is None:
        raise ValueError("an instant says its offset from UTC")


def _guard_movement(source_id: UUID, destination_id: UUID, amount: Money) -> None:
    if amount.minor <= 0:
        raise AmountNotPositive
    if source_id == destination_id:
        raise SameAccount
