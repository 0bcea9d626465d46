"""What M-Pesa sends us: bytes to typed events, and what we answer.

Nothing of it is signed. The caller has matched the path's secrets before it reads a body.

Source: M-Pesa Daraja, sections 2, 3 and 10.
"""

import ipaddress
import re
from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeVar

from core.currency import Currency
from core.errors import InvalidInput
from core.money import Money
from integrations.errors import BadMessage
from integrations.mpesa.codes import read_result
from integrations.mpesa.messages import read_stamp, text_of
from integrations.mpesa.told import C2BConfirmation, C2BPayment, C2BValidation, StkResult
from integrations.protocol import Paid, StillPending
from integrations.wire_json import Json, read_object, require_object

SOURCE_ADDRESSES: Final = (
    *(f"196.201.214.{host}" for host in (200, 206, 207, 208)),
    *(f"196.201.213.{host}" for host in (114, 44)),
    *(f"196.201.212.{host}" for host in (127, 128, 129, 132, 136, 138, 69, 74)),
)
"""Seen by many integrations, documented by nobody: only a default for a setting."""

STK_ANSWER: Final[dict[str, str | int]] = {"ResultCode": 0, "ResultDesc": "Accepted"}
CONFIRMATION_ANSWER: Final[dict[str, str | int]] = {"ResultCode": 0, "ResultDesc": "Success"}
"""Always, even for unknown accounts: the money has moved already."""

PAYBILL_TRANSACTION: Final = "pay bill"
_ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,100}")
_SHORT_CODE: Final = re.compile(r"[0-9]{3,12}")
_AMOUNT: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")
_RECEIPT: Final = re.compile(r"[A-Za-z0-9]{1,32}")
_CLEAR_NUMBER: Final = re.compile(r"\+?([0-9]{4})[0-9]{3,9}([0-9]{3})")

_C2B = TypeVar("_C2B", bound=C2BPayment)


class ValidationRefusal(StrEnum):
    """Why a payment by hand is turned away."""

    PHONE = "C2B00011"
    ACCOUNT = "C2B00012"
    AMOUNT = "C2B00013"
    KYC = "C2B00014"
    SHORT_CODE = "C2B00015"
    OTHER = "C2B00016"


def accept_validation(our_id: str | None = None) -> dict[str, str | int]:
    """`our_id` comes back in the confirmation as ThirdPartyTransID."""
    answer: dict[str, str | int] = {"ResultCode": "0", "ResultDesc": "Accepted"}
    return answer if our_id is None else {**answer, "ThirdPartyTransID": our_id}


def refuse_validation(why: ValidationRefusal) -> dict[str, str | int]:
    return {"ResultCode": why.value, "ResultDesc": "Rejected"}


def is_known_source_ip(address: str, allowed: Sequence[str] = SOURCE_ADDRESSES) -> bool:
    """Whether a caller's address is allowed; `allowed` holds addresses and networks."""
    try:
        caller = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(caller in ipaddress.ip_network(network, strict=False) for network in allowed)


def read_stk_result(body: bytes) -> StkResult:
    """Read the callback of a prompt; a success may lack its receipt or amount, and then proves nothing.

    Raises:
        BadMessage: it is no such callback.
    """
    told = require_object(require_object(read_object(body).get("Body")).get("stkCallback"))
    code = text_of(told.get("ResultCode"))
    if _ID.fullmatch(code) is None:
        raise BadMessage("A callback without a result.")
    items = _items(told.get("CallbackMetadata"))
    paid = Paid(read_amount(items.get("Amount")), _receipt_or_none(items.get("MpesaReceiptNumber")))
    answer = read_result(code, text_of(told.get("ResultDesc")), paid)
    if isinstance(answer, StillPending):
        raise BadMessage("A callback without a result.")
    return StkResult(
        provider_reference=_matched(_ID, told.get("CheckoutRequestID"), "CheckoutRequestID"),
        request_reference=_matched(_ID, told.get("MerchantRequestID"), "MerchantRequestID"),
        answer=answer,
        phone_masked=masked(text_of(items.get("PhoneNumber"))) or None,
        occurred_at=read_stamp(text_of(items.get("TransactionDate"))),
    )


def read_c2b_confirmation(body: bytes) -> C2BConfirmation:
    """Read the news of a payment to the short code; the money has moved.

    Raises:
        BadMessage: it is no such message.
    """
    return _read_c2b(C2BConfirmation, body)


def read_c2b_validation(body: bytes) -> C2BValidation:
    """Read the question whether a payment is welcome; no money has moved.

    Raises:
        BadMessage: it is no such message.
    """
    return _read_c2b(C2BValidation, body)


def masked(number: str) -> str:
    """A payer's number as it may be kept: clear digits are masked, a mask or a hash stays."""
    clear = _CLEAR_NUMBER.fullmatch(number)
    return number if clear is None else f"+{clear[1]}*****{clear[2]}"


def _read_c2b(kind: type[_C2B], body: bytes) -> _C2B:
    told = read_object(body)
    amount = read_amount(told.get("TransAmount"))
    if amount is None:
        raise BadMessage("TransAmount is no amount.")
    is_paybill = text_of(told.get("TransactionType")).lower() == PAYBILL_TRANSACTION
    return kind(
        receipt=_matched(_RECEIPT, told.get("TransID"), "TransID"),
        amount=amount,
        reference=text_of(told.get("BillRefNumber")),
        short_code=_matched(_SHORT_CODE, told.get("BusinessShortCode"), "BusinessShortCode"),
        phone_masked=masked(text_of(told.get("MSISDN"))),
        occurred_at=read_stamp(text_of(told.get("TransTime"))),
        # Tills are told under several names, the PayBill under one.
        kind="paybill" if is_paybill else "till",
    )


def _items(metadata: Json) -> dict[str, Json]:
    """The named values of a success; some names come without a value."""
    if metadata is None:
        return {}
    items = require_object(metadata).get("Item")
    # Elsewhere Daraja writes a list of one as the thing itself.
    entries = items if isinstance(items, list) else [items]
    named = [entry for entry in entries if isinstance(entry, dict)]
    return {text_of(entry.get("Name")): entry.get("Value") for entry in named}


def read_amount(value: Json) -> Money | None:
    """A positive amount in shillings, as a number or a decimal string; None for anything else."""
    text = text_of(value)
    if _AMOUNT.fullmatch(text) is None:
        return None
    try:
        amount = Money.of_major(Decimal(text), Currency.KES)
    except InvalidInput:
        return None
    return amount if amount.minor else None


def _receipt_or_none(value: Json) -> str | None:
    receipt = text_of(value)
    return receipt if _RECEIPT.fullmatch(receipt) else None


def _matched(pattern: re.Pattern[str], value: Json, name: str) -> str:
    text = text_of(value)
    if pattern.fullmatch(text) is None:
        raise BadMessage(f"{name} is missing or malformed.")
    return text
