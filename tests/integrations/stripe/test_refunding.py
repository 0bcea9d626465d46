import pytest

from core.currency import Currency
from core.money import Money
from integrations.errors import OutcomeUnknown, ProviderRejected
from integrations.protocol import Absent, Question, RefundAnswer, Refunded, RefundFailed, RefundPending
from integrations.webhooks import RefundTold
from tests.integrations.stripe.conftest import Inbox, Stripe, intent_of, question_of, refund_of


async def paid_question(stripe: Stripe) -> Question:
    intent = intent_of()
    accepted = await stripe.adapter.create_payment(intent)
    await stripe.settle(accepted)
    return question_of(intent, accepted)


async def test_all_or_a_part_is_refunded_several_times_and_never_more_than_was_paid(stripe: Stripe) -> None:
    # given
    question = await paid_question(stripe)
    first, second = refund_of(question, 500), refund_of(question, 1_000)

    # when
    answers = [await stripe.adapter.refund_payment(refund) for refund in (first, second, first)]

    # then
    assert [type(answer) for answer in answers] == [Refunded] * 3
    assert answers[0] == answers[2]
    assert sorted(row["amount_minor"] for row in await stripe.refunded()) == [500, 1_000]
    assert {row["refund_id"] for row in await stripe.refunded()} == {first.refund_id, second.refund_id}
    with pytest.raises(ProviderRejected) as refusal:
        await stripe.adapter.refund_payment(refund_of(question, 100))
    assert refusal.value.code == "charge_already_refunded"


@pytest.mark.parametrize(
    ("outcome", "at_first", "in_the_end"),
    [
        ("refund_succeeds", Refunded, Refunded),
        ("refund_pending", RefundPending, Refunded),
        ("refund_stays_pending", RefundPending, RefundPending),
        ("refund_requires_action", RefundPending, RefundPending),
        ("refund_failed", RefundPending, RefundFailed),
        ("refund_fails_later", Refunded, RefundFailed),
        ("refund_cancelled", RefundPending, RefundFailed),
    ],
)
async def test_a_refund_comes_to_what_stripe_says_last(
    stripe: Stripe, inbox: Inbox, outcome: str, at_first: type[RefundAnswer], in_the_end: type[RefundAnswer]
) -> None:
    question = await paid_question(stripe)
    refund = refund_of(question, 500)
    await stripe.plan({"kind": outcome, "delay_s": 60})

    first = await stripe.adapter.refund_payment(refund)
    await stripe.sandbox.release_webhooks("stripe", reference=question.provider_reference)
    last = await stripe.adapter.query_refund(refund, first.provider_reference)

    assert isinstance(first, at_first)
    assert isinstance(last, in_the_end)
    told = [event for event in inbox.told if isinstance(event, RefundTold)]
    assert {event.payment_reference for event in told} == {question.provider_reference}
    own = [event for event in told if event.refund_id == refund.refund_id]
    assert len(own) == (2 if "_later" in outcome or last != first else 1)
    if isinstance(last, RefundPending):
        assert last.needs_attention is not None
    if isinstance(last, RefundFailed):
        assert await stripe.refunded() == []


@pytest.mark.parametrize("outcome", ["timeout_after_acceptance", "reset_before_acceptance"])
async def test_a_lost_refund_is_found_or_absent_and_never_made_twice(stripe: Stripe, outcome: str) -> None:
    # given
    question = await paid_question(stripe)
    refund, other = refund_of(question, 500), refund_of(question, 700)
    await stripe.adapter.refund_payment(other)
    await stripe.plan({"kind": outcome, "operation": "refund"})
    with pytest.raises(OutcomeUnknown):
        await stripe.hasty.refund_payment(refund)

    # when
    found = await stripe.adapter.query_refund(refund, None)
    again = await stripe.adapter.refund_payment(refund)

    # then
    assert isinstance(found, Refunded if outcome == "timeout_after_acceptance" else Absent)
    assert isinstance(again, Refunded)
    assert sorted(row["amount_minor"] for row in await stripe.refunded()) == [500, 700]


async def test_the_list_has_the_dashboard_s_refunds_too(stripe: Stripe) -> None:
    # given
    question = await paid_question(stripe)
    own = refund_of(question, 500)
    await stripe.plan("refund_stays_pending")
    await stripe.adapter.refund_payment(own)
    response = await stripe.sandbox.http.post(
        "/stripe/v1/refunds",
        data={"payment_intent": question.provider_reference, "amount": "700"},
        headers={"authorization": f"Bearer {stripe.key}"},
    )

    # when
    listed = await stripe.adapter.list_refunds(question, None)

    # then
    assert [(each.refund_id, each.amount.minor, type(each.answer)) for each in listed] == [
        (None, 700, Refunded),
        (own.refund_id, 500, RefundPending),
    ]
    assert listed[0].provider_reference == response.json()["id"]


async def test_what_was_never_paid_can_t_be_refunded(stripe: Stripe) -> None:
    intent = intent_of()
    await stripe.plan("ignored")
    question = question_of(intent, await stripe.adapter.create_payment(intent))

    with pytest.raises(ProviderRejected):
        await stripe.adapter.refund_payment(refund_of(question, 500))


async def test_hundredths_that_a_currency_has_not_are_refused_before_anything_is_sent(stripe: Stripe) -> None:
    question = Question("pi_1", Money(1, Currency.KWD), "pay_1", "ten_1")

    with pytest.raises(ProviderRejected):
        await stripe.adapter.refund_payment(refund_of(question, 1))

    assert stripe.calls == []
