"""Giving a payment up, the list for the nightly sweep, and the keys."""

from dataclasses import replace
from datetime import timedelta

import pytest

from integrations.errors import FailureReason, ProviderRejected
from integrations.protocol import NotPaid, Paid, StillPending
from tests.integrations.flutterwave.conftest import Desk, MakeDesk, page_of, prompt_of, question_of


async def test_a_page_that_nobody_paid_can_be_switched_off_and_a_paid_one_says_so(desk: Desk) -> None:
    await desk.plan("never")
    left, paid = page_of(), page_of()
    questions = [
        question_of(intent, (await desk.client.create_payment(intent)).request_reference)
        for intent in (left, paid)
    ]
    await desk.release()

    given_up = await desk.client.cancel_payment(questions[0], "key")
    again = await desk.client.cancel_payment(questions[0], "key")
    too_late = await desk.client.cancel_payment(questions[1], "key")

    assert isinstance(given_up, NotPaid)
    assert given_up == again
    assert given_up.reason is FailureReason.CANCELLED_BY_MERCHANT
    assert isinstance(too_late, Paid)


async def test_a_prompt_on_a_phone_cannot_be_called_back(desk: Desk) -> None:
    await desk.plan("never")
    intent = prompt_of()
    accepted = await desk.client.create_payment(intent)

    answer = await desk.client.cancel_payment(question_of(intent, accepted.request_reference), "key")

    assert answer == StillPending()


async def test_the_list_has_every_attempt_of_its_time_over_several_pages(desk: Desk) -> None:
    started = desk.watch.now() - timedelta(seconds=1)
    intents = [prompt_of() for _ in range(12)]
    await desk.plan(*["success"] * 11, "declined")
    for intent in intents:
        await desk.client.create_payment(intent)
    await desk.release()

    listed = [
        row async for row in desk.client.list_payments(started, desk.watch.now() + timedelta(seconds=1))
    ]

    assert [row.payment_id for row in listed] == [intent.payment_id for intent in intents]
    assert [type(row.answer) for row in listed] == [Paid] * 11 + [NotPaid]
    assert listed[0].provider_reference == listed[0].attempt_key == intents[0].attempt_key
    nothing = desk.client.list_payments(started - timedelta(hours=1), started)
    assert [row async for row in nothing] == []


async def test_keys_are_proven_by_the_balances(desk: Desk, make_desk: MakeDesk) -> None:
    await desk.client.prove_keys()

    for secret_key, environment in (
        ("FLWSECK_TEST-unknown", "sandbox"),
        ("FLWSECK-live", "sandbox"),
        ("FLWSECK_TEST-hazina-demo-X", "production"),
    ):
        other = make_desk(secrets={"secret_key": secret_key}, environment=environment)
        with pytest.raises(ProviderRejected) as caught:
            await other.client.prove_keys()
        assert caught.value.reason is FailureReason.CONFIGURATION
        with pytest.raises(ProviderRejected):
            await replace(other.client, environment=environment).create_payment(prompt_of())
