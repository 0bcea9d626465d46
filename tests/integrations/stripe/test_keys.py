"""Which keys are used, what is proven of them, and what is kept of calls."""

import pytest

from core.currency import Currency
from core.money import Money
from integrations.account import NotConfigured
from integrations.errors import FailureReason, ProviderRejected
from integrations.protocol import Paid, Question
from tests.integrations.stripe.conftest import Stripe, intent_of, question_of, refund_of

QUESTION = Question("pi_3Qunknown", Money(1_500, Currency.USD), "pay_1", "ten_1")


@pytest.mark.parametrize(
    ("key", "environment"), [("sk_live_x", "sandbox"), ("rk_live_x", "sandbox"), ("sk_test_x", "production")]
)
async def test_a_key_of_the_other_mode_is_never_used(stripe: Stripe, key: str, environment: str) -> None:
    adapter = stripe.build(key=key, environment=environment)

    for call in (
        adapter.create_payment(intent_of()),
        adapter.query_payment(QUESTION),
        adapter.refund_payment(refund_of(QUESTION, 100)),
        adapter.prove_keys(),
    ):
        with pytest.raises(ProviderRejected, match="needs Stripe's"):
            await call

    assert stripe.calls == []


@pytest.mark.parametrize("key", ["", "sk_test_", "pk_test_x", "sk_test_x\nhost: y", "FLWSECK_TEST-x"])
def test_what_is_no_secret_key_is_not_configured(stripe: Stripe, key: str) -> None:
    with pytest.raises(NotConfigured, match="secret_key"):
        stripe.build(secrets={"secret_key": key})


@pytest.mark.parametrize(
    ("key", "details", "warnings"),
    [
        ("sk_test_whole", {}, 0),
        ("rk_test_narrow", {"restricted": "yes"}, 2),
        ("sk_test_closed", {"charges_enabled": "false"}, 1),
    ],
)
async def test_keys_are_proven_by_a_real_call(
    stripe: Stripe, key: str, details: dict[str, str], warnings: int
) -> None:
    await stripe.sandbox.register_webhook("stripe", key=key, details=details)

    proof = await stripe.build(key=key).prove_keys()

    assert len(proof.warnings) == warnings, proof.warnings


async def test_a_wrong_key_is_said_to_be_wrong(stripe: Stripe) -> None:
    with pytest.raises(ProviderRejected) as refusal:
        await stripe.build(key="sk_test_unknown").prove_keys()

    assert refusal.value.reason is FailureReason.CONFIGURATION


async def test_a_restricted_key_still_learns_what_was_paid(stripe: Stripe) -> None:
    await stripe.sandbox.register_webhook("stripe", key=stripe.key, details={"restricted": "yes"})
    intent = intent_of()
    accepted = await stripe.adapter.create_payment(intent)
    await stripe.settle(accepted)

    answer = await stripe.adapter.query_payment(question_of(intent, accepted))

    assert isinstance(answer, Paid)
    assert answer.fee is None


async def test_the_log_of_calls_holds_no_secret(stripe: Stripe) -> None:
    intent = intent_of()
    await stripe.plan("ignored")
    accepted = await stripe.adapter.create_payment(intent)
    with pytest.raises(ProviderRejected):
        await stripe.build(key="sk_test_unknown123456").prove_keys()
    await stripe.adapter.query_payment(question_of(intent, accepted))

    kept = repr(stripe.calls)
    assert intent.payment_id in kept
    assert all(str((call.response or {}).get("request_id")).startswith("req_") for call in stripe.calls)
    for secret in (stripe.key, "_secret_", "sk_test_", "payer@example.com"):
        assert secret not in kept
