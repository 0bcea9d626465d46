"""What Flutterwave's words mean; every word is compared in lower case.

Source: Flutterwave v3, sections 1, 5 and 10.
"""

from enum import Enum, auto
from typing import Final

from integrations.errors import FailureReason

SUCCESSFUL: Final = "successful"
FAILED: Final = "failed"

NO_TRANSACTION_TEXT: Final = "no transaction was found"
INACTIVE_LINK_TEXT: Final = "inactive"
TAKEN_TEXTS: Final = ("already exists", "duplicate")
"""The reference was used before: the first use must be looked up."""
GENERAL_TEXTS: Final = (
    "an error occurred",
    "contact support",
    "something went wrong",
    "try again",
    "timeout",
)
"""A refusal that names no reason: it is not known whether it was acted on. The first two are documented."""


class RefundWord(Enum):
    """What a refund's status says of the money."""

    DONE = auto()
    PENDING = auto()
    FAILED = auto()


REFUNDS_DONE: Final = frozenset(
    {
        "completed-mpgs",
        "completed-momo",
        "completed-bank-transfer",
        "completed-offline",
        "completed-preauth",
        "successful",
    }
)
REFUNDS_FAILED: Final = frozenset({"failed", "cancelled"})
REFUNDS_PENDING: Final = frozenset({"completed", "new", "pending", "pending-momo", "processing"})
"""`completed` says that it was begun: the money is not yet out."""


def refund_word(status: str, disburse_status: str) -> RefundWord:
    """An unknown word is no decision."""
    if status in REFUNDS_FAILED or disburse_status == FAILED:
        return RefundWord.FAILED
    return RefundWord.DONE if status in REFUNDS_DONE else RefundWord.PENDING


_REASONS: Final = (
    ("insufficient", FailureReason.INSUFFICIENT_FUNDS),
    ("not enough", FailureReason.INSUFFICIENT_FUNDS),
    ("cancel", FailureReason.CANCELLED_BY_PAYER),
    ("wrong pin", FailureReason.WRONG_PIN),
    ("incorrect pin", FailureReason.WRONG_PIN),
    ("invalid pin", FailureReason.WRONG_PIN),
    ("timed out", FailureReason.NO_ANSWER),
    ("timeout", FailureReason.NO_ANSWER),
    ("no response", FailureReason.NO_ANSWER),
    ("limit", FailureReason.LIMIT_EXCEEDED),
    ("blacklist", FailureReason.PAYER_NOT_ALLOWED),
    ("not allowed", FailureReason.PAYER_NOT_ALLOWED),
)


def reason_of(text: str) -> FailureReason:
    """Why a charge failed. [ASSUMED] No list of `processor_response` exists: its usual words decide."""
    plain = text.lower()
    return next((reason for words, reason in _REASONS if words in plain), FailureReason.DECLINED)
