"""What a payer is told: the ways there are to pay, what to do next, why something came to nothing. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from core.collecting import Method
from core.phone import Phone
from tenant_db.payments.machine import (
    AUTHORIZED,
    CANCELLED,
    CREATED,
    EXPIRED,
    FAILED,
    PENDING,
    SUBMITTING,
    SUCCEEDED,
    UNKNOWN,
    PaymentStatus,
)
from tenant_db.payments.models import Payment
from tenant_db.payments.rules import FailureReason

NAMES: Final = {
    "mpesa": "M-Pesa",
    "stripe": "Stripe",
    "paystack": "Paystack",
    "flutterwave": "Flutterwave",
}
"""Of the built-in providers, as payers know them; another one is called as the catalog calls it."""
MOST_TAKE: Final[Mapping[Method, timedelta]] = {
    Method.MOBILE_MONEY: timedelta(minutes=1),
    Method.CARD: timedelta(minutes=3),
    Method.BANK_TRANSFER: timedelta(hours=1),
}
"""How long it usually takes from the first step to the money."""
_UNSAID: Final = "The payment did not go through. You can try again."
_FAILURES: Final[Mapping[FailureReason, str]] = {
    FailureReason.INSUFFICIENT_FUNDS: "There is not enough money in the account. Top it up and try again.",
    FailureReason.WRONG_PIN: "The PIN was wrong. You can try again.",
    FailureReason.CANCELLED_BY_PAYER: "You declined the payment. You can try again.",
    FailureReason.NO_ANSWER: "Nobody answered the prompt. Keep the phone on and unlocked, and try again.",
    FailureReason.LIMIT_EXCEEDED: "The amount is above a limit of your account. Pay another way.",
    FailureReason.PAYER_NOT_ALLOWED: "This number or account can't pay now. Use another one.",
    FailureReason.PAYER_BUSY: "Another prompt is open on this phone. Close it and try again in two minutes.",
    FailureReason.PROVIDER_BUSY: "The provider was too busy. Try again in a moment.",
    FailureReason.CONFIGURATION: "This shop can't take payments this way at the moment. Pay another way.",
    FailureReason.DECLINED: "The payment was declined. Try again, or pay another way.",
    FailureReason.CARD_EXPIRED: "The card has expired. Use another one.",
    FailureReason.INCORRECT_DETAILS: "Something you typed was wrong. Check it and try again.",
    FailureReason.AUTHENTICATION_REQUIRED: "Your bank could not confirm that it was you. Try again.",
    FailureReason.CANCELLED_BY_MERCHANT: "The shop stopped this payment. You can try again.",
    FailureReason.NOT_SENT: "The provider could not be reached, so nothing was taken. You can try again.",
}


class Way(NamedTuple):
    """One way to pay, as it is offered."""

    method: Method
    provider: str
    """The catalog's code: who would collect."""
    label: str
    hint: str
    needs_phone: bool
    needs_email: bool


def way(method: Method, provider: str, provider_name: str) -> Way:
    name = NAMES.get(provider, provider_name)
    needs_phone = method is Method.MOBILE_MONEY
    labels = {
        Method.MOBILE_MONEY: name if provider == "mpesa" else f"Mobile money with {name}",
        Method.CARD: f"Card with {name}",
        Method.BANK_TRANSFER: f"Bank transfer with {name}",
    }
    hints = {
        Method.MOBILE_MONEY: "You get a prompt on your phone and approve it with your PIN.",
        Method.CARD: f"You pay on a page of {name} and come back here.",
        Method.BANK_TRANSFER: f"{name} tells you where to transfer to.",
    }
    return Way(method, provider, labels[method], hints[method], needs_phone, not needs_phone)


def next_step(payment: Payment) -> str:
    """One sentence: what the payer does now, or what happens."""
    action, status = payment.action, payment.state
    if status in (FAILED, EXPIRED, CANCELLED):
        return failure(payment)
    if status is SUCCEEDED:
        return "Thank you. The payment has arrived."
    if action is not None:
        return action.instructions
    return _waiting(payment, status)


def _waiting(payment: Payment, status: PaymentStatus) -> str:
    name = NAMES.get(payment.provider, payment.provider.capitalize())
    if status is UNKNOWN:
        return f"We are asking {name} whether the money has arrived. Please don't pay again."
    if status is AUTHORIZED:
        return "Your bank has promised the money. Nothing more is to be done."
    if Method(payment.method) is not Method.MOBILE_MONEY:
        return f"We are getting ready to pay with {name}."
    phone = "your phone" if payment.phone is None else Phone(payment.phone).masked
    if status in (CREATED, SUBMITTING):
        return f"We are sending a prompt to {phone}."
    return f"Look at {phone}: approve the prompt with your PIN."


def failure(payment: Payment) -> str:
    """Why an attempt came to nothing, in plain words."""
    try:
        return _FAILURES[FailureReason(payment.failure_code or "")]
    except ValueError:
        return _UNSAID


def estimated_completion(payment: Payment, now: datetime) -> datetime | None:
    """When an open attempt is probably decided; None where that is past, or nobody can say."""
    if payment.state not in (CREATED, SUBMITTING, PENDING):
        return None
    expected = (payment.submitted_at or payment.created_at) + MOST_TAKE[Method(payment.method)]
    return expected if expected > now else None
