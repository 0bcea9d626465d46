"""Lines and transfers are paired by rules that never guess, and always the same."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final
from uuid import UUID

import pytest

from core.currency import Currency
from tenant_db.statements.pairing import Booked, Rule, Stated, Tolerance, pair
from tenant_db.statements.rules import LineKind

NOW: Final = datetime(2026, 11, 21, 9, tzinfo=UTC)
EXACT: Final = Tolerance(0, 3)


def line(
    number: int,
    minor: int,
    reference: str = "",
    kind: LineKind = LineKind.PAYMENT,
    *,
    fee: int = 0,
    hours: float = 0,
    currency: Currency = Currency.KES,
) -> Stated:
    return Stated(UUID(int=number), reference, kind, minor, fee, currency, NOW + timedelta(hours=hours))


def moved(
    number: int, minor: int, *references: str, hours: float = 0, currency: Currency = Currency.KES
) -> Booked:
    """A transfer; it is named by the provider if it has references."""
    at = NOW + timedelta(hours=hours)
    return Booked(UUID(int=100 + number), frozenset(references), bool(references), minor, currency, at)


def told(
    lines: list[Stated], booked: list[Booked], tolerance: Tolerance = EXACT
) -> list[tuple[Rule, list[int], list[int]]]:
    """The pairs: rule, lines, transfers, by their numbers."""
    return [
        (each.rule, [id_.int for id_ in each.lines], [id_.int - 100 for id_ in each.transfers])
        for each in pair(lines, booked, tolerance)
    ]


PAYOUT: Final = LineKind.PAYOUT
FEE: Final = LineKind.FEE
SALES: Final = [moved(1, 300, "A", hours=-4), moved(2, 500, "B", hours=-3), moved(3, 700, "C", hours=-2)]
LEFT: Final = [replace(each, amount_minor=-each.amount_minor) for each in SALES]

CASES = {
    "the reference and the amount": (
        [line(1, 500, "B"), line(2, 300, "A")],
        [moved(1, 300, "A"), moved(2, 500, "B")],
        [(Rule.REFERENCE, [1], [2]), (Rule.REFERENCE, [2], [1])],
    ),
    "whatever the time, a reference counts": (
        [line(1, 500, "B", hours=24 * 30)],
        [moved(1, 500, "B")],
        [(Rule.REFERENCE, [1], [1])],
    ),
    "another amount is no match": ([line(1, 500, "B")], [moved(1, 501, "B")], []),
    "another currency is no match": (
        [line(1, 500, "B")],
        [moved(1, 500, "B", currency=Currency.USD)],
        [],
    ),
    "a payment and its charge each find their own": (
        [line(1, 500, "B"), line(2, -5, "B", FEE)],
        [moved(1, 500, "B"), moved(2, -5, "B")],
        [(Rule.REFERENCE, [1], [1]), (Rule.REFERENCE, [2], [2])],
    ),
    "a payment and its charge are one net transfer": (
        [line(1, 500, "B"), line(2, -5, "B", FEE)],
        [moved(1, 495, "B")],
        [(Rule.REFERENCE_SUM, [1, 2], [1])],
    ),
    "one line is a sale and its fee": (
        [line(1, 495, "B")],
        [moved(1, 500, "B"), moved(2, -5, "B")],
        [(Rule.REFERENCE_SUM, [1], [1, 2])],
    ),
    "a line that tells its fee fits the gross and the net": (
        [line(1, 500, "B", fee=5), line(2, 700, "C", fee=7)],
        [moved(1, 500, "B"), moved(2, 693, "C")],
        [(Rule.REFERENCE, [1], [1]), (Rule.REFERENCE, [2], [2])],
    ),
    "two equal lines of one reference and one transfer are nobody's": (
        [line(1, 500, "B"), line(2, 500, "B")],
        [moved(1, 500, "B")],
        [],
    ),
    "a settlement is the transfers in a row": (
        [line(1, -1_200, kind=PAYOUT)],
        LEFT,
        [(Rule.SETTLEMENT, [1], [2, 3])],
    ),
    "a settlement of all of them": (
        [line(1, -1_500, kind=PAYOUT)],
        LEFT,
        [(Rule.SETTLEMENT, [1], [1, 2, 3])],
    ),
    "transfers that are not in a row are no settlement": ([line(1, -1_000, kind=PAYOUT)], LEFT, []),
    "a settlement that could be two is none": (
        [line(1, -800, kind=PAYOUT)],
        [moved(1, -300, "A"), moved(2, -500, "B"), moved(3, -300, "C")],
        [],
    ),
    "money the other way is no settlement": ([line(1, -1_200, kind=PAYOUT)], SALES, []),
    "a settlement long after is none": ([line(1, -1_200, kind=PAYOUT, hours=24 * 4)], LEFT, []),
    "amount and time where no reference is known": (
        [line(1, 500, "X", hours=2)],
        [moved(1, 500)],
        [(Rule.AMOUNT_AND_TIME, [1], [1])],
    ),
    "a transfer with another receipt is not the same": ([line(1, 500, "X")], [moved(1, 500, "Y")], []),
    "amount and time that fit two are nobody's": ([line(1, 500, "X")], [moved(1, 500), moved(2, 500)], []),
    "two lines that fit one are nobody's": ([line(1, 500), line(2, 500)], [moved(1, 500)], []),
    "long before is another day's": ([line(1, 500, hours=-73)], [moved(1, 500)], []),
}


@pytest.mark.parametrize("case", CASES)
def test_the_rules(case: str) -> None:
    lines, booked, expected = CASES[case]

    assert told(lines, booked) == expected


def test_a_tolerance_lets_small_differences_pass_and_tells_them() -> None:
    lines, booked = [line(1, 500, "B"), line(2, 900, "C")], [moved(1, 497, "B"), moved(2, 895, "C")]

    (found,) = pair(lines, booked, Tolerance(3, 0))

    assert (found.difference_minor, found.lines) == (3, (UUID(int=1),))


def test_an_exact_settlement_wins_over_one_within_the_tolerance() -> None:
    booked = [moved(1, -300, "A"), moved(2, -500, "B"), moved(3, -301, "C")]

    found = told([line(1, -801, kind=PAYOUT)], booked, Tolerance(5, 3))

    assert found == [(Rule.SETTLEMENT, [1], [2, 3])]


def test_a_tolerance_never_turns_money_round() -> None:
    assert told([line(1, 2)], [moved(1, -2)], Tolerance(100, 3)) == []


def test_the_order_of_the_rows_decides_nothing() -> None:
    lines = [line(number, 100 + number % 7, f"R{number % 40}") for number in range(1, 90)]
    booked = [moved(number, 100 + number % 7, f"R{number % 40}") for number in range(1, 80)]
    expected = pair(lines, booked, EXACT)
    shuffle = Random(7).shuffle  # noqa: S311 - a fixed order

    for _ in range(5):
        shuffle(lines)
        shuffle(booked)
        assert pair(lines, booked, EXACT) == expected


def test_nothing_is_paired_twice() -> None:
    lines = [line(number, 100, f"R{number % 3}") for number in range(1, 10)]
    booked = [moved(number, 100, f"R{number % 3}") for number in range(1, 10)]

    found = pair(lines, booked, EXACT)

    for ids in (
        [id_ for each in found for id_ in each.lines],
        [id_ for each in found for id_ in each.transfers],
    ):
        assert len(ids) == len(set(ids))
