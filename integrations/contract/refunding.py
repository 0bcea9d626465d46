"""Checks: giving money back."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID

from core.collecting import Feature
from core.ids import Kind, new_id, outside
from core.money import Money
from integrations.contract.harness import (
    Harness,
    NotApplicable,
    Situation,
    broken,
    expect,
    outcome,
    pay,
    raised,
)
from integrations.errors import OutcomeUnknown, ProviderRejected
from integrations.protocol import Absent, Refunded, RefundFailed, RefundPending, RefundRequest

AGED: Final = outside(Kind.REFUND, UUID("01893fe2-8c00-7000-8000-000000000000"))
"""Made in July 2023."""


async def a_refund_is_given_once(harness: Harness) -> None:
    """A part where the provider gives parts; given once under one id, and it can be asked about."""
    harness.require(Feature.REFUND)
    intent, question, paid = await pay(harness)
    amount = _part(harness, intent.amount)
    refund, adapter = await harness.refund_of(intent, question, paid, amount), harness.adapter()
    given = await adapter.refund_payment(refund)
    expect(isinstance(given, Refunded | RefundPending), f"a refund is answered {given!r}")
    if harness.refund_is_idempotent:
        await adapter.refund_payment(refund)
    await harness.settle()
    back = await harness.given_back(intent)
    expect(list(back) == [amount], f"{amount} was to be given back once, the book has {back}")
    if given.provider_reference is not None:
        asked = await outcome(adapter.query_refund(refund, given.provider_reference))
        if isinstance(asked, ProviderRejected) and asked.code == "not_supported":
            raise NotApplicable("the provider can't be asked about refunds")
        expect(isinstance(asked, Refunded | RefundPending), f"a refund that was given is answered {asked!r}")
    listed = await outcome(adapter.list_refunds(question, paid.receipt))
    if not (isinstance(listed, ProviderRejected) and listed.code == "not_supported"):
        found = [(each.refund_id, each.amount) for each in listed] if isinstance(listed, Sequence) else listed
        expect(found == [(refund.refund_id, amount)], f"the payment's one refund is listed as {found!r}")


async def more_than_the_rest_is_refused(harness: Harness) -> None:
    """Neither at once nor in parts is more given back than was paid."""
    harness.require(Feature.REFUND)
    intent, question, paid = await pay(harness)
    more = Money(intent.amount.minor + 10**intent.amount.currency.exponent, intent.amount.currency)
    adapter = harness.adapter()
    _refused(await outcome(adapter.refund_payment(await harness.refund_of(intent, question, paid, more))))
    part = _part(harness, intent.amount)
    await adapter.refund_payment(await harness.refund_of(intent, question, paid, part))
    await harness.settle()
    rest = Money(intent.amount.minor - part.minor + 10**part.currency.exponent, part.currency)
    _refused(await outcome(adapter.refund_payment(await harness.refund_of(intent, question, paid, rest))))
    await harness.settle()
    back = sum(each.minor for each in await harness.given_back(intent))
    expect(back <= intent.amount.minor, f"of {intent.amount}, {back} minor units were given back")


def _refused(answer: object) -> None:
    if not isinstance(answer, ProviderRejected | RefundFailed | RefundPending):
        broken(f"a refund above the rest is answered {answer!r}")


async def a_refund_whose_answer_got_lost_is_found_or_given_once(harness: Harness) -> None:
    """OutcomeUnknown; then found without an id, or said to be absent; sent again it is given once."""
    harness.require(Feature.REFUND)
    for situation in (Situation.REFUND_TIMEOUT_BEFORE, Situation.REFUND_TIMEOUT_AFTER):
        intent, question, paid = await pay(harness)
        refund = await harness.refund_of(intent, question, paid, _part(harness, intent.amount))
        await harness.stage(situation)
        adapter = harness.adapter()
        await raised(OutcomeUnknown, adapter.refund_payment(refund), f"{situation}: a refund")
        await harness.settle()
        was_taken = bool(await harness.given_back(intent))
        found = await outcome(adapter.query_refund(refund, None))
        expect(
            not (was_taken and isinstance(found, Absent | RefundFailed)),
            f"{situation}: given back, and found as {found!r}",
        )
        other = replace(refund, refund_id=outside(Kind.REFUND, new_id()))
        stranger = await outcome(adapter.query_refund(other, None))
        expect(
            not isinstance(stranger, Refunded), f"{situation}: another refund is taken for it: {stranger!r}"
        )
        if harness.refund_is_idempotent:
            await adapter.refund_payment(refund)
            await harness.settle()
        else:
            await _just_sent_is_not_absent(harness, other)
        back = await harness.given_back(intent)
        expect(len(back) <= 1, f"{situation}: one refund, and the book has {back}")


async def _just_sent_is_not_absent(harness: Harness, refund: RefundRequest) -> None:
    """However old its id is: a refund may be tried for a day, and sent again it is paid again."""
    aged = replace(refund, refund_id=AGED, sent_at=harness.outside.clock())
    found = await outcome(harness.adapter().query_refund(aged, None))
    expect(not isinstance(found, Absent), "sent just now and not listed, a refund is called absent")


def _part(harness: Harness, amount: Money) -> Money:
    if not harness.has(Feature.PARTIAL_REFUND):
        return amount
    whole = 10**amount.currency.exponent
    return Money(max(amount.minor // 2 // whole * whole, whole), amount.currency)
