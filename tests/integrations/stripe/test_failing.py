"""What may be done after a call that failed, and what becomes of an answer that was lost."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from core.clock import utc_now
from core.currency import Currency
from core.money import Money
from integrations.errors import (
    FailureReason,
    OutcomeUnknown,
    ProviderError,
    ProviderRejected,
    ProviderUnavailable,
)
from integrations.http import open_client
from integrations.protocol import Absent, Accepted, Mismatch, Paid, PayerStep, Question, StillPending
from integrations.stripe.client import StripeClient
from tests.integrations.stripe.conftest import Stripe, intent_of, question_of, refund_of
from tests.sandbox import serving

QUESTION = Question("pi_3Qunknown", Money(1_500, Currency.USD), "pay_1", "ten_1")


@pytest.mark.parametrize(
    ("outcome", "failure"),
    [
        ("busy", ProviderUnavailable),
        ("rate_limited", ProviderUnavailable),
        ("locked", ProviderUnavailable),
        ("key_in_use", OutcomeUnknown),
        ("server_error_before_acceptance", OutcomeUnknown),
        ("server_error_after_acceptance", OutcomeUnknown),
        ("unavailable_before_acceptance", OutcomeUnknown),
        ("unavailable_after_acceptance", OutcomeUnknown),
        ("timeout_before_acceptance", OutcomeUnknown),
        ("timeout_after_acceptance", OutcomeUnknown),
        ("reset_before_acceptance", OutcomeUnknown),
        ("reset_after_acceptance", OutcomeUnknown),
        ("html", OutcomeUnknown),
        ("html_before_acceptance", OutcomeUnknown),
    ],
)
async def test_after_a_doubt_the_payment_is_recovered_and_never_made_twice(
    stripe: Stripe, outcome: str, failure: type[ProviderError]
) -> None:
    # given
    intent = intent_of()
    await stripe.plan(outcome)
    with pytest.raises(failure):
        await (stripe.hasty if "timeout" in outcome else stripe.adapter).create_payment(intent)

    # when
    again = (
        stripe.adapter.create_payment if failure is ProviderUnavailable else stripe.adapter.recover_payment
    )
    accepted = await again(intent)

    # then
    assert isinstance(accepted, Accepted)
    await stripe.settle(accepted)
    assert isinstance(await stripe.adapter.query_payment(question_of(intent, accepted)), Paid)
    (row,) = await stripe.paid()
    assert row["payment_id"] == intent.payment_id


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        ("invalid_request", FailureReason.CONFIGURATION),
        ("wrong_key", FailureReason.CONFIGURATION),
        ("forbidden", FailureReason.CONFIGURATION),
        ("not_found", FailureReason.CONFIGURATION),
    ],
)
async def test_a_refusal_is_final(stripe: Stripe, outcome: str, reason: FailureReason) -> None:
    await stripe.plan(outcome)

    with pytest.raises(ProviderRejected) as refusal:
        await stripe.adapter.create_payment(intent_of())

    assert refusal.value.reason is reason
    assert stripe.key not in refusal.value.message


async def test_a_question_that_fails_says_nothing_of_the_payment(stripe: Stripe) -> None:
    intent = intent_of()
    await stripe.plan("ignored")
    question = question_of(intent, await stripe.adapter.create_payment(intent))

    for answer in ("429", "500", "503", "hang", "drop", "html"):
        await stripe.plan({"operation": "query", "answer": answer})
        with pytest.raises(ProviderUnavailable):
            await (stripe.hasty if answer == "hang" else stripe.adapter).query_payment(question)

    with pytest.raises(ProviderRejected) as refusal:
        await stripe.adapter.query_payment(QUESTION)
    assert refusal.value.code == "resource_missing"


@pytest.mark.parametrize("operation", ["confirm", "capture", "cancel", "refund"])
async def test_whatever_changes_something_is_in_doubt_without_an_answer(
    stripe: Stripe, operation: str
) -> None:
    await stripe.plan({"operation": operation, "answer": "drop", "is_taken": False})

    with pytest.raises(OutcomeUnknown):
        await change(stripe, operation)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"amount": Money(49, Currency.USD)}, FailureReason.LIMIT_EXCEEDED),
        ({"amount": Money(1_000, Currency.KWD)}, FailureReason.CONFIGURATION),
        ({"amount": Money(10**15, Currency.USD)}, FailureReason.CONFIGURATION),
    ],
)
async def test_an_amount_that_stripe_can_t_take_is_refused(
    stripe: Stripe, changes: dict[str, Any], reason: FailureReason
) -> None:
    with pytest.raises(ProviderRejected) as refusal:
        await stripe.adapter.create_payment(intent_of(**changes))

    assert refusal.value.reason is reason


async def test_the_same_key_with_another_amount_is_refused(stripe: Stripe) -> None:
    intent = intent_of()
    await stripe.adapter.create_payment(intent)

    with pytest.raises(ProviderRejected) as refusal:
        await stripe.adapter.create_payment(
            intent_of(attempt_key=intent.attempt_key, amount=Money(9_900, Currency.USD))
        )

    assert refusal.value.code == "idempotency_error"


async def test_after_a_day_the_key_is_not_used_again(stripe: Stripe) -> None:
    made, lost = intent_of(), intent_of()
    await stripe.plan("timeout_after_acceptance")
    with pytest.raises(OutcomeUnknown):
        await stripe.hasty.create_payment(made)
    tomorrow = stripe.build(clock=lambda: utc_now() + timedelta(hours=24))
    before = len(stripe.calls)

    found = await tomorrow.recover_payment(made)
    absent = await tomorrow.recover_payment(lost)
    lost_just_now = intent_of(payment_id=lost.payment_id, sent_at=utc_now() + timedelta(hours=24))

    assert isinstance(found, Accepted)
    assert absent == Absent()
    assert await tomorrow.recover_payment(lost_just_now) == StillPending()
    assert {call.method for call in stripe.calls[before:]} == {"GET"}


async def test_a_failure_that_stripe_has_stored_is_told_from_one_that_may_pass(stripe: Stripe) -> None:
    answers = {"true": StillPending(), "false": Absent()}
    for should_retry, expected in answers.items():
        failure = JSONResponse({"error": {}}, 500, {"stripe-should-retry": should_retry})
        async with scripted(stripe, failure) as client:
            assert await client.recover_payment(intent_of()) == expected


@pytest.mark.parametrize(
    ("status", "should_retry", "failure"),
    [
        (400, "true", ProviderUnavailable),
        (409, "", ProviderUnavailable),
        (409, "false", ProviderRejected),
        (429, "false", ProviderRejected),
        (402, "", ProviderRejected),
        (500, "true", OutcomeUnknown),
        (302, "", OutcomeUnknown),
    ],
)
async def test_stripe_s_own_word_on_trying_again_wins(
    stripe: Stripe, status: int, should_retry: str, failure: type[ProviderError]
) -> None:
    error = {"error": {"type": "card_error", "code": "card_declined", "message": "x"}}
    headers = {"stripe-should-retry": should_retry} if should_retry else {}

    async with scripted(stripe, JSONResponse(error, status, headers)) as client:
        with pytest.raises(failure):
            await client.create_payment(intent_of())


async def test_a_refusal_of_something_between_us_and_stripe_is_a_doubt(stripe: Stripe) -> None:
    async with scripted(stripe, Response("<html>Forbidden</html>", 403)) as client:
        with pytest.raises(OutcomeUnknown):
            await client.create_payment(intent_of())
        with pytest.raises(ProviderUnavailable):
            await client.query_payment(QUESTION)


async def test_an_object_of_the_other_mode_is_a_mismatch(stripe: Stripe) -> None:
    live = {
        "id": QUESTION.provider_reference,
        "livemode": True,
        "status": "succeeded",
        "metadata": {"payment_id": QUESTION.payment_id, "tenant": QUESTION.tenant},
    }

    async with scripted(stripe, JSONResponse(live)) as client:
        assert isinstance(await client.query_payment(QUESTION), Mismatch)


async def test_a_decline_counts_even_where_the_intent_does_not_repeat_it(stripe: Stripe) -> None:
    error = {"type": "card_error", "code": "authentication_required"}
    intent = {
        "id": QUESTION.provider_reference,
        "livemode": False,
        "status": "requires_payment_method",
        "last_payment_error": None,
        "metadata": {"payment_id": QUESTION.payment_id, "tenant": QUESTION.tenant},
    }

    declined = JSONResponse({"error": error}, 402)
    async with scripted(stripe, declined, JSONResponse(intent)) as client:
        accepted = await client.confirm_payment(QUESTION, PayerStep({"payment_method": "pm_1"}))

    assert isinstance(accepted.answer, StillPending)
    assert accepted.answer.failed_attempt is not None
    assert accepted.answer.failed_attempt.reason is FailureReason.AUTHENTICATION_REQUIRED


async def change(stripe: Stripe, operation: str) -> None:
    """One call that changes something, on an intent that nobody knows."""
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "confirm": lambda: stripe.adapter.confirm_payment(QUESTION, PayerStep({"payment_method": "pm_1"})),
        "capture": lambda: stripe.adapter.capture_payment(QUESTION, QUESTION.amount, "1"),
        "cancel": lambda: stripe.adapter.cancel_payment(QUESTION, "1"),
        "refund": lambda: stripe.adapter.refund_payment(refund_of(QUESTION, 100)),
    }
    await calls[operation]()


@asynccontextmanager
async def scripted(
    stripe: Stripe, answer: Response, read: Response | None = None
) -> AsyncIterator[StripeClient]:
    """An adapter that is always answered alike, but that its lists are empty; `read` answers GETs."""

    async def handle(request: Request) -> Response:
        if request.method == "GET" and request.url.path == "/v1/payment_intents":
            return JSONResponse({"object": "list", "data": [], "has_more": False})
        return read if read is not None and request.method == "GET" else answer

    app = Starlette(routes=[Route("/{path:path}", handle, methods=["GET", "POST"])])
    async with serving(app) as url, open_client() as http:
        yield stripe.build(base_url=url, http=http)
