"""Which lines of a statement are which transfers of the books. Pure, and the same every time.

Surest first: the provider's own reference; then a settlement that sums up transfers in a row; then
amount and time alone, where neither side can name the other. What could be two things is nothing:
people decide it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Generic, TypeVar
from uuid import UUID

from core.currency import Currency
from tenant_db.statements.rules import LineKind

RUN_MAX: Final = 500
"""Transfers that one settlement may sum up."""
SETTLEMENTS_MAX: Final = 100
"""Settlements looked at in one run: each is compared with every run of transfers near it."""
NEAR_MAX: Final = 5_000
"""Transfers near a settlement; where there are more, some run of them always fits."""


class Rule(StrEnum):
    """Why lines and transfers are taken to be the same money."""

    REFERENCE = "reference"
    """One line and one transfer share the provider's reference and the amount."""
    REFERENCE_SUM = "reference_sum"
    """All lines and all transfers of one reference come to the same sum."""
    SETTLEMENT = "settlement"
    """One line is the sum of transfers in a row, and of no others near it."""
    AMOUNT_AND_TIME = "amount_and_time"
    """Only this line and this transfer have the amount at that time, and no reference contradicts."""
    BY_HAND = "by_hand"


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far the two sides may be apart."""

    minor: int
    days: int


@dataclass(frozen=True, slots=True)
class Stated:
    """A line of a statement. Amounts are signed: what came in is positive."""

    id: UUID
    reference: str
    kind: LineKind
    amount_minor: int
    fee_minor: int
    currency: Currency
    at: datetime


@dataclass(frozen=True, slots=True)
class Booked:
    """A transfer that moved what lies at the provider."""

    id: UUID
    references: frozenset[str]
    """What the provider may call it."""
    is_named: bool
    """Whether the provider's own reference is known, so that another one contradicts."""
    amount_minor: int
    currency: Currency
    at: datetime


Item = TypeVar("Item", Stated, Booked)


@dataclass(frozen=True, slots=True)
class Pair:
    """Lines and transfers that are the same money."""

    rule: Rule
    lines: tuple[UUID, ...]
    transfers: tuple[UUID, ...]
    difference_minor: int
    currency: Currency


def pair(lines: Iterable[Stated], booked: Iterable[Booked], tolerance: Tolerance) -> list[Pair]:
    """Everything that surely belongs together; what is left over belongs to nothing yet."""
    work = _Work(
        sorted(lines, key=lambda line: (line.at, line.id)),
        sorted(booked, key=lambda transfer: (transfer.at, transfer.id)),
        tolerance,
    )
    work.by_reference()
    work.by_settlement()
    work.by_amount()
    return work.pairs


