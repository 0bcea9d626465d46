"""What is sent to collect, and what becomes of it."""

from datetime import timedelta

import pytest

from core.collecting import ActionKind, CaptureMode, Method
from core.currency import Currency
from core.money import Money
from core.phone import Phone
from integrations.account import NotConfigured
from integrations.errors import FailureReason, ProviderRejected
from integrations.flutterwave.charging import Habits, charge_body
from integrations.protocol import Intent, Mismatch, NotPaid, Paid, StillPending
from tests.integrations.flutterwave.conftest import KES_1500, Desk, MakeDesk, page_of, prompt_of, question_of

FEE = Money(4_350, Currency.KES)


async def test_a_kenyan_phone_is_prompted_and_what_it_pays_is_found_by_id_and_by_reference(
    desk: Desk,
) -> None:
    intent = prompt_of()

    accepted = await desk.client.create_payment(intent)

    assert accepted.provider_reference == intent.attempt_key
    assert isinstance(accepted.answer, StillPending)
    assert accepted.answer.next_action is not None
    assert accepted.answer.next_action.kind is ActionKind.APPROVE_PROMPT
    await desk.release()
    expected = Paid(KES_1500, accepted.request_reference, FEE)
    for request_reference in (accepted.request_reference, None):
        assert await desk.client.query_payment(question_of(intent, request_reference)) == expected
    (row,) = await desk.paid()
    assert (row["payment_id"], row["amount_minor"]) == (intent.payment_id, 150_000)


async def test_others_are_sent_to_a_page(desk: Desk) -> None:
    intent = page_of()

    accepted = await desk.client.create_payment(intent)

    assert isinstance(accepted.answer, StillPending)
    action = accepted.answer.next_action
    assert action is not None
    assert (action.kind, action.url) == (ActionKind.REDIRECT, accepted.request_reference)
    await desk.release()
    answer = await desk.client.query_payment(question_of(intent, accepted.request_reference))
    assert isinstance(answer, Paid)
    assert answer.amount == KES_1500


@pytest.mark.parametrize("intent", [prompt_of(), page_of()], ids=["prompt", "page"])
async def test_a_creation_that_is_sent_again_collects_once(desk: Desk, intent: Intent) -> None:
    await desk.client.create_payment(intent)
    await desk.release()

    again = await desk.client.create_payment(intent)

    await desk.release()
    assert isinstance(again.answer, Paid)
    assert len(await desk.paid()) == 1


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        ("declined", FailureReason.DECLINED),
        ("insufficient_funds", FailureReason.INSUFFICIENT_FUNDS),
        ("cancelled", FailureReason.CANCELLED_BY_PAYER),
        ("wrong_pin", FailureReason.WRONG_PIN),
        ("timed_out", FailureReason.NO_ANSWER),
        ("limit_exceeded", FailureReason.LIMIT_EXCEEDED),
    ],
)
async def test_a_declined_prompt_is_final_and_a_declined_page_may_be_tried_again(
    desk: Desk, outcome: str, reason: FailureReason
) -> None:
    await desk.plan(outcome, outcome)
    prompt, page = prompt_of(), page_of()
    await desk.client.create_payment(prompt)
    await desk.client.create_payment(page)
    await desk.release()

    declined = await desk.client.query_payment(question_of(prompt))
    waiting = await desk.client.query_payment(question_of(page))

    assert isinstance(declined, NotPaid)
    assert (declined.reason, declined.is_sure) == (reason, True)
    assert waiting == StillPending(failed_attempt=declined)


async def test_a_page_whose_time_is_over_is_not_paid_whether_somebody_tried_or_nobody(desk: Desk) -> None:
    await desk.plan("declined", "never")
    tried, untouched = page_of(), page_of()
    await desk.client.create_payment(tried)
    await desk.client.create_payment(untouched)
    await desk.release()
    assert await desk.client.query_payment(question_of(untouched)) == StillPending()

    desk.watch.later = timedelta(minutes=46)

    answers = [await desk.client.query_payment(question_of(intent)) for intent in (tried, untouched)]
    assert [answer.code for answer in answers if isinstance(answer, NotPaid)] == ["failed", "no_transaction"]


@pytest.mark.parametrize("knows_id", [True, False])
async def test_the_attempt_that_succeeded_counts_even_where_another_is_told(
    desk: Desk, *, knows_id: bool
) -> None:
    await desk.plan("declined")
    intent = page_of()
    await desk.client.create_payment(intent)
    await desk.release()
    failed = await desk.sandbox.control("flutterwave/pay", reference=intent.attempt_key, result="failed")
    paid = await desk.sandbox.control("flutterwave/pay", reference=intent.attempt_key)

    question = question_of(intent, failed["id"] if knows_id else None)

    assert await desk.client.query_payment(question) == Paid(KES_1500, paid["id"], FEE)


@pytest.mark.parametrize(
    "outcome",
    ["underpaid", "paid_in_other_currency", "paid_for_other_tenant", "paid_for_other_payment"],
)
async def test_money_that_does_not_fit_is_never_paid(desk: Desk, outcome: str) -> None:
    await desk.plan(outcome)
    intent = prompt_of()
    await desk.client.create_payment(intent)
    await desk.release()

    assert isinstance(await desk.client.query_payment(question_of(intent)), Mismatch)


