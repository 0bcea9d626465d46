"""Checks: what the adapter says of itself, and what it keeps to itself."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

from core.collecting import Feature
from integrations.account import Account, NotConfigured
from integrations.contract.harness import Harness, broken, expect, outcome, pay, question_of, raised
from integrations.errors import FailureReason, ProviderError, ProviderRejected
from integrations.protocol import Accepted, Adapter, Intent, KeyProof, Paid, PayerStep, Question

VERBS: Final[Mapping[Feature, tuple[str, ...]]] = {
    Feature.COLLECT: ("create_payment",),
    Feature.QUERY: ("query_payment",),
    Feature.CONFIRM: ("confirm_payment",),
    Feature.CAPTURE: ("capture_payment",),
    Feature.CANCEL: ("cancel_payment",),
    Feature.REFUND: ("refund_payment",),
    Feature.RECOVER: ("recover_payment",),
    Feature.LIST: ("list_payments",),
}
"""What an adapter must have for each of its features, and must not have without it."""

SHORT_SECRET_CHARACTERS: Final = 6
"""Shorter values are words that stand anywhere."""


async def features_are_what_the_adapter_can_do(harness: Harness) -> None:
    """A feature that is missing is refused with `not_supported`, before anything is sent."""
    integration = harness.integration
    expect(integration.code == harness.account.provider, "the account is another provider's")
    expect(
        Feature.PARTIAL_REFUND not in integration.features or harness.has(Feature.REFUND),
        "partial refunds without refunds",
    )
    adapter = harness.adapter()
    calls = await _calls(harness, adapter)
    for feature, verbs in VERBS.items():
        for verb in verbs:
            is_own = getattr(type(adapter), verb) is not getattr(Adapter, verb)
            if harness.has(feature):
                expect(is_own, f"it says {feature}, and has no {verb}")
                continue
            sent = len(harness.calls)
            error = await raised(ProviderRejected, calls[verb](), f"{verb} without the feature {feature}")
            expect(error.code == "not_supported", f"{verb} is refused as {error.code}, not as not_supported")
            expect(len(harness.calls) == sent, f"{verb} is not supported, and sends something")


async def _calls(harness: Harness, adapter: Adapter) -> dict[str, Callable[[], Awaitable[object]]]:
    intent = harness.intent()
    question = question_of(intent, Accepted(intent.attempt_key))
    refund = await harness.refund_of(intent, question, Paid(), intent.amount)
    now = harness.outside.clock()
    return {
        "create_payment": lambda: adapter.create_payment(intent),
        "query_payment": lambda: adapter.query_payment(question),
        "confirm_payment": lambda: adapter.confirm_payment(question, PayerStep({"otp": "123456"})),
        "capture_payment": lambda: adapter.capture_payment(question, intent.amount, "key"),
        "cancel_payment": lambda: adapter.cancel_payment(question, "key"),
        "refund_payment": lambda: adapter.refund_payment(refund),
        "recover_payment": lambda: adapter.recover_payment(intent),
        "list_payments": lambda: _all(lambda: adapter.list_payments(now - timedelta(days=1), now)),
    }


async def _all(rows: Callable[[], AsyncIterator[object]]) -> list[object]:
    return [row async for row in rows()]


async def good_keys_are_proven_and_bad_ones_named(harness: Harness) -> None:
    """A sentence for good ones; bad ones are rejected as a configuration, and collect nothing."""
    proof = await harness.adapter().prove_keys()
    expect(isinstance(proof, KeyProof) and proof.summary, f"good keys are proven by {proof!r}")
    wrong = harness.wrong_account()
    if wrong is None:
        return
    adapter = harness.adapter(wrong)
    error = await raised(ProviderRejected, adapter.prove_keys(), "a proof of bad keys")
    expect(error.reason is FailureReason.CONFIGURATION, f"bad keys are refused for {error.reason}")
    intent: Intent = harness.intent()
    answer = await outcome(adapter.create_payment(intent))
    expect(isinstance(answer, ProviderError), f"with bad keys a payment is {answer!r}")
    await harness.settle()
    expect(not await harness.collected(intent), "collected with bad keys")
    question: Question = question_of(intent, Accepted(intent.attempt_key))
    asked = await outcome(adapter.query_payment(question))
    expect(isinstance(asked, ProviderError), f"with bad keys a question is answered {asked!r}")


async def what_is_missing_is_named_before_anything_is_sent(harness: Harness) -> None:
    """Without a secret the adapter is not built, or is built and does without: nothing else is raised."""
    refused = 0
    for name in harness.account.secrets:
        rest = {other: value for other, value in harness.account.secrets.items() if other != name}
        for account in (
            replace(harness.account, secrets=rest),
            replace(harness.account, secrets={**rest, name: ""}),
        ):
            refused += not _is_built(harness, account)
    expect(refused, "it is built without any of its secrets")
    bare = replace(harness.account, secrets={}, details={})
    expect(not _is_built(harness, bare), "it is built without any configuration")
    expect(not harness.calls, "building it sends something")


def _is_built(harness: Harness, account: Account) -> bool:
    try:
        harness.adapter(account)
    except NotConfigured as lack:
        expect(str(lack), "NotConfigured names nothing")
        return False
    return True


async def keys_never_travel_in_clear(harness: Harness) -> None:
    """A base URL without https is refused, unless it is on this machine."""
    for base_url in ("http://api.example.com", "ftp://api.example.com", "api.example.com", ""):
        try:
            harness.adapter(replace(harness.account, base_url=base_url))
        except ValueError:
            continue
        broken(f"it is built with the base URL {base_url!r}")


async def nothing_secret_is_kept_or_printed(harness: Harness) -> None:
    """Neither the log of calls nor a printed adapter nor an error holds a secret or a whole phone number."""
    overlap = set(harness.integration.public_details) & set(harness.account.secrets)
    expect(not overlap, f"public and secret at once: {sorted(overlap)}")
    intent, question, _ = await pay(harness)
    adapter = harness.adapter()
    shown = [repr(adapter), repr(intent), repr(harness.account)]
    shown += [repr(await outcome(adapter.create_payment(refused))) for refused in harness.unacceptable()]
    unknown = replace(question, provider_reference="unknown-to-the-provider")
    shown.append(repr(await outcome(adapter.query_payment(unknown))))
    wrong = harness.wrong_account()
    if wrong is not None:
        shown.append(repr(await outcome(harness.adapter(wrong).prove_keys())))
        shown.append(repr(wrong))
    shown.extend(repr(call) for call in harness.calls)
    expect(harness.calls, "calls are not logged")
    for text in shown:
        for name, secret in _hidden(harness, intent):
            expect(secret not in text, f"{name} stands in {text[:200]}")


def _hidden(harness: Harness, intent: Intent) -> list[tuple[str, str]]:
    accounts = [harness.account, harness.wrong_account() or harness.account]
    hidden = [(name, value) for account in accounts for name, value in account.secrets.items()]
    if intent.phone is not None:
        hidden.append(("the payer's phone", intent.phone.digits))
    if intent.callback_url:
        hidden.append(("the address called back", intent.callback_url))
    return [(name, value) for name, value in hidden if len(value) >= SHORT_SECRET_CHARACTERS]
