"""What a PaymentIntent says, held against what it should say.

Source: Stripe sheet, sections 3 and 9.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from core.money import Money
from integrations.errors import BadMessage
from integrations.protocol import Answer, Authorized, Mismatch, Paid, Question, StillPending
from integrations.stripe.actions import next_action
from integrations.stripe.amounts import of_stripe
from integrations.stripe.codes import cancellation, decline
from integrations.wire_json import Json

Object = Mapping[str, Json]

_ID: Final = re.compile(r"[a-z]{2,8}_[A-Za-z0-9_]{1,200}")


@dataclass(frozen=True, slots=True)
class Mode:
    """What of an account decides how an intent is read."""

    is_live: bool
    publishable_key: str | None = None


def judge(intent: Object, question: Question, mode: Mode) -> Answer:
    """What became of the intent we asked about; only one that is ours in every point can be paid.

    Raises:
        BadMessage: it is no intent.
    """
    strange = _strange(intent, question, mode)
    if strange:
        return Mismatch(strange)
    try:
        return _read(intent, question.amount, mode)
    except BadMessage as error:
        # It is ours and says something of money that we can't read: for a person.
        return Mismatch(str(error))


def told(intent: Object, mode: Mode) -> Answer:
    """What an intent says of itself, where there is no question: whoever settles compares the amount.

    Raises:
        BadMessage: it is no intent.
    """
    return _read(intent, of_stripe(intent.get("amount"), intent.get("currency")), mode)


def metadata(thing: Object, name: str) -> str | None:
    """What we wrote into an object's metadata."""
    entries = thing.get("metadata")
    value = entries.get(name) if isinstance(entries, dict) else None
    return value if isinstance(value, str) and value else None


def object_id(value: Json) -> str | None:
    """The id of an object that is named or expanded, if it looks like one."""
    named = value.get("id") if isinstance(value, dict) else value
    return named if isinstance(named, str) and _ID.fullmatch(named) else None


def require_id(value: Json) -> str:
    """Raises BadMessage where it is no id."""
    found = object_id(value)
    if found is None:
        raise BadMessage("Expected an object with an id.")
    return found


def _strange(intent: Object, question: Question, mode: Mode) -> str:
    """What does not fit whatever the intent's status is."""
    if require_id(intent.get("id")) != question.provider_reference:
        return "Stripe answered with another payment."
    if intent.get("livemode") is not mode.is_live:
        return "The payment is of the other mode: test and live do not mix."
    if metadata(intent, "payment_id") != question.payment_id:
        return "The payment at Stripe belongs to another payment of ours, or to none."
    if metadata(intent, "tenant") != question.tenant:
        return "The payment at Stripe belongs to another business."
    return ""


def _read(intent: Object, expected: Money, mode: Mode) -> Answer:
    match intent.get("status"):
        case "succeeded":
            return _paid(intent, expected)
        case "requires_capture":
            return _fits(intent, expected) or Authorized(_amount(intent, "amount_capturable"))
        case "canceled":
            return cancellation(intent.get("cancellation_reason"))
    error = intent.get("last_payment_error")
    failed = decline(error) if isinstance(error, dict) else None
    return StillPending(next_action(intent, mode.publishable_key), failed)


def _paid(intent: Object, expected: Money) -> Answer:
    received = _amount(intent, "amount_received")
    strange = _fits(intent, expected)
    if strange is not None:
        return strange
    # Of authorised money a part may have been taken.
    is_part = intent.get("capture_method") == "manual" and Money(0, expected.currency) < received < expected
    if received != expected and not is_part:
        return Mismatch(f"Expected {expected}, and Stripe received {received}.")
    charge = intent.get("latest_charge")
    return Paid(received, object_id(charge), _fee(charge, received))


def _fits(intent: Object, expected: Money) -> Mismatch | None:
    amount = _amount(intent, "amount")
    return None if amount == expected else Mismatch(f"Expected {expected}, and Stripe asked for {amount}.")


def _amount(intent: Object, name: str) -> Money:
    return of_stripe(intent.get(name), intent.get("currency"))


def _fee(charge: Json, paid: Money) -> Money | None:
    """Stripe's fee, where the balance transaction is expanded and settled in the payment's currency."""
    entry = charge.get("balance_transaction") if isinstance(charge, dict) else None
    if not isinstance(entry, dict):
        return None
    try:
        fee = of_stripe(entry.get("fee"), entry.get("currency"))
    except BadMessage:
        return None
    return fee if fee.currency is paid.currency and fee.minor >= 0 else None