async def test_an_excess_is_told_apart_from_what_is_credited(desk: Desk) -> None:
    await desk.plan("overpaid")
    intent = prompt_of()
    await desk.client.create_payment(intent)
    await desk.release()

    answer = await desk.client.query_payment(question_of(intent))

    assert isinstance(answer, Paid)
    assert (answer.amount, answer.excess) == (KES_1500, Money(10_000, Currency.KES))


async def test_an_id_that_leads_to_another_payment_is_passed_over(desk: Desk) -> None:
    await desk.plan("success", "never")
    other, ours = prompt_of(), prompt_of()
    theirs = await desk.client.create_payment(other)
    await desk.client.create_payment(ours)
    await desk.release()

    answer = await desk.client.query_payment(question_of(ours, theirs.request_reference))

    assert answer == StillPending()


async def test_what_is_not_decided_or_not_yet_there_is_pending(desk: Desk) -> None:
    for outcome in ("query_pending", "not_found_yet", "never"):
        await desk.plan(outcome)
        intent = prompt_of()
        await desk.client.create_payment(intent)
        assert await desk.client.query_payment(question_of(intent)) == StillPending()


@pytest.mark.parametrize("outcome", ["redirect", "redirect_without_reference"])
async def test_a_charge_may_send_its_payer_elsewhere(desk: Desk, outcome: str) -> None:
    await desk.plan(outcome)

    accepted = await desk.client.create_payment(prompt_of())

    assert isinstance(accepted.answer, StillPending)
    assert accepted.answer.next_action is not None
    assert accepted.answer.next_action.kind is ActionKind.REDIRECT


@pytest.mark.parametrize(
    ("currency", "phone", "networks", "operation"),
    [
        (Currency.KES, "+233200000001", {}, "payment_page"),
        (Currency.GHS, "+233200000001", {}, "payment_page"),
        (Currency.GHS, "+233200000001", {"233": "VODAFONE", "23320": "MTN"}, "charge"),
        (Currency.GHS, "+254700000001", {"254": "MTN"}, "payment_page"),
        (Currency.UGX, "+256700000001", {"256": "MTN"}, "charge"),
        (Currency.XOF, "+221700000001", {"221": "Orange"}, "charge"),
    ],
)
async def test_mobile_money_is_prompted_where_its_network_is_known(
    make_desk: MakeDesk, currency: Currency, phone: str, networks: dict[str, str], operation: str
) -> None:
    desk = make_desk(settings={"mobile_money_networks": networks})

    await desk.client.create_payment(prompt_of(phone=Phone.parse(phone), amount=Money(5_000, currency)))

    assert desk.operations()[-1] == operation


@pytest.mark.parametrize(
    ("intent", "code"),
    [
        (prompt_of(amount=Money(150_050, Currency.KES)), "amount"),
        (prompt_of(amount=Money(150_050, Currency.KES), phone=None), "amount"),
        (prompt_of(email=None), "email"),
        (page_of(email=None), "email"),
        (page_of(return_url=None), "return_url"),
        (page_of(return_url="http://shop.example.com/r"), "return_url"),
        (page_of(capture=CaptureMode.MANUAL), "not_supported"),
        (prompt_of(amount=Money(150_000, Currency.TZS), phone=None), "method"),
    ],
)
async def test_what_flutterwave_would_refuse_is_never_sent(desk: Desk, intent: Intent, code: str) -> None:
    with pytest.raises(ProviderRejected) as caught:
        await desk.client.create_payment(intent)

    assert caught.value.code == code
    assert desk.calls == []


@pytest.mark.parametrize(("told", "minutes"), [(10, 10), (5_000, 1_440), (0, 30), ("10", 30), (None, 30)])
def test_a_page_can_be_paid_for_a_day_at_most(told: object, minutes: int) -> None:
    assert Habits.of({"session_minutes": told}, {}).session_minutes == minutes


@pytest.mark.parametrize(("told", "seconds"), [(60, 45), (42, 42), (40, 40), (10, 40), (None, 40)])
def test_an_answer_is_waited_for_longer_than_flutterwave_takes_to_give_up(
    make_desk: MakeDesk, told: object, seconds: float
) -> None:
    desk = make_desk(settings={"read_timeout_s": told})

    assert desk.client.transport.deadline_s == seconds


def test_a_business_may_lend_a_domain_to_payers_who_give_none() -> None:
    habits = Habits.of({}, {"alias_email_domain": "pay.example.com"})

    intent = prompt_of(email=None)

    assert charge_body(intent, "mpesa", habits)["email"] == f"{intent.payment_id}@pay.example.com"
    with pytest.raises(NotConfigured):
        Habits.of({}, {"alias_email_domain": "jane@example.com"})


@pytest.mark.parametrize(
    ("method", "options"),
    [
        (Method.CARD, "card"),
        (Method.BANK_TRANSFER, "banktransfer, account"),
        (Method.MOBILE_MONEY, "mpesa"),
    ],
)
async def test_a_page_offers_the_method_that_was_asked_for(desk: Desk, method: Method, options: str) -> None:
    await desk.client.create_payment(prompt_of(method=method, phone=None))

    assert desk.calls[-1].request["payment_options"] == options


async def test_fractions_are_sent_digit_by_digit_and_come_back_exact(desk: Desk) -> None:
    intent = page_of(amount=Money(1_999, Currency.USD))
    await desk.client.create_payment(intent)
    await desk.release()

    answer = await desk.client.query_payment(question_of(intent))

    assert isinstance(answer, Paid)
    assert (answer.amount, answer.fee) == (Money(1_999, Currency.USD), Money(58, Currency.USD))
