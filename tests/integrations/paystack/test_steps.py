"""What the payer has to do, and what becomes of it."""

from datetime import timedelta
from typing import Any

import pytest

from core.collecting import ActionKind
from integrations.errors import FailureReason, ProviderRejected
from integrations.protocol import NotPaid, Paid, PayerStep, StillPending
from tests.integrations.paystack.conftest import Desk, MakeDesk, page_of, prompt_of, question_of, step_of


async def test_a_payer_may_be_told_to_pay_by_hand(make_desk: MakeDesk) -> None:
    desk = make_desk(settings={"mpesa_provider": "mpesa_offline"})

    accepted = await desk.client.create_payment(prompt_of())

    assert step_of(accepted) is ActionKind.PAY_BY_HAND
    assert isinstance(accepted.answer, StillPending)
    assert accepted.answer.next_action is not None
    assert set(accepted.answer.next_action.data) == {"paybill", "account"}


@pytest.mark.parametrize(
    ("outcome", "kind", "values"),
    [
        ("otp", ActionKind.ENTER_OTP, {"otp": "123456"}),
        ("pin", ActionKind.ENTER_PIN, {"pin": "1234"}),
        ("phone", ActionKind.ENTER_PHONE, {"phone": "0700000001"}),
        ("birthday", ActionKind.ENTER_BIRTHDAY, {"birthday": "1990-01-31"}),
        ("address", ActionKind.ENTER_ADDRESS, {"address": "1 Moi Avenue", "city": "Nairobi"}),
    ],
)
async def test_a_step_that_the_payer_takes_ends_in_a_verified_payment(
    desk: Desk, outcome: str, kind: ActionKind, values: dict[str, str]
) -> None:
    await desk.plan(outcome)
    intent = prompt_of()

    assert step_of(await desk.client.create_payment(intent)) is kind
    accepted = await desk.client.confirm_payment(question_of(intent), PayerStep(values))

    assert isinstance(accepted.answer, Paid)
    assert desk.operations == ["charge", f"submit_{next(iter(values))}", "verify"]
    entered = str([call.request for call in desk.calls])
    assert not any(value in entered for name, value in values.items() if name != "city")


async def test_one_step_may_follow_another_and_a_wrong_one_leaves_it_to_be_taken_again(desk: Desk) -> None:
    await desk.plan("pin_then_otp")
    intent = prompt_of()
    question = question_of(intent)
    await desk.client.create_payment(intent)

    assert (
        step_of(await desk.client.confirm_payment(question, PayerStep({"pin": "1234"})))
        is ActionKind.ENTER_OTP
    )
    wrong = await desk.client.confirm_payment(question, PayerStep({"otp": "000000"}))

    assert step_of(wrong) is ActionKind.ENTER_OTP
    assert isinstance(wrong.answer, StillPending)
    assert wrong.answer.failed_attempt is not None
    assert wrong.answer.failed_attempt.reason is FailureReason.INCORRECT_DETAILS
    assert isinstance((await desk.client.confirm_payment(question, PayerStep({"otp": "1"}))).answer, Paid)


@pytest.mark.parametrize("outcome", ["invalid_key", "forbidden"])
async def test_a_key_that_is_refused_says_nothing_about_what_the_payer_entered(
    desk: Desk, outcome: str
) -> None:
    await desk.plan("otp", {"kind": outcome, "operation": "submit"})
    intent = prompt_of()
    await desk.client.create_payment(intent)

    with pytest.raises(ProviderRejected) as refused:
        await desk.client.confirm_payment(question_of(intent), PayerStep({"otp": "123456"}))

    assert refused.value.reason is FailureReason.CONFIGURATION


@pytest.mark.parametrize("values", [{}, {"otp": ""}, {"otp": "1", "pin": "2"}, {"reference": "x"}])
async def test_what_is_no_step_is_not_sent(desk: Desk, values: dict[str, str]) -> None:
    with pytest.raises(ProviderRejected):
        await desk.client.confirm_payment(question_of(prompt_of()), PayerStep(values))

    assert desk.calls == []


@pytest.mark.parametrize(
    ("outcome", "step"),
    [
        ("open_url", ActionKind.REDIRECT),
        ("charge_pending", None),
        ("charge_timeout", None),
        ("success", ActionKind.APPROVE_PROMPT),
    ],
)
async def test_a_charge_that_waits_is_pending_until_it_is_paid(
    desk: Desk, outcome: str, step: ActionKind | None
) -> None:
    await desk.plan({"kind": outcome, "delay_s": 60})
    intent = prompt_of()

    assert step_of(await desk.client.create_payment(intent)) is step
    assert await desk.client.query_payment(question_of(intent)) == StillPending()
    await desk.release()
    assert isinstance(await desk.client.query_payment(question_of(intent)), Paid)


@pytest.mark.parametrize(("outcome", "expected"), [("paid_at_once", Paid), ("failed_at_once", NotPaid)])
async def test_a_charge_that_says_it_is_decided_is_verified(
    desk: Desk, outcome: str, expected: type[Any]
) -> None:
    await desk.plan(outcome)

    accepted = await desk.client.create_payment(prompt_of())

    assert isinstance(accepted.answer, expected)
    assert desk.operations == ["charge", "verify"]


async def test_a_charge_that_cannot_be_verified_yet_stays_taken(desk: Desk) -> None:
    await desk.plan("paid_at_once", {"kind": "busy", "operation": "verify"})

    assert (await desk.client.create_payment(prompt_of())).answer == StillPending()


async def test_a_page_that_was_left_is_pending_for_an_hour_and_paid_if_the_payer_comes_back(
    desk: Desk,
) -> None:
    await desk.plan("abandoned")
    intent = page_of()
    await desk.client.create_payment(intent)

    assert await desk.client.query_payment(question_of(intent)) == StillPending()
    desk.watch.later = timedelta(minutes=61)
    answer = await desk.client.query_payment(question_of(intent))

    assert isinstance(answer, NotPaid)
    assert (answer.reason, answer.code) == (FailureReason.NO_ANSWER, "abandoned")
    await desk.sandbox.control("paystack/pay", reference=intent.attempt_key)
    assert isinstance(await desk.client.query_payment(question_of(intent)), Paid)
