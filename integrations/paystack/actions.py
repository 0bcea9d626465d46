"""The payer's next step, by the status of a charge.

Source: Paystack, section 4.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from core.collecting import ActionKind, NextAction
from integrations.errors import FailureReason, ProviderRejected
from integrations.http import is_loopback
from integrations.paystack.reading import text_of
from integrations.protocol import PayerStep
from integrations.wire_json import Json

ENTER: Final[Mapping[str, NextAction]] = {
    "send_otp": NextAction(ActionKind.ENTER_OTP, "Enter the code that was sent to you."),
    "send_pin": NextAction(ActionKind.ENTER_PIN, "Enter the PIN of your card."),
    "send_phone": NextAction(ActionKind.ENTER_PHONE, "Enter the phone number that your bank knows."),
    "send_birthday": NextAction(ActionKind.ENTER_BIRTHDAY, "Enter your date of birth."),
    "send_address": NextAction(ActionKind.ENTER_ADDRESS, "Enter the address that your bank knows."),
}
STEPS: Final = ("otp", "pin", "phone", "birthday", "address")
ADDRESS_PARTS: Final = ("city", "state", "zip_code")
"""What goes along with an address."""
OFFLINE: Final = "pay_offline"
OPEN_URL: Final = "open_url"


def action_of(data: Mapping[str, Json]) -> NextAction | None:
    """What the payer has to do; None where there is nothing but waiting."""
    status = text_of(data.get("status"))
    if status == OFFLINE:
        return _by_hand(data) or NextAction(
            ActionKind.APPROVE_PROMPT, "Approve the payment on your phone with your PIN."
        )
    if status == OPEN_URL:
        return redirect_to(text_of(data.get("url")))
    return ENTER.get(status)


def redirect_to(url: str) -> NextAction | None:
    """Open a page of Paystack's; None where the URL is none a browser should be sent to."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return None
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))):
        return None
    return NextAction(ActionKind.REDIRECT, "Continue on Paystack's page.", url=url)


def step_of(step: PayerStep) -> tuple[str, dict[str, Json]]:
    """The call that hands on what the payer entered, `submit_otp`, and what it carries.

    Raises:
        ProviderRejected: it is not one of the steps; nothing was sent.
    """
    entered = [name for name in STEPS if step.values.get(name)]
    if len(entered) != 1:
        message = f"Paystack takes one of {', '.join(STEPS)}."
        raise ProviderRejected("step", message, FailureReason.INCORRECT_DETAILS)
    name = entered[0]
    taken = (name, *ADDRESS_PARTS) if name == "address" else (name,)
    return f"submit_{name}", {part: step.values[part] for part in taken if step.values.get(part)}


def _by_hand(data: Mapping[str, Json]) -> NextAction | None:
    """For M-Pesa without a prompt, the answer names a PayBill and an account to type."""
    paybill, account = text_of(data.get("account_number")), text_of(data.get("account_reference"))
    if not paybill or not account:
        return None
    return NextAction(
        ActionKind.PAY_BY_HAND,
        f"In the M-Pesa menu choose Pay Bill, business number {paybill}, account {account}.",
        data={"paybill": paybill, "account": account},
    )
