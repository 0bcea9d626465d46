"""How an outside call fails, and what may be done next.

ProviderError
├── ProviderUnavailable   nothing reached the provider, or it did not act on it: send again
├── ProviderRejected      the provider's final refusal of this attempt
└── OutcomeUnknown        it was sent and no answer came: ask, never send again

BadMessage                an inbound body that can't be read; it is kept and looked at, never dropped
"""

from enum import StrEnum


class FailureReason(StrEnum):
    """Why a payment did not come about, in words every provider's codes are mapped to.

    Each is also a reason of `tenant_db.payments.rules`, spelled the same.
    """

    INSUFFICIENT_FUNDS = "insufficient_funds"
    WRONG_PIN = "wrong_pin"
    CANCELLED_BY_PAYER = "cancelled_by_payer"
    NO_ANSWER = "no_answer"
    LIMIT_EXCEEDED = "limit_exceeded"
    PAYER_NOT_ALLOWED = "payer_not_allowed"
    PAYER_BUSY = "payer_busy"
    PROVIDER_BUSY = "provider_busy"
    CONFIGURATION = "configuration"
    DECLINED = "declined"
    CARD_EXPIRED = "card_expired"
    INCORRECT_DETAILS = "incorrect_details"
    AUTHENTICATION_REQUIRED = "authentication_required"
    CANCELLED_BY_MERCHANT = "cancelled_by_merchant"


class ProviderError(Exception):
    """An outside call did not succeed; holds no secret, token, hook path or whole phone number."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ProviderUnavailable(ProviderError):
    """Surely not sent, or surely not acted on: retry freely with backoff."""


class ProviderRejected(ProviderError):
    """The provider's final refusal of this attempt; a new attempt needs a new reference."""

    def __init__(self, code: str, message: str, reason: FailureReason) -> None:
        super().__init__(message)
        self.code = code
        """The provider's own code; a word in lower case where we refused before calling."""
        self.reason = reason


class OutcomeUnknown(ProviderError):
    """It may have been acted on: ask before anything else, and never send it again."""

    def __init__(self, reference: str, why: str) -> None:
        super().__init__(f"{reference}: {why}")
        self.reference = reference
        """Ours, of the attempt that is in doubt."""


class BadMessage(Exception):
    """The body is not what the provider's sheet describes."""
