"""What Stripe tells without being asked."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import utc_now
from core.collecting import CaptureMode
from core.currency import Currency
from core.money import Money
from integrations.errors import BadMessage
from integrations.protocol import Authorized, NotPaid, Paid, StillPending
from integrations.redaction import without_fields
from integrations.stripe.events import EVENTS, StripeWebhooks
from integrations.webhooks import (
    DisputeStatus,
    DisputeTold,
    PaymentTold,
    RefundTold,
)
from tests.integrations.stripe.conftest import CALM, Inbox, Stripe, intent_of, question_of
from tests.wire.recording import misfits, read_schema

SCHEME = StripeWebhooks()


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        ("success", ["Paid"]),
        ("insufficient_funds", ["StillPending"]),
        ("expired", ["NotPaid"]),
        ("requires_action", ["None"]),
        ("processing", ["None"]),
        ("declined_then_paid", ["StillPending", "Paid"]),
        ("duplicate_webhook", ["Paid", "Paid"]),
        ("contradicting_webhook", ["Paid", "NotPaid"]),
        ("missing_webhook", ["Paid"]),
        ("withheld_webhook", ["Paid"]),
        ("late_webhook", ["Paid"]),
        ("webhook_before_response", ["Paid"]),
        ("bad_signature", ["Paid"]),
        ("tampered_amount", ["Paid", "Paid"]),
        ("wrong_currency", ["Paid", "Paid"]),
    ],
)
async def test_each_way_of_telling_reaches_us_as_what_it_is(
    stripe: Stripe, inbox: Inbox, outcome: str, expected: list[str]
) -> None:
    # given
    intent = intent_of()
    await stripe.plan(outcome)

    # when
    accepted = await stripe.adapter.create_payment(intent)
    told_before = len(inbox.told)
    await stripe.settle(accepted)
    await stripe.settle(accepted)

    # then
    events = [event for event in inbox.told if isinstance(event, PaymentTold)]
    assert [type(event.answer).__name__.removesuffix("Type") for event in events] == expected
    assert {event.provider_reference for event in events} == {accepted.provider_reference}
    assert {(event.payment_id, event.tenant, event.is_live) for event in events} == {
        (intent.payment_id, intent.tenant, False)
    }
    assert (told_before > 0) or outcome != "webhook_before_response"
    assert inbox.refused == (1 if outcome == "bad_signature" else 0)
    amounts = [event.answer.amount for event in events if isinstance(event.answer, Paid)]
    assert [amount == intent.amount for amount in amounts] == [
        not (outcome in ("tampered_amount", "wrong_currency") and position == 0)
        for position in range(len(amounts))
    ]
    assert {SCHEME.external_id(body) for body in inbox.bodies} == {
        json.loads(body)["id"] for body in inbox.bodies
    }
    assert len({SCHEME.external_id(body) for body in inbox.bodies}) == (
        1 if outcome in ("duplicate_webhook", "tampered_amount", "wrong_currency") else len(expected)
    )
    for body in inbox.bodies:
        assert misfits(read_schema("stripe_calls"), {"$ref": "#/$defs/event"}, json.loads(body)) == []


@pytest.mark.parametrize(
    "outcome",
    [
        *("paid_less", "paid_more", "paid_in_other_currency"),
        *("paid_for_other_tenant", "paid_for_other_payment", "paid_in_other_mode"),
    ],
)
async def test_an_event_of_money_that_does_not_fit_shows_it(
    stripe: Stripe, inbox: Inbox, outcome: str
) -> None:
    intent = intent_of()
    await stripe.plan(outcome)
    await stripe.settle(await stripe.adapter.create_payment(intent))

    (told,) = inbox.told
    assert isinstance(told, PaymentTold)
    amount = told.answer.amount if isinstance(told.answer, Paid) else None
    shown = (amount, told.tenant, told.payment_id, told.is_live)
    asked = (intent.amount, intent.tenant, intent.payment_id, False)
    assert sum(one != other for one, other in zip(shown, asked, strict=True)) == 1


async def test_an_authorisation_and_its_capture_are_told(stripe: Stripe, inbox: Inbox) -> None:
    intent = intent_of(capture=CaptureMode.MANUAL)
    accepted = await stripe.adapter.create_payment(intent)
    await stripe.settle(accepted)
    part = Money(1_000, Currency.USD)
    await stripe.adapter.capture_payment(question_of(intent, accepted), part, "cap")
    await stripe.settle(accepted)

    answers = [event.answer for event in inbox.told if isinstance(event, PaymentTold)]
    assert answers[0] == Authorized(intent.amount)
    assert isinstance(answers[1], Paid)
    assert answers[1].amount == part


async def test_a_dispute_is_told_step_by_step(stripe: Stripe, inbox: Inbox) -> None:
    # given
    accepted = await stripe.adapter.create_payment(intent_of())
    await stripe.settle(accepted)
    ((receipt,),) = [[row["receipt"]] for row in await stripe.paid()]
    inbox.told.clear()

    # when
    for step, status in (
        ("created", "needs_response"),
        ("funds_withdrawn", "needs_response"),
        ("funds_reinstated", "won"),
        ("closed", "won"),
    ):
        await stripe.sandbox.control(
            "stripe/dispute", reference=accepted.provider_reference, step=step, status=status, fee=1_500
        )
        await stripe.settle(accepted)

    # then
    told = [event for event in inbox.told if isinstance(event, DisputeTold)]
    assert [(event.status, event.is_withdrawn) for event in told] == [
        (DisputeStatus.NEEDS_RESPONSE, None),
        (DisputeStatus.NEEDS_RESPONSE, True),
        (DisputeStatus.WON, False),
        (DisputeStatus.WON, None),
    ]
    fee = Money(1_500, Currency.USD)
    assert [(event.fee, event.fee_returned) for event in told] == [
        (None, None),
        (fee, None),
        (fee, fee),
        (fee, fee),
    ]
    for event in told:
        assert (event.payment_reference, event.receipt) == (accepted.provider_reference, receipt)
        assert event.amount == Money(1_500, Currency.USD)
        assert event.evidence_due_at is not None
        assert event.evidence_due_at > utc_now() + timedelta(days=6)
    assert len({event.provider_reference for event in told}) == 1


def event_of(kind: str, thing: dict[str, Any], **changes: object) -> bytes:
    event = {"id": "evt_1Q", "type": kind, "livemode": False, "data": {"object": thing}, **changes}
    return json.dumps(event).encode()


PAID: dict[str, Any] = {
    "id": "pi_1",
    "amount": 1_500,
    "amount_received": 1_500,
    "currency": "usd",
    "status": "succeeded",
    "latest_charge": "ch_1",
    "livemode": False,
    "metadata": {"payment_id": "pay_1", "tenant": "ten_1"},
}


@pytest.mark.parametrize(
    "changes",
    [
        {"metadata": {}},
        {"metadata": {"payment_id": "pay_1"}},
        {"metadata": None},
        {"livemode": True},
        {"livemode": None},
        {"status": "processing"},
        {"latest_charge": None},
        {"amount_received": None},
        {"amount_received": "1500"},
        {"amount_received": 15.0},
        {"currency": "xyz"},
        {"currency": None},
    ],
)
def test_an_event_that_is_not_whole_proves_nothing(changes: dict[str, object]) -> None:
    whole, partly = (
        SCHEME.read(event_of("payment_intent.succeeded", thing)) for thing in (PAID, {**PAID, **changes})
    )

    assert isinstance(whole[0], PaymentTold)
    assert isinstance(whole[0].answer, Paid)
    assert isinstance(partly[0], PaymentTold)
    assert partly[0].answer is None


@pytest.mark.parametrize("kind", ["payment_intent.payment_failed", "payment_intent.succeeded"])
def test_an_event_reads_the_same_without_the_payer_s_secret(kind: str) -> None:
    failed = {"status": "requires_payment_method", "last_payment_error": {"code": "expired_card"}}
    intent = {**PAID, "client_secret": "pi_1_secret_x", **(failed if kind.endswith("failed") else {})}
    body = event_of(kind, intent)

    kept = without_fields(body, SCHEME.secret_fields)

    assert b"secret_x" not in kept
    assert SCHEME.read(kept) == SCHEME.read(body)
    assert SCHEME.external_id(kept) == SCHEME.external_id(body)


def test_an_event_says_its_mode() -> None:
    (told,) = SCHEME.read(event_of("payment_intent.succeeded", {**PAID, "livemode": True}, livemode=True))

    assert isinstance(told, PaymentTold)
    assert told.is_live is True


def test_what_the_tenant_enabled_besides_concerns_nobody() -> None:
    assert SCHEME.read(event_of("customer.created", {"id": "cus_1"})) == ()
    assert SCHEME.read(event_of("charge.refund.updated", {"id": "re_1"})) == ()


def test_a_refund_from_the_dashboard_is_a_reason_to_ask() -> None:
    charge = {"id": "ch_1", "payment_intent": "pi_1", "amount_refunded": 500}

    assert SCHEME.read(event_of("charge.refunded", charge)) == (RefundTold("pi_1", None),)


THINGS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["pi_1", "usd", "re_1"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [*PAID, "next_action", "last_payment_error", "payment_intent", "evidence_details"]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)


@CALM
@given(kind=st.sampled_from(EVENTS), thing=THINGS)
def test_a_hostile_event_is_read_or_bad(kind: str, thing: object) -> None:
    body = json.dumps({"id": thing, "type": kind, "livemode": False, "data": {"object": thing}}).encode()
    for read in (SCHEME.read, SCHEME.external_id):
        try:
            read(body)
        except BadMessage:
            continue


def test_the_answers_that_events_can_prove_are_these() -> None:
    cases: dict[str, tuple[dict[str, Any], type[object]]] = {
        "payment_intent.payment_failed": (
            {"status": "requires_payment_method", "last_payment_error": {"code": "expired_card"}},
            StillPending,
        ),
        "payment_intent.amount_capturable_updated": (
            {"status": "requires_capture", "amount_capturable": 1_500},
            Authorized,
        ),
        "payment_intent.canceled": ({"status": "canceled"}, NotPaid),
        "payment_intent.processing": ({"status": "processing"}, type(None)),
    }
    for kind, (changes, expected) in cases.items():
        (told,) = SCHEME.read(event_of(kind, PAID | changes))
        assert isinstance(told, PaymentTold)
        assert type(told.answer) is expected
