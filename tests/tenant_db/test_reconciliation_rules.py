"""What makes two discrepancies the same, and that each kind says what probably happened."""

from dataclasses import replace

import pytest

from core.currency import Currency
from core.ids import new_id
from tenant_db.ledger.rules import NormalSide
from tenant_db.reconciliation.rules import (
    CAUSES,
    OF_A_KIND_MAX,
    CountedAccount,
    Discrepancy,
    FindingKind,
    Observed,
    judge_account,
)

HOLDING = Discrepancy(FindingKind.HOLDING_TOTAL, "holding:chan_1", "chan_1", (), Currency.KES, 1_000, 900)
SOUND = CountedAccount(
    id=new_id(),
    code="store:1:available:2",
    currency=Currency.KES,
    normal_side=NormalSide.CREDIT,
    posted_debits_minor=100,
    posted_credits_minor=500,
    pending_debits_minor=50,
    pending_credits_minor=0,
    entry_count=3,
    entries_debits_minor=100,
    entries_credits_minor=500,
    entries_count=3,
    holds_debits_minor=50,
    holds_credits_minor=0,
    first_gap=None,
    first_break=None,
    is_as_transferred=True,
)


def test_the_same_difference_is_the_same_discrepancy_however_balances_move() -> None:
    assert replace(HOLDING, expected_minor=7_100, found_minor=7_000).fingerprint == HOLDING.fingerprint


@pytest.mark.parametrize(
    "other",
    [
        replace(HOLDING, found_minor=901),
        replace(HOLDING, currency=Currency.USD),
        replace(HOLDING, subject="chan_2"),
        replace(HOLDING, scope="shared"),
        replace(HOLDING, kind=FindingKind.SALE_WRONG),
        replace(HOLDING, expected_minor=None, found_minor=None),
    ],
)
def test_anything_else_is_another_discrepancy(other: Discrepancy) -> None:
    assert other.fingerprint != HOLDING.fingerprint


def test_every_kind_has_a_likely_cause() -> None:
    assert set(CAUSES) == set(FindingKind)


def test_a_sound_account_is_silent() -> None:
    assert judge_account("scope", SOUND) == []


@pytest.mark.parametrize(
    ("account", "kind", "amounts"),
    [
        (replace(SOUND, posted_credits_minor=600), FindingKind.ACCOUNT_BALANCE, (400, 500)),
        # The same balance by other debits and credits is wrong, too.
        (
            replace(SOUND, posted_debits_minor=200, posted_credits_minor=600),
            FindingKind.ACCOUNT_BALANCE,
            (400, 400),
        ),
        (replace(SOUND, pending_debits_minor=0), FindingKind.HOLD_TOTAL, (50, 0)),
        (replace(SOUND, entry_count=4), FindingKind.ENTRY_GAP, (None, None)),
        (replace(SOUND, first_gap=2, first_break=2), FindingKind.ENTRY_GAP, (None, None)),
    ],
)
def test_each_disagreement_is_one_discrepancy(
    account: CountedAccount, kind: FindingKind, amounts: tuple[int | None, int | None]
) -> None:
    (found,) = judge_account("scope", account)

    assert (found.kind, (found.expected_minor, found.found_minor)) == (kind, amounts)
    assert found.account_ids == (account.id,)


def test_a_check_keeps_the_first_of_each_kind_and_says_where_there_were_more() -> None:
    many = [replace(HOLDING, subject=str(number)) for number in range(OF_A_KIND_MAX + 1)]
    one = replace(HOLDING, kind=FindingKind.SALE_WRONG)

    observed = Observed.of([*many, one])

    assert [*many[:OF_A_KIND_MAX], one] == list(observed.discrepancies)
    assert observed.cut_off == {FindingKind.HOLDING_TOTAL}
