"""What a discrepancy is, what makes two of them the same, and what probably happened. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Final
from uuid import UUID

from core.currency import Currency
from tenant_db.ledger.rules import NormalSide

OF_A_KIND_MAX: Final = 100
"""Discrepancies of one kind that one check writes down: beyond that, people need the first ones."""
SHARED: Final = "shared"
"""The scope of what belongs to no store and to no one holding."""


class AskedBy(StrEnum):
    """Who wanted the books checked."""

    NIGHT = "night"
    TENANT = "tenant"
    STAFF = "staff"


class FindingState(StrEnum):
    """Where a finding is."""

    OPEN = "open"
    RESOLVED = "resolved"
    """A person has dealt with it; being seen again does not open it."""
    VANISHED = "vanished"
    """A later check no longer saw it."""


class FindingKind(StrEnum):
    """What does not agree with what."""

    ACCOUNT_BALANCE = "account_balance"
    ENTRY_GAP = "entry_gap"
    RUNNING_BALANCE = "running_balance"
    ENTRY_MISMATCH = "entry_mismatch"
    HOLD_TOTAL = "hold_total"
    SALE_MISSING = "sale_missing"
    SALE_SET_ASIDE = "sale_set_aside"
    SALE_WRONG = "sale_wrong"
    SALE_DUPLICATE = "sale_duplicate"
    SALE_UNFOUNDED = "sale_unfounded"
    REFUND_EXCESS = "refund_excess"
    REFUND_WRONG = "refund_wrong"
    PAYOUT_DUPLICATE = "payout_duplicate"
    HOLDING_TOTAL = "holding_total"
    HOLDINGS_MIXED = "holdings_mixed"
    BOOKS_UNBALANCED = "books_unbalanced"


_ALTERED: Final = (
    "The software never does this by itself: somebody changed the database directly, or it was restored "
    "from a damaged copy. Tell the platform before you correct anything."
)

CAUSES: Final[Mapping[FindingKind, str]] = {
    FindingKind.ACCOUNT_BALANCE: f"The balance shown is not the sum of the account's entries. {_ALTERED}",
    FindingKind.ENTRY_GAP: f"Entries of this account are missing from its numbered list. {_ALTERED}",
    FindingKind.RUNNING_BALANCE: (
        f"The running balance of an entry does not follow from the entry before it. {_ALTERED}"
    ),
    FindingKind.ENTRY_MISMATCH: (
        f"A transfer and the account's entry for it tell different amounts, or one is missing. {_ALTERED}"
    ),
    FindingKind.HOLD_TOTAL: (
        "The amount shown as reserved is not the sum of the pending holds: a hold was ended without "
        "releasing what it had reserved, or the other way round."
    ),
    FindingKind.SALE_MISSING: (
        "The payer paid, but the store was never credited. If its account was closed or full at that "
        "moment, credit it now with an adjustment."
    ),
    FindingKind.SALE_SET_ASIDE: (
        "The payer paid, but the store's account took no entries at that moment: it was closed or full. "
        "The money is in suspense; move it to the store with an adjustment."
    ),
    FindingKind.SALE_WRONG: (
        "The store was credited another amount than the payer paid, or another store or channel was "
        "credited. Correct it with an adjustment of the difference."
    ),
    FindingKind.SALE_DUPLICATE: (
        "One payment was credited twice, perhaps once by hand. Reverse the second credit."
    ),
    FindingKind.SALE_UNFOUNDED: (
        "The store was credited a sale for which there is no successful payment on this channel: it was "
        "posted by hand, or its payment was never paid. Reverse it, unless the money did come in."
    ),
    FindingKind.REFUND_EXCESS: (
        "More was refunded than the payment brought in. Probably the refund was asked for twice, once here "
        "and once at the provider."
    ),
    FindingKind.REFUND_WRONG: (
        "A refund and what was posted for it differ: another amount, nothing, or something although it was "
        "not made. Compare it with what the provider shows, and correct the difference with an adjustment."
    ),
    FindingKind.PAYOUT_DUPLICATE: (
        "The same payout was taken from the store more than once. Ask the provider whether it was paid "
        "twice; reverse the one that was not paid."
    ),
    FindingKind.HOLDING_TOTAL: (
        "What lies at the provider is not the sum of what stores have there, suspense, and what was paid out "
        "or kept as fees. If one of the accounts has a finding of its own, that one is the cause."
    ),
    FindingKind.HOLDINGS_MIXED: (
        "Money was moved between two places in the books without the same move between what lies there. "
        "Post the second half, or reverse the first."
    ),
    FindingKind.BOOKS_UNBALANCED: f"All debits and all credits together differ. {_ALTERED}",
}
"""What probably happened and what to do, in words a shop's finance person understands."""


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """Two things that should agree and do not."""

    kind: FindingKind
    scope: str
    """What was checked: `store:{id}`, `holding:{place}`, or SHARED."""
    subject: str
    account_ids: Sequence[UUID] = ()
    currency: Currency | None = None
    expected_minor: int | None = None
    found_minor: int | None = None
    transfer_id: UUID | None = None
    payment_id: UUID | None = None

    @property
    def fingerprint(self) -> str:
        """The same for the same discrepancy, however the balances around it have moved since.

        Not the two amounts but their difference: a holding that lacks KES 10 lacks it tomorrow, too.
        """
        if self.expected_minor is None or self.found_minor is None:
            difference = ""
        else:
            difference = str(self.found_minor - self.expected_minor)
        parts = (self.kind.value, self.scope, self.subject, self.currency or "", difference)
        return sha256("|".join(parts).encode()).hexdigest()

    @property
    def cause(self) -> str:
        return CAUSES[self.kind]


