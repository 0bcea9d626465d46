"""Checks: giving a payment up, and taking what was authorised."""

from core.collecting import Feature
from integrations.contract.harness import (
    CannotStage,
    Harness,
    NotApplicable,
    Situation,
    expect,
    pay,
    question_of,
    require_paid,
)
from integrations.protocol import Authorized, NotPaid, StillPending

KEY = "contract-key"


async def what_is_cancelled_is_not_paid_afterwards(harness: Harness) -> None:
    """NotPaid, twice too, and nothing is collected; what can't be cancelled is answered as open."""
    harness.require(Feature.CANCEL)
    try:
        await harness.stage(Situation.LEFT_OPEN)
    except CannotStage as error:
        raise NotApplicable(str(error)) from error
    intent, adapter = harness.intent(), harness.adapter()
    question = question_of(intent, await adapter.create_payment(intent))
    for _ in range(2):
        answer = await adapter.cancel_payment(question, KEY)
        expect(isinstance(answer, NotPaid | StillPending), f"cancelled, and answered {answer!r}")
    if isinstance(answer, NotPaid):
        await harness.settle()
        expect(not await harness.collected(intent), "cancelled, and yet collected")


async def what_was_paid_is_not_cancelled(harness: Harness) -> None:
    """Who was quicker has paid: the answer says so."""
    harness.require(Feature.CANCEL)
    intent, question, _ = await pay(harness)
    require_paid(await harness.adapter().cancel_payment(question, KEY), "cancelled too late")
    expect(len(await harness.collected(intent)) == 1, "cancelling gave the money back")


async def authorised_money_is_captured_once(harness: Harness) -> None:
    """Authorised is not paid; captured twice under one key it is taken once."""
    harness.require(Feature.CAPTURE)
    await harness.stage(Situation.PAID)
    intent, adapter = harness.manual_intent(), harness.adapter()
    question = question_of(intent, await adapter.create_payment(intent))
    await harness.settle()
    answer = await adapter.query_payment(question)
    expect(answer == Authorized(intent.amount), f"authorised, and answered {answer!r}")
    expect(not await harness.collected(intent), "authorised, and already collected")
    for _ in range(2):
        require_paid(await adapter.capture_payment(question, intent.amount, KEY), "a capture")
    collected = await harness.collected(intent)
    expect(list(collected) == [intent.amount], f"captured twice under one key, the book has {collected}")
