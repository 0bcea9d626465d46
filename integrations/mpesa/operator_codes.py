"""What the asynchronous results of an operator's requests mean: reversal, status, balance, B2C.

Source: M-Pesa Daraja, sections 8 and 11.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NoReturn

from integrations.errors import FailureReason, OutcomeUnknown, ProviderRejected, ProviderUnavailable
from integrations.mpesa.codes import Fault

DUPLICATE_ERROR: Final = "500.002.1001"
DUPLICATE_TEXT: Final = "duplicate"
ALREADY_REVERSED: Final = "R000001"
MAINTENANCE_ERRORS: Final = ("00.002.1001", "1000000")
"""Overload and throttling: the request may be lost or waiting."""


class Verdict(StrEnum):
    """What a result says of the request it answers."""

    DONE = "done"
    REPEATED = "repeated"
    """The same was done, or is being done, by an earlier request: ask for that one's status."""
    FAILED = "failed"
    UNSURE = "unsure"
    """It may have been done: ask for its status before anything else."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """One result code."""

    verdict: Verdict
    reason: FailureReason
    message: str
    """For the tenant; empty where M-Pesa's own words say more."""


def _failed(reason: FailureReason, message: str) -> Meaning:
    return Meaning(Verdict.FAILED, reason, message)


_LIMIT: Final = FailureReason.LIMIT_EXCEEDED
_SETUP: Final = FailureReason.CONFIGURATION
_OPERATOR: Final = "M-Pesa does not accept the operator. Check its name, password and role on the portal."

RESULTS: Final[Mapping[str, Meaning]] = {
    "0": Meaning(Verdict.DONE, FailureReason.DECLINED, ""),
    "1": _failed(FailureReason.INSUFFICIENT_FUNDS, "The short code has too little money for this."),
    "2": _failed(_LIMIT, "The amount is below M-Pesa's minimum."),
    "3": _failed(_LIMIT, "The amount is above M-Pesa's maximum."),
    "4": _failed(_LIMIT, "It would exceed the daily limit."),
    "8": _failed(_LIMIT, "It would exceed the balance the receiver may hold."),
    "11": _failed(_SETUP, "The short code or its account is not active."),
    "15": Meaning(Verdict.REPEATED, FailureReason.DECLINED, "M-Pesa has this request already."),
    "17": Meaning(Verdict.UNSURE, FailureReason.PROVIDER_BUSY, "M-Pesa failed inside."),
    "18": _failed(_SETUP, _OPERATOR),
    "20": _failed(_SETUP, _OPERATOR),
    "21": _failed(_SETUP, _OPERATOR),
    "22": _failed(_SETUP, _OPERATOR),
    "24": _failed(FailureReason.DECLINED, "M-Pesa missed a part of the request."),
    "25": _failed(FailureReason.DECLINED, "M-Pesa refused a part of the request."),
    "26": Meaning(Verdict.UNSURE, FailureReason.PROVIDER_BUSY, "M-Pesa was too busy."),
    "29": _failed(FailureReason.DECLINED, "M-Pesa refused the command."),
    "2001": _failed(_SETUP, _OPERATOR),
    "2006": _failed(_SETUP, "The short code or its account is not active."),
    "2028": _failed(_SETUP, "The short code is not permitted to do this."),
    "2040": _failed(FailureReason.PAYER_NOT_ALLOWED, "The receiver has no M-Pesa account."),
    "8006": _failed(_SETUP, "The operator is locked. Unlock it on the M-Pesa organisation portal."),
    ALREADY_REVERSED: Meaning(Verdict.REPEATED, FailureReason.DECLINED, "This receipt is reversed already."),
    "R000002": _failed(FailureReason.DECLINED, "M-Pesa does not know this receipt."),
    "SFC_IC0003": _failed(_SETUP, "The short code or the number is not known."),
}
"""A code that is missing here proves nothing."""

UNKNOWN_CODE: Final = Meaning(Verdict.UNSURE, FailureReason.DECLINED, "")


def meaning_of(code: str) -> Meaning:
    """What a `ResultCode` of an operator's request means."""
    return RESULTS.get(code, UNKNOWN_CODE)


def raise_for_request(fault: Fault, reference: str) -> NoReturn:
    """Say what a fault means for an operator's request that was sent.

    Raises:
        ProviderUnavailable: it was throttled, or its token refused twice.
        ProviderRejected: refused for good.
        OutcomeUnknown: anything the sheet does not call one of these; a duplicate too, since the
            first one's outcome is what counts.
    """
    if fault.is_about_token or fault.is_busy:
        raise ProviderUnavailable(str(fault))
    if fault.is_configuration or fault.is_bad_field:
        raise ProviderRejected(fault.code, fault.message, _SETUP)
    raise OutcomeUnknown(reference, str(fault))


def is_duplicate(fault: Fault) -> bool:
    """Whether the caller's own id was used before: the first request is the one to ask about."""
    return fault.code == DUPLICATE_ERROR and DUPLICATE_TEXT in fault.text
