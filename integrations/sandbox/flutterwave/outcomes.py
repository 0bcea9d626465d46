"""What may go otherwise at Flutterwave, besides what is common to all providers."""

from collections.abc import Mapping
from typing import Any, Final

REFUNDS_PENDING: Final = ("completed", "new", "pending", "pending-momo", "processing", "on-its-way")
"""The last is a word nobody documents."""
REFUNDS_DONE: Final = (
    *("completed-mpgs", "completed-momo", "completed-bank-transfer", "completed-offline"),
    *("completed-preauth", "successful"),
)
REFUNDS_FAILED: Final = ("failed", "cancelled")
REFUND_WORDS: Final = (*REFUNDS_PENDING, *REFUNDS_DONE, *REFUNDS_FAILED)


def _failed(said: str) -> dict[str, Any]:
    return {"result": "failed", "details": {"said": said}}


def _refused(status: int, message: str, operation: str = "create") -> dict[str, Any]:
    return {
        "operation": operation,
        "is_taken": False,
        "details": {"status": status, "message": message},
    }


PAYERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "declined": _failed("Transaction declined"),
    "insufficient_funds": _failed("Insufficient funds"),
    "cancelled": _failed("Request cancelled by user"),
    "wrong_pin": _failed("Wrong PIN entered"),
    "timed_out": _failed("Transaction timed out"),
    "limit_exceeded": _failed("Transaction limit exceeded"),
    "never": {"result": "never"},
    "failed_then_paid": {"result": "failed_then_paid"},
    "overpaid": {"details": {"paid": "+100"}},
    "underpaid": {"details": {"paid": "-1"}},
    "paid_in_other_currency": {"details": {"currency": "USD"}},
    "paid_for_other_tenant": {"details": {"meta": {"tenant": "ten_other"}}},
    "paid_for_other_payment": {"details": {"meta": {"payment_id": "pay_other"}}},
}
"""What the payer does. `never` leaves it open; `failed_then_paid` is two attempts on a hosted page."""

ANSWERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "validation": _refused(400, "customer.email is required"),
    "blacklisted": _refused(400, "This customer is blacklisted"),
    "wrong_key": _refused(401, "Authorization required"),
    "ip_not_allowed": _refused(403, "IP address not whitelisted"),
    "general_error_before_acceptance": _refused(400, "An error occurred. Please contact support"),
    "general_error_after_acceptance": {
        "details": {"status": 400, "message": "An error occurred. Please contact support"}
    },
    "reference_taken": _refused(400, "Transaction reference already exists"),
    "gave_up_before_acceptance": {"answer": "503", "is_taken": False, "details": {"wait_s": 28.0}},
    "gave_up_after_acceptance": {"answer": "503", "details": {"wait_s": 28.0}},
    "redirect": {"details": {"redirect": "https://checkout.flutterwave.example/redirect"}},
    "redirect_without_reference": {
        "details": {"redirect": "https://checkout.flutterwave.example/redirect", "has_no_data": True}
    },
    "not_found_yet": {"webhook": "withheld", "details": {"is_hidden": True}},
}
"""How a creation is answered. `gave_up` is Flutterwave's own time-out, which it says after 28 s."""

REFUNDS: Final[Mapping[str, Mapping[str, Any]]] = {
    **{f"refund_{word}": {"operation": "refund", "result": word} for word in REFUND_WORDS},
    "refund_disburse_failed": {
        "operation": "refund",
        "result": "completed",
        "details": {"disburse_status": "failed"},
    },
    "refund_capitalised": {"operation": "refund", "details": {"is_capitalised": True}},
    "refund_without_comment": {"operation": "refund", "details": {"has_no_comment": True}},
    "refund_refused": _refused(400, "Insufficient balance to complete this refund", "refund"),
    "refund_general_error": _refused(400, "An error occurred. Please contact support", "refund"),
}
"""How a refund goes: by default `completed`, and `completed-momo` or `completed-mpgs` a moment later."""

OUTCOMES: Final = {**PAYERS, **ANSWERS, **REFUNDS}
