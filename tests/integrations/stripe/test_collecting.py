import httpx
import pytest

from core.collecting import ActionKind, NextAction
from core.currency import Currency
from core.money import Money
from integrations.errors import FailureReason, ProviderRejected
from integrations.protocol import (
    Accepted,
    Answer,
    Mismatch,
    NotPaid,
    Paid,
    PayerStep,
    Question,
    StillPending,
)
from tests.integrations.stripe.conftest import RETURN_URL, Stripe, intent_of, question_of


async def answer_to(stripe: Stripe, *outcomes: str, **changes: object) -> Answer:
    """What a payment comes to when the payer has done as planned."""
    intent = intent_of(**changes)
    await stripe.plan(*outcomes)
    accepted = await stripe.adapter.create_payment(intent)
    await stripe.settle(accepted)
    return await stripe.adapter.query_payment(question_of(intent, accepted))


async def test_the_payer_s_browser_gets_the_client_secret_and_the_publishable_key(stripe: Stripe) -> None:
    await stripe.plan("ignored")

    accepted = await stripe.adapter.create_payment(intent_of())

    assert isinstance(accepted.answer, StillPending)
    action = accepted.answer.next_action
    assert action is not None
    assert action.kind is ActionKind.CLIENT_SDK
    assert action.data["publishable_key"] == "pk_test_of_this_test"
    assert action.data["client_secret"].startswith(f"{accepted.provider_reference}_secret_")


@pytest.mark.parametrize(
    ("currency", "minor"),
    [(Currency.USD, 1_500), (Currency.KES, 123_456), (Currency.JPY, 900), (Currency.UGX, 40_000)],
)
async def test_what_is_paid_is_told_exactly_with_charge_and_fee(
    stripe: Stripe, currency: Currency, minor: int
) -> None:
    amount = Money(minor, currency)

    answer = await answer_to(stripe, amount=amount)

    (row,) = await stripe.paid()
    assert (row["amount_minor"], row["currency"]) == (minor, currency.value)
    assert isinstance(answer, Paid)
    assert (answer.amount, answer.receipt) == (amount, row["receipt"])
    assert answer.fee is not None
    assert answer.fee.currency is currency


@pytest.mark.parametrize(
    ("outcome", "reason", "code"),
    [
        ("card_declined", FailureReason.DECLINED, "generic_decline"),
        ("do_not_honor", FailureReason.DECLINED, "do_not_honor"),
        ("insufficient_funds", FailureReason.INSUFFICIENT_FUNDS, "insufficient_funds"),
        ("expired_card", FailureReason.CARD_EXPIRED, "expired_card"),
        ("incorrect_cvc", FailureReason.INCORRECT_DETAILS, "incorrect_cvc"),
        ("incorrect_number", FailureReason.INCORRECT_DETAILS, "incorrect_number"),
        ("processing_error", FailureReason.PROVIDER_BUSY, "processing_error"),
        ("issuer_not_available", FailureReason.PROVIDER_BUSY, "issuer_not_available"),
        ("card_velocity_exceeded", FailureReason.LIMIT_EXCEEDED, "card_velocity_exceeded"),
        ("card_not_supported", FailureReason.PAYER_NOT_ALLOWED, "card_not_supported"),
        ("currency_not_supported", FailureReason.PAYER_NOT_ALLOWED, "currency_not_supported"),
        ("authentication_required", FailureReason.AUTHENTICATION_REQUIRED, "authentication_required"),
        (
            "authentication_failed",
            FailureReason.AUTHENTICATION_REQUIRED,
            "payment_intent_authentication_failure",
        ),
        ("fraudulent", FailureReason.DECLINED, "card_declined"),
        ("lost_card", FailureReason.DECLINED, "card_declined"),
        ("stolen_card", FailureReason.DECLINED, "card_declined"),
        ("pickup_card", FailureReason.DECLINED, "card_declined"),
    ],
)
async def test_a_decline_is_a_failed_attempt_and_the_payment_stays_open(
    stripe: Stripe, outcome: str, reason: FailureReason, code: str
) -> None:
    answer = await answer_to(stripe, outcome)

    assert isinstance(answer, StillPending)
    assert answer.next_action is not None
    failed = answer.failed_attempt
    assert failed is not None
    assert (failed.reason, failed.code) == (reason, code)
    assert "(" not in failed.message, "Stripe's own words never reach a payer"


async def test_a_declined_payer_may_pay_with_another_card(stripe: Stripe) -> None:
    intent = intent_of()
    await stripe.plan("declined_then_paid")
    accepted = await stripe.adapter.create_payment(intent)

    await stripe.settle(accepted)
    await stripe.settle(accepted)

    answer = await stripe.adapter.query_payment(question_of(intent, accepted))
    assert isinstance(answer, Paid)
    assert len(await stripe.paid()) == 1


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        ("ignored", StillPending),
        ("processing", StillPending),
        ("query_pending", Paid),
        ("expired", NotPaid),
        ("cancelled_by_customer", NotPaid),
    ],
)
async def test_what_a_payer_leaves_undone_is_pending_or_over(
    stripe: Stripe, outcome: str, expected: type[Answer]
) -> None:
    assert isinstance(await answer_to(stripe, outcome), expected)