@dataclass(frozen=True, slots=True)
class Observed:
    """What one check saw."""

    discrepancies: Sequence[Discrepancy]
    cut_off: frozenset[FindingKind]
    """Kinds of which there is more than was looked at: what is not seen of them may still be there."""

    @classmethod
    def of(cls, discrepancies: Sequence[Discrepancy]) -> "Observed":
        """Keep the first OF_A_KIND_MAX of each kind."""
        kept: dict[FindingKind, list[Discrepancy]] = {}
        for each in discrepancies:
            kept.setdefault(each.kind, []).append(each)
        cut_off = frozenset(kind for kind, found in kept.items() if len(found) > OF_A_KIND_MAX)
        return cls([each for found in kept.values() for each in found[:OF_A_KIND_MAX]], cut_off)

    def __add__(self, other: "Observed") -> "Observed":
        return Observed([*self.discrepancies, *other.discrepancies], self.cut_off | other.cut_off)


@dataclass(frozen=True, slots=True)
class CountedAccount:
    """An account beside what its entries and holds come to, in minor units."""

    id: UUID
    code: str
    currency: Currency
    normal_side: NormalSide
    posted_debits_minor: int
    posted_credits_minor: int
    pending_debits_minor: int
    pending_credits_minor: int
    entry_count: int
    entries_debits_minor: int
    entries_credits_minor: int
    entries_count: int
    holds_debits_minor: int
    holds_credits_minor: int
    first_gap: int | None
    """The first sequence whose predecessor is missing."""
    first_break: int | None
    """The first sequence whose balances do not follow from the entry before. After a gap they can't."""
    is_as_transferred: bool
    """Whether its entries are exactly those of the transfers that name it."""

    def balance(self, debits_minor: int, credits_minor: int) -> int:
        """On the account's normal side, as people see it."""
        net = debits_minor - credits_minor
        return net if self.normal_side is NormalSide.DEBIT else -net


def judge_account(scope: str, account: CountedAccount) -> list[Discrepancy]:
    """What of one account does not agree. One cause shows as few discrepancies as can be."""
    amounts = (
        (
            FindingKind.ACCOUNT_BALANCE,
            account.balance(account.entries_debits_minor, account.entries_credits_minor),
            account.balance(account.posted_debits_minor, account.posted_credits_minor),
            (account.entries_debits_minor, account.entries_credits_minor)
            != (account.posted_debits_minor, account.posted_credits_minor),
        ),
        (
            FindingKind.HOLD_TOTAL,
            account.holds_debits_minor + account.holds_credits_minor,
            account.pending_debits_minor + account.pending_credits_minor,
            (account.holds_debits_minor, account.holds_credits_minor)
            != (account.pending_debits_minor, account.pending_credits_minor),
        ),
    )
    found = [
        Discrepancy(kind, scope, account.code, (account.id,), account.currency, expected, seen)
        for kind, expected, seen, is_wrong in amounts
        if is_wrong
    ]
    if account.first_gap is not None or account.entry_count != account.entries_count:
        place = account.first_gap or account.entries_count + 1
        found.append(
            Discrepancy(FindingKind.ENTRY_GAP, scope, f"{account.code}, before entry {place}", (account.id,))
        )
    return found
