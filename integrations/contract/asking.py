"""Checks: questions, and what may be answered "paid"."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from core.collecting import Feature
from core.currency import Currency
from core.ids import Kind, new_id, outside
from core.money import Money
from integrations.contract.harness import (
    CannotStage,
    Harness,
    NotApplicable,
    Situation,
    broken,
    expect,
    outcome,
    pay,
    question_of,
)
from integrations.errors import FailureReason, OutcomeUnknown
from integrations.protocol import Accepted, NotPaid, Paid, Question, StillPending

DIFFERING: Final = (
    Situation.PAID_LESS,
    Situation.PAID_IN_OTHER_CURRENCY,
    Situation.PAID_FOR_OTHER_TENANT,
)


async def a_question_changes_nothing(harness: Harness) -> None:
    """The same answer each time, and the same book."""
    intent, question, paid = await pay(harness)
    adapter = harness.adapter()
    for _ in range(2):
        again = await adapter.query_payment(question)
        expect(again == paid, f"asked again, {paid!r} became {again!r}")
    await harness.settle()
    collected = await harness.collected(intent)
    expect(list(collected) == [intent.amount], f"after questions the book has {collected}")


async def an_unknown_reference_is_never_paid(harness: Harness) -> None:
    """A payment that the provider never heard of is not paid, and asking is never in doubt."""
    intent = harness.intent()
    answer = await outcome(harness.adapter().query_payment(question_of(intent, Accepted(intent.attempt_key))))
    expect(not isinstance(answer, Paid | OutcomeUnknown), f"an unknown reference is answered {answer!r}")


async def a_question_that_differs_is_never_answered_paid(harness: Harness) -> None:
    """Amount, currency, payment and tenant must fit what was really paid."""
    _, question, paid = await pay(harness)
    if paid.amount is None:
        raise NotApplicable("the provider's answer names no amount: its callback is compared instead")
    adapter = harness.adapter()
    for differing in _differing(harness, question):
        answer = await outcome(adapter.query_payment(differing))
        expect(
            not isinstance(answer, Paid | OutcomeUnknown),
            f"asked about {differing.amount} of {differing.tenant}, it answers {answer!r}",
        )


def _differing(harness: Harness, question: Question) -> Sequence[Question]:
    more = Money(question.amount.minor + 100, question.amount.currency)
    other = Currency.USD if question.amount.currency is not Currency.USD else Currency.EUR
    differing = [
        replace(question, amount=more),
        replace(question, amount=Money(question.amount.minor, other)),
    ]
    if harness.carries_our_marks:
        differing.append(replace(question, tenant=outside(Kind.TENANT, new_id())))
        differing.append(replace(question, payment_id=outside(Kind.PAYMENT, new_id())))
    return differing


async def money_that_differs_is_never_paid(harness: Harness) -> None:
    """Less money, other money or another tenant's money is never Paid."""
    staged = 0
    for situation in DIFFERING:
        try:
            await harness.stage(situation)
        except CannotStage:
            continue
        staged += 1
        intent, adapter = harness.intent(), harness.adapter()
        question = question_of(intent, await adapter.create_payment(intent))
        await harness.settle()
        answer = await outcome(adapter.query_payment(question))
        expect(not isinstance(answer, Paid), f"{situation} is answered {answer!r}")
    if not staged:
        raise NotApplicable("the provider takes no other amount than was asked for")


async def a_decline_says_why_in_our_words(harness: Harness) -> None:
    """NotPaid for good, or an open payment with a failed attempt; with a reason and the provider's code."""
    await harness.stage(Situation.DECLINED)
    intent, adapter = harness.intent(), harness.adapter()
    question = question_of(intent, await adapter.create_payment(intent))
    await harness.settle()
    answer = await adapter.query_payment(question)
    declined = answer.failed_attempt if isinstance(answer, StillPending) else answer
    if not isinstance(declined, NotPaid):
        broken(f"a decline is answered {answer!r}")
    expect(isinstance(declined.reason, FailureReason) and declined.code, f"it does not say why: {declined!r}")
    expect(not await harness.collected(intent), "declined, and yet collected")


async def an_attempt_that_was_never_sent_is_never_found(harness: Harness) -> None:
    """Asking about a lost answer never collects what nobody agreed to, however often it is asked."""
    harness.require(Feature.RECOVER)
    intent, adapter = harness.intent(), harness.adapter()
    long_ago = replace(intent, sent_at=harness.outside.clock() - timedelta(days=2))
    for _ in range(2):
        found = await outcome(adapter.recover_payment(long_ago))
        if isinstance(found, Accepted):
            expect(not isinstance(found.answer, Paid), f"never sent, and recovered as {found!r}")
    await harness.settle()
    expect(len(await harness.collected(intent)) <= 1, "asking about a lost answer collected twice")


async def the_list_names_what_was_paid(harness: Harness) -> None:
    """Each payment of the time asked for, with our id or attempt key, and none of another time."""
    harness.require(Feature.LIST)
    started = harness.outside.clock() - timedelta(minutes=1)
    intent, _, _ = await pay(harness)
    adapter, ended = harness.adapter(), harness.outside.clock() + timedelta(minutes=1)
    listed = [row async for row in adapter.list_payments(started, ended)]
    ours = [
        row for row in listed if intent.payment_id == row.payment_id or intent.attempt_key == row.attempt_key
    ]
    expect(len(ours) == 1, f"paid once, listed {len(ours)} times")
    expect(isinstance(ours[0].answer, Paid), f"paid, and listed as {ours[0].answer!r}")
    before = adapter.list_payments(started - timedelta(days=9), started - timedelta(days=8))
    expect(not [row async for row in before], "the list of another time has rows")
