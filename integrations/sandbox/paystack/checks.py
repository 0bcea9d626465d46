"""What Paystack refuses in a request, field by field.

Source: Paystack, sections 2, 4 and 5.
"""

import json
import re
from typing import Any, Final

from starlette.responses import JSONResponse, Response

CURRENCIES: Final = ("NGN", "GHS", "ZAR", "KES", "USD", "XOF")
CHANNELS: Final = (*("card", "bank", "ussd", "qr", "mobile_money", "bank_transfer", "eft", "apple_pay"),)
WALLETS: Final = ("mpesa", "mpesa_offline", "mptill", "mtn", "vod", "atl")
AMOUNT_MOST: Final = 10**12
AMOUNT_DIVISOR: Final = 100

_REFERENCE: Final = re.compile(r"[A-Za-z0-9.=-]{1,100}")
_EMAIL: Final = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+")
_KENYAN: Final = re.compile(r"\+?254[17][0-9]{8}")
_OFFLINE: Final = re.compile(r"254[17][0-9]{8}")
_LOCAL: Final = re.compile(r"0[0-9]{9}")
_TILL: Final = re.compile(r"[0-9]{5,8}")


class Refused(Exception):
    """Ends a request with Paystack's error envelope."""

    def __init__(self, status: int, message: str, **more: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.more = more

    def response(self) -> Response:
        return JSONResponse({"status": False, "message": self.message, **self.more}, self.status)


def refuse(status: int) -> Response:
    """The body of an answer that was planned."""
    return Refused(status, "Too many requests" if status == 429 else "An error occurred").response()  # noqa: PLR2004 - HTTP's number


def read_body(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise Refused(400, "Invalid JSON in request") from error
    if not isinstance(body, dict):
        raise Refused(400, "Invalid JSON in request")
    return body


def require_email(body: dict[str, Any]) -> str:
    email = body.get("email")
    if not isinstance(email, str) or _EMAIL.fullmatch(email) is None:
        raise Refused(
            400, "Invalid Email Address Passed", type="validation_error", code="invalid_email_address"
        )
    return email


def require_amount(body: dict[str, Any]) -> int:
    """Whole subunits, as a number."""
    amount = body.get("amount")
    if type(amount) is not int or not 0 < amount <= AMOUNT_MOST:
        raise Refused(400, "Invalid Amount Sent", type="validation_error", code="invalid_amount")
    return amount


def require_currency(body: dict[str, Any], served: tuple[str, ...]) -> str:
    currency = body.get("currency")
    if currency not in served:
        raise Refused(400, "Currency not supported by merchant", code="unsupported_currency")
    return str(currency)


def require_reference(body: dict[str, Any]) -> str:
    reference = body.get("reference")
    if not isinstance(reference, str) or _REFERENCE.fullmatch(reference) is None:
        raise Refused(400, "Invalid characters in transaction reference", code="invalid_reference")
    return reference


def require_channels(body: dict[str, Any]) -> list[str]:
    channels = body.get("channels", ["card"])
    if not isinstance(channels, list) or not channels or not set(channels) <= set(CHANNELS):
        raise Refused(400, "Invalid channels")
    return [str(channel) for channel in channels]


def require_wallet(body: dict[str, Any], amount: int) -> dict[str, str]:
    """`mobile_money{phone, provider}`: whole shillings and a phone of the provider's own form."""
    wallet = body.get("mobile_money")
    if not isinstance(wallet, dict) or wallet.get("provider") not in WALLETS:
        raise Refused(400, "Invalid mobile money provider")
    provider = str(wallet["provider"])
    is_till = provider == "mptill"
    pattern = _TILL if is_till else {"mpesa": _KENYAN, "mpesa_offline": _OFFLINE}.get(provider, _LOCAL)
    number = wallet.get("account" if is_till else "phone")
    if not isinstance(number, str) or pattern.fullmatch(number) is None:
        raise Refused(400, "Invalid phone number")
    if (body.get("currency") == "KES") != provider.startswith("mp"):
        raise Refused(400, "Provider does not serve this currency")
    if provider.startswith("mp") and amount % AMOUNT_DIVISOR:
        raise Refused(400, "Invalid Amount Sent", code="invalid_amount")
    return {"provider": provider, "account" if is_till else "phone": number}


def require_text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise Refused(400, f"{name} is required", type="validation_error", code="missing_params")
    return value
