"""What Daraja's codes mean. The text is read only where one code stands for different things.

Source: M-Pesa Daraja, section 11.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NoReturn

from integrations.errors import FailureReason, OutcomeUnknown, ProviderRejected, ProviderUnavailable
from integrations.protocol import NotPaid, Paid, StillPending, Told

DONE: Final = "0"
STILL_PROCESSING: Final = "4999"

RESULT_REASONS: Final[Mapping[str, FailureReason]] = {
    "1": FailureReason.INSUFFICIENT_FUNDS,
    "2": FailureReason.LIMIT_EXCEEDED,
    "3": FailureReason.LIMIT_EXCEEDED,
    "4": FailureReason.LIMIT_EXCEEDED,
    "8": FailureReason.LIMIT_EXCEEDED,
    "11": FailureReason.PAYER_NOT_ALLOWED,
    "17": FailureReason.PAYER_BUSY,
    "24": FailureReason.DECLINED,
    "25": FailureReason.DECLINED,
    "26": FailureReason.PROVIDER_BUSY,
    "29": FailureReason.DECLINED,
    "1001": FailureReason.PAYER_BUSY,
    "1019": FailureReason.NO_ANSWER,
    "1025": FailureReason.PROVIDER_BUSY,
    "1032": FailureReason.CANCELLED_BY_PAYER,
    "1037": FailureReason.NO_ANSWER,
    "2001": FailureReason.WRONG_PIN,
    "2006": FailureReason.PAYER_NOT_ALLOWED,
    "2028": FailureReason.CONFIGURATION,
    "9999": FailureReason.PROVIDER_BUSY,
    "SFC_IC0003": FailureReason.CONFIGURATION,
}
"""Results of a prompt that are final. A code that is missing here is unknown."""

UNSURE_RESULTS: Final = frozenset({"1037"})
"""Known, and yet final only after one confirming query."""

BUSY_ERRORS: Final = frozenset({"500.003.02", "500.003.03"})
"""The gateway's own. [ASSUMED] It has not forwarded the request."""

WRONG_PATH_ERRORS: Final = frozenset({"404.001.01", "404.002.01", "404.003.01", "404.001.04", "405.001"})
BAD_FIELD_ERRORS: Final = ("400.002.", "400.003.02")
OUR_FIELDS: Final = ("shortcode", "partyb", "callback", "password", "timestamp", "transactiontype")
"""Fields that are wrong for every payer, if they are wrong."""
TOKEN_ERRORS: Final = frozenset({"400.003.01", "404.001.03"})
TOKEN_ERROR_PREFIX: Final = "401.00"  # noqa: S105 - an error code
TOKEN_TEXT: Final = "invalid access token"  # noqa: S105 - an error message
NO_PRODUCT_TEXT: Final = "no apiproduct match"
MERCHANT_ERROR: Final = "500.001.1001"
WRONG_KEYS_TEXT: Final = "wrong credentials"
UNKNOWN_MERCHANT_TEXT: Final = "does not exist"
SERVER_ERROR: Final = "500.003.1001"
REGISTERED_TEXT: Final = "already registered"
TOO_MANY_REQUESTS: Final = 429


@dataclass(frozen=True, slots=True)
class Fault:
    """An answer that is no acknowledgement: Daraja's error envelope, or what stood in its place."""

    status: int
    code: str
    """Empty where the answer had none."""
    message: str

    @property
    def text(self) -> str:
        return self.message.lower()

    @property
    def is_about_token(self) -> bool:
        return (
            self.code in TOKEN_ERRORS or self.code.startswith(TOKEN_ERROR_PREFIX) or TOKEN_TEXT in self.text
        )

    @property
    def is_configuration(self) -> bool:
        """Whether the keys, the short code or the app's products are refused, whoever pays."""
        if self.code == MERCHANT_ERROR:
            return WRONG_KEYS_TEXT in self.text or UNKNOWN_MERCHANT_TEXT in self.text
        return self.code in WRONG_PATH_ERRORS or NO_PRODUCT_TEXT in self.text

    @property
    def is_bad_field(self) -> bool:
        return self.code.startswith(BAD_FIELD_ERRORS)

    @property
    def is_busy(self) -> bool:
        return self.code in BUSY_ERRORS or (not self.code and self.status == TOO_MANY_REQUESTS)

    def __str__(self) -> str:
        return f"HTTP {self.status} {self.code} {self.message}".strip()


def raise_for_prompt(fault: Fault, reference: str) -> NoReturn:
    """Say what a fault means for a prompt that was sent.

    Raises:
        ProviderUnavailable: it was throttled, or its token refused twice.
        ProviderRejected: refused for good.
        OutcomeUnknown: anything the sheet does not call one of these.
    """
    if fault.is_about_token or fault.is_busy:
        raise ProviderUnavailable(str(fault))
    if fault.is_configuration:
        raise ProviderRejected(fault.code, fault.message, FailureReason.CONFIGURATION)
    if fault.is_bad_field:
        raise ProviderRejected(fault.code, fault.message, bad_field_reason(fault))
    raise OutcomeUnknown(reference, str(fault))


def bad_field_reason(fault: Fault) -> FailureReason:
    """Whose fault a refused field is: Daraja names the field in its text only."""
    if "phonenumber" in fault.text or "partya" in fault.text:
        return FailureReason.PAYER_NOT_ALLOWED
    if "amount" in fault.text:
        return FailureReason.LIMIT_EXCEEDED
    if any(field in fault.text for field in OUR_FIELDS):
        return FailureReason.CONFIGURATION
    return FailureReason.DECLINED


def read_result(code: str, message: str, paid: Paid) -> Told | StillPending:
    """The meaning of a `ResultCode`; `paid` is what a zero stands for."""
    if code == DONE:
        return paid
    if code == STILL_PROCESSING:
        return StillPending()
    reason = RESULT_REASONS.get(code)
    if reason is None:
        return NotPaid(FailureReason.DECLINED, code, message, is_sure=False)
    return NotPaid(reason, code, message, is_sure=code not in UNSURE_RESULTS)
