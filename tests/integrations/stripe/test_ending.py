from datetime import timedelta

import pytest

from core.clock import utc_now
from core.collecting import CaptureMode
from core.currency import Currency
from core.money import Money
from integrations.errors import FailureReason, ProviderRejected
from integrations.protocol import Authorized, NotPaid, Paid
from integrations.stripe import messages
from tests.integrations.stripe.conftest import Stripe, intent_of, question_of

MANUAL = {"capture": CaptureMode.MANUAL}


@pytest.mark.parametrize("part", [1_500, 1_000])
async def test_authorised_money_is_captured_once_all_or_in_part(stripe: Stripe, part: int) -> None:
    # given
    intent = intent_of(**MANUAL)
    accepted = await stripe.adapter.create_payment(intent)
    await stripe.settle(accepted)
    question = question_of(intent, accepted)
    assert await stripe.adapter.query_payment(question) == Authorized(intent.amount)
    assert await stripe.paid() == []

    # when
    amount = Money(part, Currency.USD)
    first = await stripe.adapter.capture_payment(question, amount, "cap-1")
    again = await stripe.adapter.capture_payment(question, amount, "cap-1")
    other = await stripe.adapter.capture_payment(question, amount, "cap-2")

    # then
    assert isinstance(first, Paid)
    assert first == again
    assert isinstance(other, Paid)
    assert {first.amount, other.amount} == {amount}
    assert [row["amount_minor"] for row in await stripe.paid()] == [part]


async def test_one_key_of_ours_may_stand_for_two_deeds(stripe: Stripe) -> None:
    intent = intent_of(**MANUAL)
    accepted = await stripe.adapter.create_payment(intent)
    await stripe.settle(accepted)
    question = question_of(intent, accepted)

    await stripe.adapter.capture_payment(question, intent.amount, "key-1")

    assert isinstance(await stripe.adapter.cancel_payment(question, "key-1"), Paid)


async def test_more_than_was_authorised_can_t_be_captured(stripe: Stripe) -> None:
    intent = intent_of(**MANUAL)
    accepted = await stripe.adapter.create_payment(intent)
    await stripe.settle(accepted)

    with pytest.raises(ProviderRejected) as refusal:
        await stripe.adapter.capture_payment(
            question_of(intent, accepted), Money(1_501, Currency.USD), "cap-1"
        )

    assert refusal.value.reason is FailureReason.LIMIT_EXCEEDED


@pytest.mark.parametrize("changes", [{}, MANUAL])
async def test_an_open_or_authorised_payment_is_cancelled(stripe: Stripe, changes: dict[str, object]) -> None:
    intent = intent_of(**changes)
    await stripe.plan("success" if changes else "ignored")
    accepted = await stripe.adapter.create_payment(intent)
    await stripe.settle(accepted)
    question = question_of(intent, accepted)

    first = await stripe.adapter.cancel_payment(question, "can-1")
    other = await stripe.adapter.cancel_payment(question, "can-2")

    assert isinstance(first, NotPaid)
    assert first.reason is FailureReason.CANCELLED_BY_MERCHANT
    assert first == other


async def test_cancelling_what_was_paid_meanwhile_says_that_it_is_paid(stripe: Stripe) -> None:
    intent = intent_of()
    accepted = await stripe.adapter.create_payment(intent)
    await stripe.settle(accepted)

    assert isinstance(await stripe.adapter.cancel_payment(question_of(intent, accepted), "can-1"), Paid)


async def test_the_list_has_every_payment_of_the_account_page_after_page(
    stripe: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr(messages, "PAGE_ITEMS", "2")
    intents = {}
    for position in range(3):
        intent = intent_of()
        await stripe.plan("ignored" if position else "success")
        accepted = await stripe.adapter.create_payment(intent)
        await stripe.settle(accepted)
        intents[accepted.provider_reference] = intent

    # when
    since, until = utc_now() - timedelta(minutes=1), utc_now() + timedelta(minutes=1)
    listed = [payment async for payment in stripe.adapter.list_payments(since, until)]
    earlier = [payment async for payment in stripe.adapter.list_payments(since - timedelta(hours=1), since)]

    # then
    assert {payment.provider_reference for payment in listed} == set(intents)
    assert sum(isinstance(payment.answer, Paid) for payment in listed) == 1
    for payment in listed:
        intent = intents[payment.provider_reference]
        assert (payment.payment_id, payment.attempt_key) == (intent.payment_id, intent.attempt_key)
    assert earlier == []
