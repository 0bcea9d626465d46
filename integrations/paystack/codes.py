"""What Paystack's refusals and declines mean, and how we put them.

The sheet names few texts. [ASSUMED] Which words stand for which reason is in the two tables here.
Source: Paystack, sections 1 and 8.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from integrations.errors import FailureReason, ProviderRejected

KEYS_REFUSED: Final = "Paystack refuses the secret key. Check it, and the environment."
NOT_PERMITTED: Final = (
    "Paystack does not permit this to the business. Check its activation and its list of allowed addresses."
)
UNAUTHORIZED: Final = 401
FORBIDDEN: Final = 403
NOT_FOUND: Final = 404
TOO_MANY_REQUESTS: Final = 429
REFUSING: Final = frozenset({400, 401, 403, 404, 422})
"""Statuses that say, with an envelope, that nothing was done."""
CODE_CHARACTERS_MAX: Final = 60

DUPLICATE_TEXT: Final = "duplicate"
KEY_TEXT: Final = "invalid key"
UNKNOWN_TEXTS: Final = ("reference not found", "reference is invalid", "transaction not found")

DECLINES: Final[tuple[tuple[str, FailureReason], ...]] = (
    ("insufficient", FailureReason.INSUFFICIENT_FUNDS),
    ("not sufficient", FailureReason.INSUFFICIENT_FUNDS),
    ("expired card", FailureReason.CARD_EXPIRED),
    ("card expired", FailureReason.CARD_EXPIRED),
    ("pin", FailureReason.WRONG_PIN),
    ("cancel", FailureReason.CANCELLED_BY_PAYER),
    ("timeout", FailureReason.NO_ANSWER),
    ("timed out", FailureReason.NO_ANSWER),
    ("unreachable", FailureReason.NO_ANSWER),
    ("limit", FailureReason.LIMIT_EXCEEDED),
    ("exceed", FailureReason.LIMIT_EXCEEDED),
    ("authenticat", FailureReason.AUTHENTICATION_REQUIRED),
    ("invalid card", FailureReason.INCORRECT_DETAILS),
    ("incorrect", FailureReason.INCORRECT_DETAILS),
    ("restricted", FailureReason.PAYER_NOT_ALLOWED),
    ("not permitted", FailureReason.PAYER_NOT_ALLOWED),
    ("inactive", FailureReason.PAYER_NOT_ALLOWED),
    ("in process", FailureReason.PAYER_BUSY),
    ("inoperative", FailureReason.PROVIDER_BUSY),
    ("system", FailureReason.PROVIDER_BUSY),
)
"""Words in `gateway_response`; the first that is found decides."""

REFUSALS: Final[tuple[tuple[str, FailureReason], ...]] = (
    (KEY_TEXT, FailureReason.CONFIGURATION),
    ("currency", FailureReason.CONFIGURATION),
    ("channel", FailureReason.CONFIGURATION),
    ("merchant", FailureReason.CONFIGURATION),
    ("email", FailureReason.INCORRECT_DETAILS),
    ("phone", FailureReason.PAYER_NOT_ALLOWED),
    ("limit", FailureReason.LIMIT_EXCEEDED),
)
"""Words in the message of a refused request."""

TEXTS: Final[Mapping[FailureReason, str]] = {
    FailureReason.INSUFFICIENT_FUNDS: "The payer's balance is too low.",
    FailureReason.CARD_EXPIRED: "The card has expired.",
    FailureReason.WRONG_PIN: "The PIN was wrong.",
    FailureReason.CANCELLED_BY_PAYER: "The payer cancelled.",
    FailureReason.NO_ANSWER: "The payer did not answer in time.",
    FailureReason.LIMIT_EXCEEDED: "The amount is beyond a limit.",
    FailureReason.AUTHENTICATION_REQUIRED: "The payer was not authenticated.",
    FailureReason.INCORRECT_DETAILS: "What the payer entered is not correct.",
    FailureReason.PAYER_NOT_ALLOWED: "The payer's account or phone may not pay this way.",
    FailureReason.PAYER_BUSY: "Another payment is open at the payer's.",
    FailureReason.PROVIDER_BUSY: "The payer's bank or network did not work.",
    FailureReason.CONFIGURATION: "Paystack does not take this from the business as it is set up.",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """An answer with `status: false`: Paystack read the request and refused it."""

    status: int
    code: str
    """Empty where the answer had none, as most."""
    message: str
    """Paystack's, redacted; never shown to a payer."""

    @property
    def text(self) -> str:
        return self.message.lower()

    @property
    def is_duplicate(self) -> bool:
        """Whether the reference was used before: by us, so it is no failure."""
        words = f"{self.code} {self.text}"
        return DUPLICATE_TEXT in words and "reference" in words

    @property
    def is_unknown_reference(self) -> bool:
        return self.status == NOT_FOUND or any(text in self.text for text in UNKNOWN_TEXTS)

    @property
    def is_key(self) -> bool:
        return self.status == UNAUTHORIZED or KEY_TEXT in self.text

    @property
    def is_account(self) -> bool:
        """Whether the business is refused, whatever it asks for."""
        return self.is_key or self.status == FORBIDDEN

    def __str__(self) -> str:
        return f"HTTP {self.status} {self.code} {self.message}".strip()


def rejection(fault: Fault) -> ProviderRejected:
    """A refusal as we put it; the code is Paystack's, or made of its words."""
    code = fault.code or code_of(fault.message) or str(fault.status)
    if fault.is_key:
        return ProviderRejected(code, KEYS_REFUSED, FailureReason.CONFIGURATION)
    if fault.status == FORBIDDEN:
        return ProviderRejected(code, NOT_PERMITTED, FailureReason.CONFIGURATION)
    reason = _first(REFUSALS, fault.text)
    return ProviderRejected(code, TEXTS.get(reason, "Paystack refuses this payment."), reason)


def refund_rejection(fault: Fault) -> ProviderRejected:
    """A refund that is refused for good: more than is left, or a transaction that is none."""
    refused = rejection(fault)
    if refused.reason is FailureReason.CONFIGURATION:
        return refused
    return ProviderRejected(refused.code, "Paystack refuses this refund.", refused.reason)


def reason_of(gateway_response: str) -> FailureReason:
    """Why a charge came to nothing."""
    return _first(DECLINES, gateway_response.lower())


def text_of_reason(reason: FailureReason) -> str:
    """Our sentence for it."""
    return TEXTS.get(reason, "The payment was declined.")


def code_of(text: str) -> str:
    """Paystack has texts where others have codes: `Insufficient Funds` is `insufficient_funds`."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:CODE_CHARACTERS_MAX]


def _first(table: tuple[tuple[str, FailureReason], ...], text: str) -> FailureReason:
    return next((reason for word, reason in table if word in text), FailureReason.DECLINED)
