"""What only Stripe's calls can come to, by name."""

from collections.abc import Mapping
from typing import Any, Final

DECLINES: Final[Mapping[str, tuple[str, str | None]]] = {
    "card_declined": ("card_declined", "generic_decline"),
    "insufficient_funds": ("card_declined", "insufficient_funds"),
    "do_not_honor": ("card_declined", "do_not_honor"),
    "fraudulent": ("card_declined", "fraudulent"),
    "lost_card": ("card_declined", "lost_card"),
    "stolen_card": ("card_declined", "stolen_card"),
    "pickup_card": ("card_declined", "pickup_card"),
    "card_velocity_exceeded": ("card_declined", "card_velocity_exceeded"),
    "card_not_supported": ("card_declined", "card_not_supported"),
    "currency_not_supported": ("card_declined", "currency_not_supported"),
    "issuer_not_available": ("card_declined", "issuer_not_available"),
    "expired_card": ("expired_card", None),
    "incorrect_cvc": ("incorrect_cvc", None),
    "incorrect_number": ("incorrect_number", None),
    "processing_error": ("processing_error", None),
    "authentication_required": ("authentication_required", "authentication_required"),
    "authentication_failed": ("payment_intent_authentication_failure", None),
}
"""`code` and `decline_code` by outcome."""

REFUSALS: Final[Mapping[str, tuple[int, str, str | None]]] = {
    "invalid_request": (400, "invalid_request_error", "parameter_missing"),
    "amount_too_small": (400, "invalid_request_error", "amount_too_small"),
    "other_parameters": (400, "idempotency_error", None),
    "wrong_key": (401, "invalid_request_error", None),
    "forbidden": (403, "invalid_request_error", None),
    "not_found": (404, "invalid_request_error", "resource_missing"),
    "locked": (409, "invalid_request_error", "lock_timeout"),
    "key_in_use": (409, "idempotency_error", "idempotency_key_in_use"),
    "rate_limited": (429, "invalid_request_error", "rate_limit"),
}
"""Status, `type` and `code`; nothing is taken."""

REFUNDS: Final[Mapping[str, Mapping[str, Any]]] = {
    "refund_succeeds": {"result": "succeeded"},
    "refund_pending": {"result": "pending_then_succeeded", "details": {"pending_reason": "processing"}},
    "refund_stays_pending": {"result": "pending", "details": {"pending_reason": "insufficient_funds"}},
    "refund_requires_action": {"result": "requires_action"},
    "refund_failed": {"result": "pending_then_failed", "details": {"failure_reason": "declined"}},
    "refund_fails_later": {
        "result": "succeeded_then_failed",
        "details": {"failure_reason": "expired_or_canceled_card"},
    },
    "refund_cancelled": {"result": "pending_then_canceled"},
}

CANCELLATIONS: Final[Mapping[str, str]] = {
    "expired": "expired",
    "cancelled_automatically": "automatic",
    "cancelled_by_customer": "requested_by_customer",
    "cancelled_as_duplicate": "duplicate",
    "cancelled_as_fraudulent": "fraudulent",
    "cancelled_as_abandoned": "abandoned",
    "invoice_failed": "failed_invoice",
    "invoice_void": "void_invoice",
}
"""`cancellation_reason` by outcome."""

OTHERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "paid_less": {"received_by": -100},
    "paid_more": {"received_by": 100},
    "paid_in_other_currency": {"other_currency": True},
    "paid_for_other_tenant": {"metadata": {"tenant": "ten_other"}},
    "paid_for_other_payment": {"metadata": {"payment_id": "pay_other"}},
    "paid_in_other_mode": {"other_mode": True},
}
"""Paid in truth, and not as it was asked for."""

OWN: Final[Mapping[str, Mapping[str, Any]]] = {
    **{
        name: {"result": "declined", "details": {"code": code, "decline_code": decline_code}}
        for name, (code, decline_code) in DECLINES.items()
    },
    **{
        name: {
            "is_taken": False,
            "result": "refused",
            "details": {"status": status, "type": kind, "code": code},
        }
        for name, (status, kind, code) in REFUSALS.items()
    },
    **{name: {"details": details} for name, details in OTHERS.items()},
    **{name: {"operation": "refund", **parts} for name, parts in REFUNDS.items()},
    "declined_then_paid": {
        "result": "declined_then_paid",
        "details": {"code": "card_declined", "decline_code": "insufficient_funds"},
    },
    "requires_action": {"result": "requires_action"},
    "shows_voucher": {"result": "requires_action", "details": {"display": True}},
    "processing": {"result": "processing"},
    "processing_then_paid": {"result": "processing_then_paid"},
    "ignored": {"result": "nothing"},
    **{
        name: {"result": "canceled", "details": {"cancellation_reason": reason}}
        for name, reason in CANCELLATIONS.items()
    },
}
"""Besides `plans.COMMON`. `requires_action` and `processing` wait for `/_control/stripe/act`."""
