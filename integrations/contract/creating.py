"""Checks: starting to collect, and what is known when no answer comes."""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from core.collecting import CaptureMode, Feature
from integrations.contract.harness import (
    REFUND_SITUATIONS,
    REQUIRED,
    CannotStage,
    Harness,
    NotApplicable,
    Situation,
    broken,
    expect,
    nowhere,
    outcome,
    pay,
    question_of,
    raised,
    require_paid,
)
from integrations.errors import OutcomeUnknown, ProviderRejected, ProviderUnavailable
from integrations.protocol import Absent, Accepted, Adapter, Intent, StillPending

LOST: Final = (
    *(Situation.TIMEOUT_BEFORE, Situation.TIMEOUT_AFTER, Situation.RESET_BEFORE, Situation.RESET_AFTER),
    *(Situation.SERVER_ERROR_BEFORE, Situation.SERVER_ERROR_AFTER),
    *(Situation.MALFORMED_BEFORE, Situation.MALFORMED_AFTER),
)
"""The request was sent, and nobody knows what came of it."""


async def the_stand_in_does_what_every_provider_may_do(harness: Harness) -> None:
    """A check that can't be staged checks nothing."""
    wanted = REQUIRED | (REFUND_SITUATIONS if harness.has(Feature.REFUND) else set())
    for situation in sorted(wanted):
        try:
            await harness.stage(situation)
        except CannotStage as error:
            broken(f"the stand-in can't stage {situation}: {error}")


async def a_payment_is_collected_once_and_to_the_last_unit(harness: Harness) -> None:
    """Accepted, paid once, and the amount of the answer is that of the book."""
    intent, question, paid = await pay(harness)
    expect(question.provider_reference, "an accepted payment has no provider reference")
    expect(paid.amount in (None, intent.amount), f"paid {intent.amount}, told {paid.amount}")
    expect(paid.receipt is None or paid.receipt, "a receipt is empty")
    expect(paid.fee is None or paid.fee.currency is intent.amount.currency, "the fee has another currency")
    collected = await harness.collected(intent)
    expect(list(collected) == [intent.amount], f"asked for {intent.amount}, the book has {collected}")


async def a_creation_sent_again_collects_once(harness: Harness) -> None:
    """A job that runs twice must not charge twice, before the payer acted or after."""
    if not harness.creation_is_idempotent:
        raise NotApplicable("the provider has no key of ours")
    await harness.stage(Situation.PAID)
    intent, adapter = harness.intent(), harness.adapter()
    first = await adapter.create_payment(intent)
    second = await adapter.create_payment(intent)
    await harness.settle()
    third = await adapter.create_payment(intent)
    await harness.settle()
    references = {each.provider_reference for each in (first, second, third)}
    expect(len(references) == 1, f"one attempt has the references {references}")
    collected = await harness.collected(intent)
    expect(list(collected) == [intent.amount], f"sent three times, the book has {collected}")


async def nobody_listening_means_nothing_was_sent(harness: Harness) -> None:
    """No connection is ProviderUnavailable, whatever was to be done or asked."""
    adapter, intent = harness.adapter(nowhere(harness)), harness.intent()
    question = question_of(intent, Accepted("unsent"))
    await raised(ProviderUnavailable, adapter.create_payment(intent), "a creation nobody heard")
    await raised(ProviderUnavailable, adapter.query_payment(question), "a question nobody heard")
    await raised(ProviderUnavailable, adapter.prove_keys(), "a proof of keys nobody heard")
    if harness.has(Feature.RECOVER):
        await raised(ProviderUnavailable, adapter.recover_payment(intent), "a recovery nobody heard")


async def a_throttled_creation_was_not_taken_and_may_be_sent_again(harness: Harness) -> None:
    """Throttled is ProviderUnavailable; the same intent again collects once."""
    await harness.stage(Situation.BUSY)
    intent, adapter = harness.intent(), harness.adapter()
    await raised(ProviderUnavailable, adapter.create_payment(intent), "a throttled creation")
    await harness.settle()
    expect(not await harness.collected(intent), "a throttled creation was taken")
    await pay(harness, intent)
    collected = await harness.collected(intent)
    expect(list(collected) == [intent.amount], f"sent again after a throttle, the book has {collected}")


async def a_lost_answer_is_unknown_and_can_be_recovered(harness: Harness) -> None:
    """OutcomeUnknown, and never a second charge on the way to an answer."""
    staged = 0
    for situation in LOST:
        try:
            await harness.stage(situation)
        except CannotStage:
            continue
        staged += 1
        await _lose_and_recover(harness, situation)
    expect(staged, "no answer can be lost")


async def _lose_and_recover(harness: Harness, situation: Situation) -> None:
    intent, adapter = harness.intent(), harness.adapter()
    error = await raised(OutcomeUnknown, adapter.create_payment(intent), f"{situation}: a creation")
    expect(error.reference, f"{situation}: an unknown outcome names no reference")
    await harness.settle()
    taken = await harness.collected(intent)
    expect(len(taken) <= 1, f"{situation}: one creation, and the book has {taken}")
    if harness.has(Feature.RECOVER):
        await _recover(harness, adapter, intent, situation)
        collected = await harness.collected(intent)
        expect(len(collected) <= 1, f"{situation}: after recovering, the book has {collected}")


async def _recover(harness: Harness, adapter: Adapter, intent: Intent, situation: Situation) -> None:
    was_taken = bool(await harness.collected(intent))
    found = await adapter.recover_payment(intent)
    expect(not was_taken or isinstance(found, Accepted), f"{situation}: paid, and recovered as {found!r}")
    if isinstance(found, Accepted):
        await harness.settle()
        if was_taken:
            answer = await adapter.query_payment(question_of(intent, found))
            require_paid(answer, f"{situation}: a recovered payment")
        return
    if isinstance(found, StillPending):
        # Too early to tell: later it must be told.
        sent_at = harness.outside.clock() - timedelta(days=2)
        found = await adapter.recover_payment(replace(intent, sent_at=sent_at))
    expect(isinstance(found, Absent | Accepted), f"{situation}: after two days still {found!r}")
    if isinstance(found, Absent):
        await harness.stage(Situation.PAID)
        await adapter.create_payment(intent)
        await harness.settle()
        collected = await harness.collected(intent)
        expect(len(collected) == 1, f"{situation}: absent, sent again, and the book has {collected}")


async def a_refusal_is_final_and_takes_nothing(harness: Harness) -> None:
    """What the provider can't take is ProviderRejected with a reason, and never collected."""
    refused = list(harness.unacceptable())
    if not harness.has(Feature.CAPTURE):
        refused.append(replace(harness.intent(), capture=CaptureMode.MANUAL))
    if not refused:
        raise NotApplicable("nothing is unacceptable")
    adapter = harness.adapter()
    for intent in refused:
        error = await outcome(adapter.create_payment(intent))
        if not isinstance(error, ProviderRejected):
            broken(f"{intent.amount} {intent.method} {intent.capture} is answered {error!r}, not refused")
        expect(error.code and error.message, "a refusal has no code, or no message")
        await harness.settle()
        expect(not await harness.collected(intent), f"refused ({error.message}), and yet collected")
