"""What Paystack's payers, pages and refunds can do, by name.

Source: Paystack, sections 3 to 5.
"""

from collections.abc import Mapping
from typing import Any, Final

DECLINES: Final[Mapping[str, str]] = {
    "insufficient_funds": "Insufficient Funds",
    "wrong_pin": "Incorrect PIN",
    "cancelled": "Transaction cancelled by customer",
    "timed_out": "Transaction timed out",
    "limit_exceeded": "Transaction exceeds approved limit",
    "expired_card": "Expired Card",
    "invalid_card": "Invalid card number",
    "not_authenticated": "Authentication failed",
    "restricted": "Restricted card",
    "payer_busy": "A transaction is already in process",
    "bank_inoperative": "Issuer or switch inoperative",
    "declined": "Declined",
}
"""With the `gateway_response` that says so."""

STEPS: Final[Mapping[str, tuple[str, ...]]] = {
    "otp": ("send_otp",),
    "pin": ("send_pin",),
    "pin_then_otp": ("send_pin", "send_otp"),
    "phone": ("send_phone",),
    "birthday": ("send_birthday",),
    "address": ("send_address",),
    "open_url": ("open_url",),
}
"""What a charge asks of its payer, one after the other; `open_url` is done by paying on the page."""

REFUSALS: Final[Mapping[str, tuple[int, str]]] = {
    "invalid_key": (401, "Invalid key"),
    "forbidden": (403, "Your IP address is not allowed to make this call"),
    "currency_refused": (400, "Currency not supported by merchant"),
    "no_channel": (400, "No active channel"),
    "invalid_email": (400, "Invalid Email Address Passed"),
    "duplicate_reference": (400, "Duplicate Transaction Reference"),
    "unprocessable": (422, "Invalid phone number"),
}

VERIFIED: Final[Mapping[str, Mapping[str, Any]]] = {
    "underpaid": {"amount_by": -100},
    "other_amount": {"amount_by": 100, "requested_by": 100},
    "other_currency": {"currency": "USD"},
    "other_mode": {"domain": "live"},
    "other_reference": {"reference": "somebody-elses"},
    "other_tenant": {"tenant": "ten_somebody"},
    "other_payment": {"payment_id": "pay_somebody"},
    "fees_passed_on": {"amount_by": 2_250},
    "metadata_text": {"metadata": "text"},
    "metadata_blank": {"metadata": ""},
    "metadata_zero": {"metadata": 0},
    "metadata_null": {"metadata": None},
    "id_as_text": {"id": "text"},
    "no_requested_amount": {"requested_amount": None},
    "unknown_at_first": {"unknown": True},
}
"""How a paid transaction is told differently from what was asked for."""


def _own() -> dict[str, dict[str, Any]]:
    named: dict[str, dict[str, Any]] = {}
    for name, text in DECLINES.items():
        named[name] = {"result": "failed", "details": {"gateway_response": text}}
    for name, steps in STEPS.items():
        named[name] = {"details": {"steps": list(steps)}}
    for name, refusal in REFUSALS.items():
        named[name] = {"is_taken": False, "details": {"refuse": list(refusal)}}
    for name, told in VERIFIED.items():
        named[name] = {"details": {"told": dict(told)}}
    for status in ("abandoned", "ongoing", "pending", "processing", "queued"):
        named[status] = {"result": status}
    return named


OWN_OUTCOMES: Final[Mapping[str, Mapping[str, Any]]] = {
    **_own(),
    "reversed": {"result": "reversed"},
    "paid_at_once": {"details": {"at_once": "success"}},
    "failed_at_once": {
        "result": "failed",
        "details": {"at_once": "failed", "gateway_response": "Insufficient Funds"},
    },
    "charge_pending": {"details": {"charge_status": "pending"}},
    "charge_timeout": {"details": {"charge_status": "timeout"}},
    "charge_failed_webhook": {
        "result": "failed",
        "details": {"gateway_response": "Declined", "tell_failure": True},
    },
    "malformed": {"details": {"malformed": True}},
    "refund_at_once": {"operation": "refund", "details": {"at_once": "processed"}},
    "refund_pending": {"operation": "refund", "result": "pending"},
    "refund_processing": {"operation": "refund", "result": "processing"},
    "refund_failed": {"operation": "refund", "result": "failed"},
    "refund_needs_attention": {"operation": "refund", "result": "needs-attention"},
}
"""Besides `plans.COMMON`."""
