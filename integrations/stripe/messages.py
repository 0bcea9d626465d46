"""What is sent to Stripe, field by field, and pages of what it lists.

Source: Stripe sheet, sections 1, 3 and 4.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from core.collecting import CaptureMode
from core.money import Money
from integrations.errors import BadMessage, FailureReason, ProviderRejected
from integrations.protocol import Intent, PayerStep, RefundRequest
from integrations.stripe.amounts import to_stripe
from integrations.stripe.refunds import REASONS
from integrations.wire_json import Json, require_object

INTENTS: Final = "/v1/payment_intents"
REFUNDS: Final = "/v1/refunds"
BALANCE: Final = "/v1/balance"
ACCOUNT: Final = "/v1/account"

DESCRIPTION_CHARACTERS_MAX: Final = 500
METADATA_CHARACTERS_MAX: Final = 500
PAGE_ITEMS: Final = "50"
"""Half of what Stripe gives at most: an answer of ours has at most a megabyte."""
WITH_FEE: Final = {"expand[]": "latest_charge.balance_transaction"}
WITH_CHARGE: Final = {"expand[]": "latest_charge"}
"""For restricted keys that may not read balance transactions."""
CANCEL_FORM: Final = {"cancellation_reason": "abandoned"}


def intent_form(intent: Intent) -> dict[str, str]:
    """The form of a creation: always the same for the same intent, as idempotency wants it.

    Raises:
        ProviderRejected: Stripe has no such amount.
    """
    form = {
        "amount": str(to_stripe(intent.amount)),
        "currency": intent.amount.currency.value.lower(),
        "automatic_payment_methods[enabled]": "true",
        "metadata[payment_id]": intent.payment_id,
        "metadata[tenant]": intent.tenant,
        "metadata[attempt_key]": intent.attempt_key,
        "metadata[reference]": intent.reference,
    }
    if not intent.return_url:
        # Methods that send the payer away need a place to come back to.
        form["automatic_payment_methods[allow_redirects]"] = "never"
    if intent.capture is CaptureMode.MANUAL:
        form["capture_method"] = "manual"
    if intent.description:
        form["description"] = intent.description[:DESCRIPTION_CHARACTERS_MAX]
    if intent.email:
        form["receipt_email"] = intent.email
    return form


def confirm_form(step: PayerStep) -> dict[str, str]:
    """The form of a confirmation, from `payment_method` and, where there is one, `return_url`.

    Raises:
        ProviderRejected: the payer gave no payment method.
    """
    method = step.values.get("payment_method", "")
    if not method.startswith(("pm_", "card_", "src_")) or not method.isprintable():
        raise ProviderRejected(
            "payment_method",
            "Give the payment method that Stripe's script made: pm_….",
            FailureReason.INCORRECT_DETAILS,
        )
    form = {"payment_method": method}
    if step.values.get("return_url"):
        form["return_url"] = step.values["return_url"]
    return form


def capture_form(amount: Money) -> dict[str, str]:
    """Raises ProviderRejected where Stripe has no such amount."""
    return {"amount_to_capture": str(to_stripe(amount))}


def refund_form(refund: RefundRequest) -> dict[str, str]:
    """Raises ProviderRejected where Stripe has no such amount."""
    form = {
        "payment_intent": refund.payment.provider_reference,
        "amount": str(to_stripe(refund.amount)),
        "metadata[refund_id]": refund.refund_id,
        "metadata[payment_id]": refund.payment.payment_id,
        "metadata[tenant]": refund.payment.tenant,
    }
    if refund.reason in REASONS:
        form["reason"] = refund.reason
    return form


def created_query(since: datetime, until: datetime) -> dict[str, str]:
    """Everything created between two instants, both included, newest first."""
    return {
        "created[gte]": str(int(since.timestamp())),
        "created[lte]": str(int(until.timestamp())),
        "limit": PAGE_ITEMS,
    }


def page_of(answer: Mapping[str, Json]) -> tuple[list[dict[str, Json]], bool]:
    """The items of a page, and whether there are more.

    Raises:
        BadMessage: it is no page.
    """
    items = answer.get("data")
    if not isinstance(items, list):
        raise BadMessage("Expected a list of objects.")
    return [require_object(item) for item in items], answer.get("has_more") is True