class _Work:
    """What is still unmatched on both sides, in order of time, and what was found."""

    def __init__(self, lines: list[Stated], booked: list[Booked], tolerance: Tolerance) -> None:
        self.pairs: list[Pair] = []
        self._lines = {line.id: line for line in lines}
        self._booked = {transfer.id: transfer for transfer in booked}
        self._tolerance = tolerance

    def by_reference(self) -> None:
        """One to one where amounts agree; else the whole group, if its sums do."""
        ours = _by_reference(self._booked.values())
        for (reference, currency), lines in _grouped(self._lines.values()).items():
            transfers = [each for each in ours.get((reference, currency), ()) if each.id in self._booked]
            for line, transfer in self._one_to_one(lines, transfers):
                self._match(Rule.REFERENCE, [line], [transfer])
            left = [line for line in lines if line.id in self._lines]
            unmet = [each for each in transfers if each.id in self._booked]
            if left and unmet and self._are_close(left, unmet):
                self._match(Rule.REFERENCE_SUM, left, unmet)

    def by_settlement(self) -> None:
        """A payout line and the only run of transfers, one after the other, that comes to it."""
        settlements = [line for line in self._lines.values() if line.kind is LineKind.PAYOUT]
        for line in settlements[:SETTLEMENTS_MAX]:
            runs = self._runs(line)
            exact = [run for run in runs if _sum(run) == line.amount_minor]
            chosen = exact or runs
            if len(chosen) == 1:
                self._match(Rule.SETTLEMENT, [line], chosen[0])

    def by_amount(self) -> None:
        """Pairs of which each is the other's only one."""
        nameless = _Index(each for each in self._booked.values() if not each.is_named)
        stated = _Index(self._lines.values())
        for line in list(self._lines.values()):
            transfer = nameless.only_near(line, self._tolerance)
            if transfer is not None and stated.only_near(transfer, self._tolerance) is line:
                self._match(Rule.AMOUNT_AND_TIME, [line], [transfer])

    def _one_to_one(
        self, lines: Sequence[Stated], transfers: Sequence[Booked]
    ) -> list[tuple[Stated, Booked]]:
        fits = {line.id: [each for each in transfers if self._are_close([line], [each])] for line in lines}
        wanted = [each.id for found in fits.values() for each in found]
        return [
            (line, fits[line.id][0])
            for line in lines
            if len(fits[line.id]) == 1 and wanted.count(fits[line.id][0].id) == 1
        ]

    def _runs(self, line: Stated) -> list[list[Booked]]:
        """Two or more transfers, one after the other, that come to the line."""
        near = [
            each
            for each in self._booked.values()
            if each.currency is line.currency
            and (each.amount_minor > 0) is (line.amount_minor > 0)
            and self._is_near(line, each)
        ]
        if len(near) > NEAR_MAX:
            return []
        found: list[list[Booked]] = []
        sums = [0]
        for each in near:
            sums.append(sums[-1] + abs(each.amount_minor))
        target, slack = abs(line.amount_minor), self._tolerance.minor
        for start in range(len(near)):
            low = bisect_left(sums, sums[start] + target - slack, start + 2)
            high = bisect_right(sums, sums[start] + target + slack, low)
            found += [near[start:end] for end in range(low, high) if end - start <= RUN_MAX]
        return found

    def _is_near(self, line: Stated, transfer: Booked) -> bool:
        return abs(line.at - transfer.at) <= timedelta(days=self._tolerance.days)

    def _are_close(self, lines: Sequence[Stated], transfers: Sequence[Booked]) -> bool:
        return abs(_difference(lines, transfers)) <= self._tolerance.minor

    def _match(self, rule: Rule, lines: Sequence[Stated], transfers: Sequence[Booked]) -> None:
        self.pairs.append(
            Pair(
                rule,
                tuple(line.id for line in lines),
                tuple(each.id for each in transfers),
                _difference(lines, transfers),
                lines[0].currency,
            )
        )
        for line in lines:
            del self._lines[line.id]
        for each in transfers:
            del self._booked[each.id]


def _difference(lines: Sequence[Stated], transfers: Sequence[Booked]) -> int:
    """The lines less the transfers, gross or after the fee that the lines tell: whichever is nearer."""
    booked = _sum(transfers)
    gross = sum(line.amount_minor for line in lines) - booked
    net = gross - sum(line.fee_minor for line in lines)
    return min(gross, net, key=abs)


def _sum(transfers: Iterable[Booked]) -> int:
    return sum(each.amount_minor for each in transfers)


def _grouped(lines: Iterable[Stated]) -> dict[tuple[str, Currency], list[Stated]]:
    groups: dict[tuple[str, Currency], list[Stated]] = {}
    for line in lines:
        if line.reference:
            groups.setdefault((line.reference, line.currency), []).append(line)
    return groups


def _by_reference(booked: Iterable[Booked]) -> dict[tuple[str, Currency], list[Booked]]:
    groups: dict[tuple[str, Currency], list[Booked]] = {}
    for each in booked:
        for reference in each.references:
            groups.setdefault((reference, each.currency), []).append(each)
    return groups


class _Index(Generic[Item]):
    """Lines or transfers by currency and amount, each amount's in order of time."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._items: dict[tuple[Currency, int], list[Item]] = {}
        for item in sorted(items, key=lambda item: (item.at, item.id)):
            self._items.setdefault((item.currency, item.amount_minor), []).append(item)
        self._amounts: dict[Currency, list[int]] = {}
        for currency, amount in sorted(self._items):
            self._amounts.setdefault(currency, []).append(amount)

    def only_near(self, other: Stated | Booked, tolerance: Tolerance) -> Item | None:
        """The only one here that `other` can be; None if there is none, or more than one."""
        found: list[Item] = []
        amounts = self._amounts.get(other.currency, [])
        low = bisect_left(amounts, other.amount_minor - tolerance.minor)
        high = bisect_right(amounts, other.amount_minor + tolerance.minor)
        slack = timedelta(days=tolerance.days)
        for amount in amounts[low:high]:
            if (amount > 0) is not (other.amount_minor > 0):
                continue
            items = self._items[other.currency, amount]
            start = bisect_left(items, other.at - slack, key=lambda item: item.at)
            end = bisect_right(items, other.at + slack, key=lambda item: item.at)
            found += items[start : min(end, start + 2)]
            if len(found) > 1:
                return None
        return found[0] if found else None
