"""What an answer about an invented prompt proves of a channel's keys.

[ASSUMED] No document says how Daraja answers to an id it never gave. Observed is "being processed"
under the code that also stands for a wrong passkey; so the text decides.
"""

from typing import Final

from integrations.errors import FailureReason, ProviderRejected, ProviderUnavailable
from integrations.http import Reply
from integrations.mpesa.codes import MERCHANT_ERROR, Fault, bad_field_reason
from integrations.mpesa.messages import read_answer, text_of

PASSKEY_REFUSED: Final = "M-Pesa refuses the passkey for this short code. Check both."
PRODUCT_MISSING: Final = (
    "The Daraja app has no M-Pesa Express product for this short code, or belongs to the other environment."
)


def judge_proof(reply: Reply) -> None:
    """Return if keys, passkey and short code were accepted: M-Pesa looked for the prompt.

    Raises:
        ProviderUnavailable: the answer proves nothing either way.
        ProviderRejected: they were refused; its message says which to correct.
    """
    answer = read_answer(reply)
    if not isinstance(answer, Fault):
        if not text_of(answer.get("ResultCode")):
            raise ProviderUnavailable("an answer without the expected keys")
        return
    if answer.is_about_token:
        raise _refused(answer, PRODUCT_MISSING)
    if answer.is_configuration:
        raise _refused(answer, PASSKEY_REFUSED if answer.code == MERCHANT_ERROR else PRODUCT_MISSING)
    if answer.is_bad_field and bad_field_reason(answer) is FailureReason.CONFIGURATION:
        raise _refused(answer, answer.message)
    if answer.code != MERCHANT_ERROR and not answer.is_bad_field:
        raise ProviderUnavailable(str(answer))


def _refused(fault: Fault, message: str) -> ProviderRejected:
    return ProviderRejected(fault.code, message, FailureReason.CONFIGURATION)
