"""What of a store deserves a second look by the platform's staff. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from core.money import Money

RECONCILED_WITHIN: Final = timedelta(hours=36)
"""A night, and half a day to notice that it failed."""
SEALED_WITHIN: Final = timedelta(minutes=10)
"""The chain of proof follows within a minute; ten are an outage."""


class Flag(StrEnum):
    """One thing about a store that somebody should look at."""

    NEGATIVE_BALANCE = "negative_balance"
    OPEN_FINDINGS = "open_findings"
    SUSPENSE_NOT_EMPTY = "suspense_not_empty"
    HOLDS_OVERDUE = "holds_overdue"
    NOT_RECONCILED = "not_reconciled"
    PROOF_BEHIND = "proof_behind"
    PROOF_BROKEN = "proof_broken"


@dataclass(frozen=True, slots=True)
class PlaceBalance:
    """What a store has at one place, and what is in suspense there."""

    holding: str
    """The TypeID of the channel, provider account or wallet."""
    custody: str
    total: Money
    reserved: Money
    suspense: Money
    """Of the whole place: nobody knows yet whose it is."""

    @property
    def available(self) -> Money:
        return self.total - self.reserved


@dataclass(frozen=True, slots=True)
class Facts:
    """What the flags of a store depend on."""

    balances: Sequence[PlaceBalance]
    open_findings: int
    overdue_holds: int
    reconciled_at: datetime | None
    unsealed_since: datetime | None
    """When the oldest transfer was recorded that is not sealed yet."""
    is_proof_broken: bool


@dataclass(frozen=True, slots=True)
class Raised:
    """A flag, and why it is raised, for people."""

    flag: Flag
    message: str


def raised(facts: Facts, now: datetime) -> list[Raised]:
    """The flags of a store, the gravest first."""
    reconciled_at, unsealed_since = facts.reconciled_at, facts.unsealed_since
    negative = [str(each.available) for each in facts.balances if each.available.minor < 0]
    waiting = [str(each.suspense) for each in facts.balances if each.suspense.minor]
    is_stale = reconciled_at is None or now - reconciled_at > RECONCILED_WITHIN
    is_behind = unsealed_since is not None and now - unsealed_since > SEALED_WITHIN
    checked = "never" if reconciled_at is None else f"last at {reconciled_at:%Y-%m-%d %H:%M} UTC"
    flags = (
        (facts.is_proof_broken, Flag.PROOF_BROKEN, "The last verification of the chain of proof failed."),
        (bool(negative), Flag.NEGATIVE_BALANCE, f"Less than nothing is available: {', '.join(negative)}."),
        (bool(facts.open_findings), Flag.OPEN_FINDINGS, f"Open findings: {facts.open_findings}."),
        (bool(waiting), Flag.SUSPENSE_NOT_EMPTY, f"In suspense where it collects: {', '.join(waiting)}."),
        (bool(facts.overdue_holds), Flag.HOLDS_OVERDUE, f"Holds past their time: {facts.overdue_holds}."),
        (is_stale, Flag.NOT_RECONCILED, f"Its books were checked {checked}."),
        (is_behind, Flag.PROOF_BEHIND, f"Transfers are unsealed since {unsealed_since:%Y-%m-%d %H:%M} UTC.")
        if unsealed_since is not None
        else (False, Flag.PROOF_BEHIND, ""),
    )
    return [Raised(flag, message) for is_raised, flag, message in flags if is_raised]
