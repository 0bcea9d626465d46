"""What Stripe's errors and declines mean, in our words; its own text is never shown to a payer.

Source: Stripe sheet, sections 3 and 7; the list of decline codes is Stripe's documentation.
"""

from collections.abc import Mapping
from typing import Final

from integrations.errors import FailureReason
from integrations.protocol import NotPaid
from integrations.wire_json import Json

NEUTRAL: Final = "The card was declined. Use another card, or ask your bank."
"""For what the payer must not learn, and for what Stripe does not say."""
NEUTRAL_CODE: Final = "card_declined"

FRAUD_CODES: Final = frozenset(
    {
        "fraudulent",
        "highest_risk_level",
        "lost_card",
        "merchant_blacklist",
        "pickup_card",
        "restricted_card",
        "security_violation",
        "stolen_card",
    }
)
"""Telling one of these would help a thief; they become NEUTRAL_CODE."""

_DETAILS: Final = (FailureReason.INCORRECT_DETAILS, "A detail of the card is wrong. Check it and try again.")
_PIN: Final = (FailureReason.WRONG_PIN, "The PIN is wrong. Try again.")
_LIMIT: Final = (FailureReason.LIMIT_EXCEEDED, "The card's limit is reached. Use another card.")
_NOT_ALLOWED: Final = (
    FailureReason.PAYER_NOT_ALLOWED,
    "This card can't be used for this payment. Use another card.",
)
_AUTHENTICATION: Final = (
    FailureReason.AUTHENTICATION_REQUIRED,
    "The bank did not get your confirmation. Try again and confirm the payment.",
)
_BUSY: Final = (FailureReason.PROVIDER_BUSY, "The bank could not process the payment. Try again in a moment.")

DECLINES: Final[Mapping[str, tuple[FailureReason, str]]] = {
    "insufficient_funds": (
        FailureReason.INSUFFICIENT_FUNDS,
        "There is not enough money on the card. Use another card.",
    ),
    "expired_card": (FailureReason.CARD_EXPIRED, "The card has expired. Use another card."),
    **dict.fromkeys(
        (
            *("incorrect_cvc", "invalid_cvc", "incorrect_number", "invalid_number", "incorrect_zip"),
            *("invalid_expiry_month", "invalid_expiry_year", "incorrect_address", "invalid_account"),
        ),
        _DETAILS,
    ),
    **dict.fromkeys(("incorrect_pin", "invalid_pin", "offline_pin_required", "pin_try_exceeded"), _PIN),
    **dict.fromkeys(
        ("card_velocity_exceeded", "withdrawal_count_limit_exceeded", "amount_too_large", "invalid_amount"),
        _LIMIT,
    ),
    **dict.fromkeys(
        (
            *("card_not_supported", "currency_not_supported", "not_permitted", "service_not_allowed"),
            *("transaction_not_allowed", "testmode_decline"),
        ),
        _NOT_ALLOWED,
    ),
    **dict.fromkeys(
        ("authentication_required", "authentication_not_handled", "payment_intent_authentication_failure"),
        _AUTHENTICATION,
    ),
    **dict.fromkeys(
        ("issuer_not_available", "processing_error", "reenter_transaction", "try_again_later"), _BUSY
    ),
}
"""By `decline_code`, or by `code` where there is none. What is missing here is declined without a reason."""

CANCELLATIONS: Final[Mapping[str, tuple[FailureReason, str]]] = {
    "duplicate": (FailureReason.CANCELLED_BY_MERCHANT, "The business cancelled the payment."),
    "fraudulent": (FailureReason.CANCELLED_BY_MERCHANT, "The business cancelled the payment."),
    "requested_by_customer": (FailureReason.CANCELLED_BY_PAYER, "The payment was cancelled as asked."),
    "abandoned": (FailureReason.CANCELLED_BY_MERCHANT, "The payment was given up."),
    "void_invoice": (FailureReason.CANCELLED_BY_MERCHANT, "The business cancelled the payment."),
    "failed_invoice": (FailureReason.DECLINED, "The payment failed."),
    "automatic": (FailureReason.NO_ANSWER, "The payment was not completed in time."),
    "expired": (FailureReason.NO_ANSWER, "The payment was not completed in time."),
}
"""By `cancellation_reason`."""

CONFIGURATION_STATUSES: Final = (401, 403)
NOT_OUR_FAULT: Final[Mapping[str, FailureReason]] = {
    "amount_too_small": FailureReason.LIMIT_EXCEEDED,
    "amount_too_large": FailureReason.LIMIT_EXCEEDED,
    "email_invalid": FailureReason.INCORRECT_DETAILS,
    "charge_already_refunded": FailureReason.DECLINED,
    "charge_disputed": FailureReason.DECLINED,
    "refund_disputed_payment": FailureReason.DECLINED,
    "payment_intent_unexpected_state": FailureReason.DECLINED,
}
"""By `code` of a 400: what another amount, or another time, would change."""


def decline(error: Mapping[str, Json]) -> NotPaid:
    """What a card error, or a `last_payment_error`, says; not for good: the payer may try again."""
    code = word(error.get("decline_code")) or word(error.get("code")) or NEUTRAL_CODE
    if code in FRAUD_CODES:
        return NotPaid(FailureReason.DECLINED, NEUTRAL_CODE, NEUTRAL)
    # A generic decline may stand beside a code that says more: expired_card, incorrect_cvc.
    known = DECLINES.get(code) or DECLINES.get(word(error.get("code")))
    reason, text = known or (FailureReason.DECLINED, NEUTRAL)
    return NotPaid(reason, code, text)


def cancellation(reason: Json) -> NotPaid:
    """What became of a cancelled intent."""
    code = word(reason) or "canceled"
    found = CANCELLATIONS.get(code, (FailureReason.CANCELLED_BY_MERCHANT, "The payment was cancelled."))
    return NotPaid(found[0], code, found[1])


def word(value: Json) -> str:
    """A code of Stripe's, or nothing: hostile or missing ones are no word."""
    is_word = isinstance(value, str) and len(value) <= 80 and value.replace("_", "").isalnum()  # noqa: PLR2004 - see above
    return str(value) if is_word else ""
