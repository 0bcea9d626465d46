"""What a payer is told while a payment is open. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from core.collecting import Method, NextAction
from tenant_db.payments.machine import (
    AUTHORIZED,
    CANCELLED,
    CREATED,
    ENDED,
    EXPIRED,
    FAILED,
    PENDING,
    SUBMITTING,
    SUCCEEDED,
    UNKNOWN,
    PaymentStatus,
)

USUALLY: Final = {
    Method.MOBILE_MONEY: timedelta(seconds=30),
    Method.CARD: timedelta(minutes=2),
    Method.BANK_TRANSFER: timedelta(minutes=30),
}
"""How long payers usually take."""

SENTENCES: Final[Mapping[PaymentStatus, str]] = {
    CREATED: "The payment is being prepared.",
    SUBMITTING: "The payment is being prepared.",
    UNKNOWN: "We are asking the provider how the payment stands. Please don't pay again.",
    AUTHORIZED: "Your bank has promised the money. It is taken when the shop confirms.",
    SUCCEEDED: "The payment has arrived. Thank you.",
    FAILED: "The payment did not work. You may try again.",
    EXPIRED: "The time for this payment is over. You may try again.",
    CANCELLED: "The payment was cancelled.",
}
PENDING_SENTENCES: Final = {
    Method.MOBILE_MONEY: "Approve the prompt on your phone.",
    Method.CARD: "Finish the payment on the page that was opened.",
    Method.BANK_TRANSFER: "Finish the transfer at your bank. It may take a while to arrive.",
}


def instructions(status: PaymentStatus, method: str, action: NextAction | None) -> str:
    """One sentence for the payer; the provider's own where it has one for the step."""
    if action is not None and status not in ENDED:
        return action.instructions
    return PENDING_SENTENCES[Method(method)] if status is PENDING else SENTENCES[status]


def expected_end(
    status: PaymentStatus, method: str, sent_at: datetime, expires_at: datetime, now: datetime
) -> datetime | None:
    """When an open payment will probably have ended: as payers usually do, else when we give it up."""
    if status in ENDED or status is AUTHORIZED:
        return None
    usual = sent_at + USUALLY[Method(method)]
    later = max(expires_at, usual)
    return next((end for end in (usual, later) if end > now), None)
