"""The pure rules of payments: amounts, phones, texts, masks and the ladder."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.currency import Currency
from core.money import Money
from core.phone import Phone
from integrations.errors import FailureReason as AdapterReason
from tenant_db.payments import rules
from tenant_db.payments.judging import Ruling, Standing, Statement, judge, judge_answer
from tenant_db.payments.machine import ENDED, NEXT, PaymentStatus
from tenant_db.payments.rules import FailureReason, NotPaid, Paid, Told

PHONE = Phone("+254700000001")
AMOUNT = Money(150_000, Currency.KES)


@pytest.mark.parametrize(
    ("told", "fits"),
    [
        ("2547 ***** 001", True),
        ("2547*****001", True),
        ("+2547*****001", True),
        ("254700000001", True),
        ("+254700000001", True),
        (hashlib.sha256(b"254700000001").hexdigest(), True),
        (hashlib.sha256(b"254700000001").hexdigest().upper(), True),
        (hashlib.sha256(b"254700000002").hexdigest(), False),
        ("2547 ***** 002", False),
        ("2541 ***** 001", False),
        ("*****", False),
        ("", False),
        ("254700000002", False),
    ],
)
def test_a_payer_is_known_by_a_masked_hashed_or_clear_number(told: str, fits: bool) -> None:  # noqa: FBT001 - a column of the table above
    assert rules.is_payer(told, PHONE) is fits


def test_references_have_twelve_plain_characters_and_do_not_repeat() -> None:
    made = {rules.make_reference() for _ in range(10_000)}

    assert len(made) == 10_000
    assert all(len(one) == 12 and one.isascii() and one.isalnum() and one.upper() == one for one in made)


def test_the_ladder_ends() -> None:
    start = datetime(2026, 11, 21, tzinfo=UTC)

    assert rules.next_poll_at(start, 0, (10, 20)) == start + timedelta(seconds=10)
    assert rules.next_poll_at(start, 1, (10, 20)) == start + timedelta(seconds=20)
    assert rules.next_poll_at(start, 2, (10, 20)) is None


def test_every_reason_an_adapter_can_give_is_one_of_ours() -> None:
    assert {reason.value for reason in AdapterReason} <= {reason.value for reason in FailureReason}


statuses = st.sampled_from(sorted(PaymentStatus))
not_paid = st.builds(
    NotPaid, st.sampled_from(sorted(FailureReason)), st.just("1"), st.just(""), st.booleans()
)
paid = st.builds(
    Paid,
    st.sampled_from([None, AMOUNT, Money(100, Currency.KES), Money(150_000, Currency.USD)]),
    st.sampled_from([None, "R1", "R2"]),
)
told: st.SearchStrategy[Told] = st.one_of(paid, not_paid)
standings = st.builds(
    Standing, statuses, st.just(AMOUNT), st.sampled_from([None, "ws_1"]), st.sampled_from([None, "R1"])
)
statements = st.builds(
    Statement, st.sampled_from(["ws_1", "ws_2"]), told, st.booleans(), st.one_of(st.none(), told)
)


@given(standings, statements)
def test_no_callback_credits_without_proof(standing: Standing, said: Statement) -> None:
    if judge(standing, said) is not Ruling.SUCCEED:
        return

    assert standing.status is not PaymentStatus.SUCCEEDED
    assert not said.is_claimed
    if isinstance(said.told, Paid):
        assert (said.told.amount, said.told.receipt is not None) == (AMOUNT, True)
    is_ours = standing.provider_reference == said.provider_reference
    assert isinstance(said.answer, Paid) or (is_ours and isinstance(said.told, Paid))


@given(standings, statements)
def test_no_ruling_asks_for_a_step_outside_the_machine(standing: Standing, said: Statement) -> None:
    ruling = judge(standing, said)

    if ruling is Ruling.SUCCEED and standing.status is not PaymentStatus.CREATED:
        assert PaymentStatus.SUCCEEDED in NEXT[standing.status]
    if ruling is Ruling.END_UNPAID:
        assert PaymentStatus.FAILED in NEXT[standing.status]
    if ruling is Ruling.LEARN_RECEIPT:
        assert (standing.status, standing.receipt) == (PaymentStatus.SUCCEEDED, None)


@given(standings, statements)
def test_what_was_asked_once_is_not_asked_again(standing: Standing, said: Statement) -> None:
    if said.answer is not None:
        assert judge(standing, said) is not Ruling.ASK


@given(standings, told)
def test_an_answer_never_takes_money_back(standing: Standing, answer: Told) -> None:
    ruling = judge_answer(standing, answer)

    if standing.status is PaymentStatus.SUCCEEDED:
        assert ruling in {Ruling.NOTHING, Ruling.REVIEW, Ruling.LEARN_RECEIPT}
    if standing.status in ENDED and isinstance(answer, NotPaid):
        assert ruling in {Ruling.NOTHING, Ruling.REVIEW}