@pytest.mark.parametrize("outcome", ["paid", "failed"])
async def test_three_d_secure_sends_the_payer_to_the_bank(stripe: Stripe, outcome: str) -> None:
    # given
    intent = intent_of(return_url=RETURN_URL)
    await stripe.plan("ignored")
    accepted = await stripe.adapter.create_payment(intent)
    question = question_of(intent, accepted)

    # when
    confirmed = await stripe.adapter.confirm_payment(question, step("pm_card_authenticationRequired"))

    # then
    assert isinstance(confirmed.answer, StillPending)
    action = confirmed.answer.next_action
    assert action is not None
    assert action.kind is ActionKind.REDIRECT
    assert action.url is not None
    if outcome == "paid":
        async with httpx.AsyncClient() as browser:
            back = await browser.get(action.url)
        assert back.headers["location"].startswith(
            f"{RETURN_URL}&payment_intent={accepted.provider_reference}"
        )
        assert isinstance(await stripe.adapter.query_payment(question), Paid)
    else:
        await stripe.act(accepted, "failed")
        after = await stripe.adapter.query_payment(question)
        assert isinstance(after, StillPending)
        assert after.failed_attempt is not None
        assert after.failed_attempt.reason is FailureReason.AUTHENTICATION_REQUIRED


async def test_a_voucher_is_shown_as_it_is(stripe: Stripe) -> None:
    answer = await answer_to(stripe, "shows_voucher")

    assert isinstance(answer, StillPending)
    assert answer.next_action is not None
    assert answer.next_action.kind is ActionKind.SHOW
    assert answer.next_action.data["voucher_display_details.number"] == "0123456789"


async def test_without_a_place_to_come_back_to_the_script_handles_the_bank(stripe: Stripe) -> None:
    answer = await answer_to(stripe, "requires_action")

    assert isinstance(answer, StillPending)
    assert answer.next_action is not None
    assert answer.next_action.kind is ActionKind.CLIENT_SDK


@pytest.mark.parametrize(
    ("method", "expected", "reason"),
    [
        ("pm_card_visa", Paid, None),
        ("pm_card_chargeDeclined", StillPending, FailureReason.DECLINED),
        ("pm_card_chargeDeclinedInsufficientFunds", StillPending, FailureReason.INSUFFICIENT_FUNDS),
        ("pm_card_chargeDeclinedExpiredCard", StillPending, FailureReason.CARD_EXPIRED),
        ("pm_card_chargeDeclinedFraudulent", StillPending, FailureReason.DECLINED),
    ],
)
async def test_a_confirmation_answers_with_what_the_bank_said(
    stripe: Stripe, method: str, expected: type[Answer], reason: FailureReason | None
) -> None:
    intent = intent_of()
    await stripe.plan("ignored")
    question = question_of(intent, await stripe.adapter.create_payment(intent))

    first = await stripe.adapter.confirm_payment(question, step(method))
    again = await stripe.adapter.confirm_payment(question, step(method))

    for answer in (first.answer, again.answer):
        assert isinstance(answer, expected)
        failed = answer.failed_attempt if isinstance(answer, StillPending) else None
        assert (failed.reason if failed else None) == reason
    assert len(await stripe.paid()) == (1 if reason is None else 0)


async def test_a_confirmation_after_the_payment_says_that_it_is_paid(stripe: Stripe) -> None:
    intent = intent_of()
    accepted = await stripe.adapter.create_payment(intent)
    await stripe.settle(accepted)

    late = await stripe.adapter.confirm_payment(question_of(intent, accepted), step("pm_card_visa"))

    assert isinstance(late.answer, Paid)


async def test_a_place_to_come_back_to_is_needed_where_one_was_promised(stripe: Stripe) -> None:
    method = PayerStep({"payment_method": "pm_card_visa"})
    await stripe.plan("ignored", "ignored")
    with_place, without = intent_of(return_url=RETURN_URL), intent_of()
    question = question_of(with_place, await stripe.adapter.create_payment(with_place))
    other = question_of(without, await stripe.adapter.create_payment(without))

    with pytest.raises(ProviderRejected):
        await stripe.adapter.confirm_payment(question, method)
    assert isinstance((await stripe.adapter.confirm_payment(other, method)).answer, Paid)


async def test_a_payment_method_is_needed_before_anything_is_sent(stripe: Stripe) -> None:
    question = Question("pi_1", intent_of().amount, "pay_1", "ten_1")

    with pytest.raises(ProviderRejected) as refusal:
        await stripe.adapter.confirm_payment(question, PayerStep({"payment_method": "4242424242424242"}))

    assert refusal.value.reason is FailureReason.INCORRECT_DETAILS
    assert stripe.calls == []


@pytest.mark.parametrize(
    "outcome",
    [
        *("paid_less", "paid_more", "paid_in_other_currency"),
        *("paid_for_other_tenant", "paid_for_other_payment", "paid_in_other_mode"),
    ],
)
async def test_what_is_paid_otherwise_than_asked_is_a_mismatch(stripe: Stripe, outcome: str) -> None:
    assert isinstance(await answer_to(stripe, outcome), Mismatch)
    assert len(await stripe.paid()) == 1


def step(method: str) -> PayerStep:
    return PayerStep({"payment_method": method, "return_url": RETURN_URL})


def test_an_acceptance_prints_no_client_secret() -> None:
    action = NextAction(ActionKind.CLIENT_SDK, "Pay.", data={"client_secret": "pi_1_secret_x"})

    assert "secret_x" not in repr(Accepted("pi_1", answer=StillPending(action)))
