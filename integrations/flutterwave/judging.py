"""What a transaction proves of the payment that was asked about.

Source: Flutterwave v3, section 4.
"""

from decimal import Decimal

from core.currency import Currency
from core.errors import InvalidInput
from core.money import Money
from integrations.errors import FailureReason
from integrations.flutterwave.charging import DIRECT
from integrations.flutterwave.messages import Transaction, money_of, text_of
from integrations.flutterwave.words import FAILED, SUCCESSFUL, reason_of
from integrations.protocol import Answer, Mismatch, NotPaid, Paid, Question, StillPending

NEVER_ARRIVED = NotPaid(
    FailureReason.NO_ANSWER, "no_transaction", "The page's time is over, and nobody tried to pay on it."
)


def judge(question: Question, found: Transaction, *, is_over: bool) -> Answer:
    """Paid only where reference, currency and our own marks fit, and the amount is at least ours.

    `is_over` says that the hosted page can't be paid any more: until then a failed attempt on it
    closes nothing, since the payer may try again.
    """
    if found.status == SUCCESSFUL:
        return _judge_paid(question, found)
    if found.status != FAILED or found.tx_ref != question.provider_reference:
        return StillPending()
    refusal = NotPaid(reason_of(found.said), FAILED, found.said or "Flutterwave says the payment failed.")
    return refusal if is_over or is_direct(found) else StillPending(failed_attempt=refusal)


def is_direct(found: Transaction) -> bool:
    """Whether it is the only attempt under its reference: a charge that we asked for ourselves."""
    return text_of(found.meta.get("flow")) == DIRECT


def fee_of(found: Transaction, amount: Money) -> Money | None:
    """What Flutterwave keeps; None where it does not say, or says parts of a minor unit."""
    return money_of(found.fee, amount)


def _judge_paid(question: Question, found: Transaction) -> Answer:
    why = _unfit(question, found)
    if why is not None:
        return Mismatch(why)
    expected = question.amount
    assert found.amount is not None, "an amount that fits"  # noqa: S101 - by _unfit
    excess = money_of(found.amount - expected.amount, expected)
    if excess is None:
        return Mismatch(f"paid {found.amount} {found.currency}, which has parts of a minor unit")
    return Paid(expected, found.id, fee_of(found, expected), excess if excess.minor else None)


def _unfit(question: Question, found: Transaction) -> str | None:
    if found.tx_ref != question.provider_reference:
        return "paid under another reference"
    for name, ours in (("payment_id", question.payment_id), ("tenant", question.tenant)):
        if name in found.meta and found.meta[name] != ours:
            return f"paid with another {name}"
    if found.currency != question.amount.currency.value:
        return f"paid in {found.currency or 'no currency'}, not in {question.amount.currency}"
    if found.amount is None or found.amount < question.amount.amount:
        return f"paid {found.amount} {found.currency}, less than {question.amount}"
    return None


def as_listed(found: Transaction, amount: Money | None) -> Answer:
    """What a row of the list says, with no question to fit: whoever sweeps compares and asks."""
    if found.status == SUCCESSFUL:
        if amount is None:
            return Mismatch(f"paid {found.amount} {found.currency}")
        return Paid(amount, found.id, fee_of(found, amount))
    if found.status == FAILED:
        refusal = NotPaid(reason_of(found.said), FAILED, found.said)
        return refusal if is_direct(found) else StillPending(failed_attempt=refusal)
    return StillPending()


def exactly(amount: Decimal | None, currency: str) -> Money | None:
    """The amount as money; None for a currency we don't know, or parts of a minor unit."""
    try:
        return None if amount is None else Money.of_major(amount, Currency(currency))
    except (InvalidInput, ValueError):
        return None
