"""What a refund of Stripe's says.

Source: Stripe sheet, section 4.
"""

from collections.abc import Mapping
from typing import Final

from core.money import Money
from integrations.errors import BadMessage
from integrations.protocol import (
    ListedRefund,
    RefundAnswer,
    Refunded,
    RefundFailed,
    RefundPending,
    RefundRequest,
)
from integrations.stripe.amounts import of_stripe
from integrations.stripe.codes import word
from integrations.stripe.intents import Object, metadata, object_id, require_id
from integrations.wire_json import Json

REASONS: Final = frozenset({"duplicate", "fraudulent", "requested_by_customer"})
"""What Stripe takes as `reason`; another reason stays with us."""

ATTENTION: Final[Mapping[str, str]] = {
    "insufficient_funds": "The balance at Stripe is too low for this refund. Top it up in the dashboard.",
    "charge_pending": "Stripe waits until the payment itself is settled.",
}
"""By `pending_reason`."""
CUSTOMER_ACTS: Final = "Stripe waits for the customer, who was sent an email about this refund."

FAILURES: Final[Mapping[str, str]] = {
    "lost_or_stolen_card": "The card can't take money any more. Refund the customer in another way.",
    "expired_or_canceled_card": "The card can't take money any more. Refund the customer in another way.",
    "charge_for_pending_refund_disputed": "The customer disputed the payment, so it is not refunded twice.",
    "insufficient_funds": "The balance at Stripe was too low for this refund.",
    "declined": "The customer's bank declined the refund. Refund the customer in another way.",
    "merchant_request": "The refund was cancelled at Stripe.",
}
"""By `failure_reason`."""
FAILED: Final = "Stripe could not refund. The money is back in the balance."


def is_ours(refund: Json, request: RefundRequest) -> bool:
    """Whether a listed refund is the one we asked for."""
    return isinstance(refund, dict) and metadata(refund, "refund_id") == request.refund_id


def judge_refund(refund: Object, request: RefundRequest) -> RefundAnswer:
    """What became of a refund.

    Raises:
        BadMessage: it is no refund, or not this one.
    """
    listed = listed_refund(refund, request.payment.provider_reference)
    if listed.refund_id != request.refund_id:
        raise BadMessage("Stripe answered with another refund.")
    if listed.amount != request.amount:
        raise BadMessage(f"Stripe refunds {listed.amount}, not {request.amount}.")
    return listed.answer


def listed_refund(refund: Object, payment_reference: str) -> ListedRefund:
    """One refund of a payment, whoever asked for it.

    Raises:
        BadMessage: it is no refund, or one of another payment.
    """
    reference = require_id(refund.get("id"))
    if object_id(refund.get("payment_intent")) != payment_reference:
        raise BadMessage("Stripe answered with a refund of another payment.")
    amount = of_stripe(refund.get("amount"), refund.get("currency"))
    answer = _answer(refund, reference, amount)
    return ListedRefund(reference, metadata(refund, "refund_id"), amount, answer)


def _answer(refund: Object, reference: str, amount: Money) -> RefundAnswer:
    match refund.get("status"):
        case "succeeded":
            return Refunded(reference, amount)
        case "failed" | "canceled":
            code = word(refund.get("failure_reason")) or word(refund.get("status"))
            return RefundFailed(code, FAILURES.get(code, FAILED), reference)
        case "requires_action":
            return RefundPending(reference, CUSTOMER_ACTS)
    return RefundPending(reference, ATTENTION.get(word(refund.get("pending_reason"))))
