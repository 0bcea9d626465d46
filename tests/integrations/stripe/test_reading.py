"""Answers that no sandbox would give: they are read, or they are bad."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.collecting import ActionKind
from core.currency import Currency
from core.money import Money
from integrations.errors import BadMessage, FailureReason, ProviderUnavailable
from integrations.protocol import Answer, Mismatch, NotPaid, Paid, Question, Refunded, StillPending
from integrations.stripe.actions import next_action
from integrations.stripe.codes import CANCELLATIONS, DECLINES, FRAUD_CODES, NEUTRAL, cancellation, decline
from integrations.stripe.intents import Mode, judge
from integrations.stripe.listing import listed_payment
from integrations.stripe.refunds import judge_refund
from integrations.wire_json import Json, read_object
from tests.integrations.stripe.conftest import CALM, refund_of

QUESTION = Question("pi_1", Money(1_500, Currency.USD), "pay_1", "ten_1")
MODE = Mode(is_live=False, publishable_key="pk_test_1")
PAID: dict[str, Json] = {
    "id": "pi_1",
    "amount": 1_500,
    "amount_received": 1_500,
    "capture_method": "automatic_async",
    "currency": "usd",
    "status": "succeeded",
    "latest_charge": "ch_1",
    "livemode": False,
    "metadata": {"payment_id": "pay_1", "tenant": "ten_1"},
}


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "pi_2"},
        {"livemode": True},
        {"livemode": None},
        {"metadata": {}},
        {"metadata": {"payment_id": "pay_1", "tenant": "ten_2"}},
        {"metadata": {"payment_id": "pay_2", "tenant": "ten_1"}},
        {"amount": 1_499},
        {"amount_received": 1_499},
        {"amount_received": 1_501},
        {"amount_received": 0, "capture_method": "manual"},
        {"amount_received": 1_501, "capture_method": "manual"},
        {"currency": "eur"},
        {"currency": "xyz"},
        {"amount_received": None},
    ],
)
def test_each_thing_that_does_not_fit_is_a_mismatch(changes: dict[str, Json]) -> None:
    assert isinstance(judge(PAID, QUESTION, MODE), Paid)
    assert isinstance(judge({**PAID, **changes}, QUESTION, MODE), Mismatch)


@pytest.mark.parametrize(
    ("charge", "fee"),
    [
        ({"id": "ch_1", "balance_transaction": {"fee": 73, "currency": "usd"}}, Money(73, Currency.USD)),
        ({"id": "ch_1", "balance_transaction": {"fee": 73, "currency": "gbp"}}, None),
        ({"id": "ch_1", "balance_transaction": {"fee": -73, "currency": "usd"}}, None),
        ({"id": "ch_1", "balance_transaction": {"fee": "73", "currency": "usd"}}, None),
        ({"id": "ch_1", "balance_transaction": None}, None),
        ({"id": "ch_1", "balance_transaction": "txn_1"}, None),
    ],
)
def test_a_fee_in_another_currency_is_none_of_this_payment(charge: Json, fee: Money | None) -> None:
    assert judge({**PAID, "latest_charge": charge}, QUESTION, MODE) == Paid(QUESTION.amount, "ch_1", fee)


@pytest.mark.parametrize(
    "changes",
    [
        {"payment_intent": "pi_2"},
        {"payment_intent": None},
        {"metadata": {}},
        {"metadata": {"refund_id": "rfd_2"}},
        {"amount": 99},
        {"currency": "eur"},
        {"id": None},
    ],
)
def test_a_refund_that_is_not_the_one_we_asked_for_is_none(changes: dict[str, Json]) -> None:
    request = refund_of(QUESTION, 100, refund_id="rfd_1")
    refund: dict[str, Json] = {
        "id": "re_1",
        "payment_intent": "pi_1",
        "amount": 100,
        "currency": "usd",
        "status": "succeeded",
        "metadata": {"refund_id": "rfd_1"},
    }

    assert judge_refund(refund, request) == Refunded("re_1", request.amount)
    with pytest.raises(BadMessage):
        judge_refund({**refund, **changes}, request)


@pytest.mark.parametrize("code", sorted(FRAUD_CODES))
def test_a_thief_learns_nothing(code: str) -> None:
    told = decline({"code": "card_declined", "decline_code": code, "message": f"Your card is {code}."})

    assert (told.code, told.message, told.reason) == ("card_declined", NEUTRAL, FailureReason.DECLINED)


def test_the_more_telling_of_two_codes_counts() -> None:
    assert decline({"code": "expired_card", "decline_code": "generic_decline"}).reason is (
        FailureReason.CARD_EXPIRED
    )
    assert decline({"code": "card_declined", "decline_code": "made_up"}).code == "made_up"
    assert decline({"code": ["hostile"], "decline_code": {"x": 1}}).code == "card_declined"


def test_fraud_codes_have_no_text_of_their_own() -> None:
    assert FRAUD_CODES.isdisjoint(DECLINES)


@pytest.mark.parametrize("reason", [*CANCELLATIONS, None, "made_up", 7])
def test_every_cancellation_is_final(reason: Json) -> None:
    told = cancellation(reason)

    assert isinstance(told, NotPaid)
    assert told.is_sure


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "http://evil.example.com/", "data:text/html,x", "//x", "", None, 7]
)
def test_a_payer_is_sent_to_no_strange_place(url: Json) -> None:
    action: Json = {"type": "redirect_to_url", "redirect_to_url": {"url": url}}

    assert next_action({"status": "requires_action", "next_action": action}, "pk_test_1") is None


def test_a_step_we_don_t_know_leaves_the_payment_pending() -> None:
    action: Json = {"type": "dance", "dance": {"url": "https://a.example.com"}}
    intent = {**PAID, "status": "requires_action", "next_action": action}

    assert judge(intent, QUESTION, MODE) == StillPending()


def test_a_code_to_scan_is_shown() -> None:
    details: Json = {"image": {"png": "https://a.example.com/1.png"}, "lines": ["a", 7], "none": None}
    action: Json = {"type": "x_display_qr_code", "x_display_qr_code": details}

    found = next_action({"status": "requires_action", "next_action": action}, None)

    assert found is not None
    assert found.kind is ActionKind.SHOW
    assert found.data == {
        "x_display_qr_code.image.png": "https://a.example.com/1.png",
        "x_display_qr_code.lines.0": "a",
        "x_display_qr_code.lines.1": "7",
    }


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Paid),
        ({"metadata": {}}, Paid),
        ({"livemode": True}, Mismatch),
        ({"currency": "xyz"}, Mismatch),
        ({"amount_received": 1_499}, Mismatch),
        ({"status": "processing"}, StillPending),
        ({"status": "canceled"}, NotPaid),
    ],
)
def test_the_list_takes_each_payment_for_what_it_says_of_itself(
    changes: dict[str, Json], expected: type[Answer]
) -> None:
    listed = listed_payment({**PAID, "created": 1_795_246_212, **changes}, MODE)

    assert isinstance(listed.answer, expected)
    assert listed.payment_id == (None if "metadata" in changes else "pay_1")
    assert listed.created_at.year == 2026


@pytest.mark.parametrize("changes", [{"id": None}, {"created": None}, {"created": 10**20}, {"created": True}])
def test_what_is_no_payment_ends_the_list(changes: dict[str, Json]) -> None:
    with pytest.raises(ProviderUnavailable):
        listed_payment({**PAID, "created": 1, **changes}, MODE)


NAMES = st.sampled_from(
    [
        *PAID,
        *("next_action", "type", "redirect_to_url", "url", "last_payment_error", "decline_code", "code"),
        *("cancellation_reason", "amount_capturable", "payment_intent", "refund_id", "client_secret"),
    ]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=6)
    | st.sampled_from(["pi_1", "usd", "succeeded", "requires_action", "requires_capture", "use_stripe_sdk"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=10,
)


@CALM
@given(changes=st.dictionaries(NAMES, VALUES, max_size=6))
def test_a_hostile_object_is_read_or_bad(changes: dict[str, object]) -> None:
    thing = read_object(json.dumps({**PAID, **changes}).encode())
    try:
        judge(thing, QUESTION, MODE)
        judge_refund(thing, refund_of(QUESTION, 100))
    except BadMessage:
        return
