"""Daraja's messages as we send and read them.

Source: M-Pesa Daraja, sections 1 to 3.
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from typing import Final, Self
from urllib.parse import urlsplit

from core.collecting import CaptureMode
from core.currency import Currency
from core.money import Money
from core.phone import Phone
from integrations.errors import BadMessage, FailureReason, ProviderRejected
from integrations.http import Reply, is_loopback
from integrations.mpesa.codes import DONE, Fault
from integrations.protocol import Accepted, Intent
from integrations.redaction import redact_text
from integrations.wire_json import Json, read_object

EAST_AFRICA_TIME: Final = timezone(timedelta(hours=3), "EAT")
TIMESTAMP_FORMAT: Final = "%Y%m%d%H%M%S"
MINOR_PER_SHILLING: Final = 100
LEAST: Final = Money(100, Currency.KES)
MOST: Final = Money(25_000_000, Currency.KES)
DESCRIPTION_CHARACTERS_MAX: Final = 13
TEXT_CHARACTERS_MAX: Final = 200
DIGITS_MAX: Final = 40
FORBIDDEN_IN_URLS: Final = ("m-pesa", "mpesa", "safaricom", "exe", "cmd", "sql", "query")
"""`exec` is among them: it begins with `exe`."""

_PHONE: Final = re.compile(r"254[17][0-9]{8}")
_REFERENCE: Final = re.compile(r"[A-Za-z0-9]{1,12}")


class TransactionType(StrEnum):
    """What sort of short code is paid to."""

    PAYBILL = "CustomerPayBillOnline"
    TILL = "CustomerBuyGoodsOnline"


@dataclass(frozen=True, slots=True)
class MpesaCredentials:
    """A tenant's keys to Daraja; never printed."""

    consumer_key: str = field(repr=False)
    consumer_secret: str = field(repr=False)
    passkey: str = field(repr=False)

    @property
    def basic(self) -> str:
        pair = f"{self.consumer_key}:{self.consumer_secret}"
        return base64.b64encode(pair.encode()).decode()


@dataclass(frozen=True, slots=True)
class ShortCode:
    """Where the money goes, in the three fields Daraja wants."""

    business_short_code: str
    party_b: str
    transaction_type: TransactionType

    @classmethod
    def paybill(cls, number: str) -> Self:
        return cls(number, number, TransactionType.PAYBILL)

    @classmethod
    def till(cls, number: str, head_office_code: str) -> Self:
        """`number` is what payers see; `head_office_code` is the store number given at go-live."""
        return cls(head_office_code, number, TransactionType.TILL)


@dataclass(frozen=True, slots=True)
class MpesaPaths:
    """Paths below the base URL; those that exist in two generations are set per catalog row."""

    token: str = "/oauth/v1/generate?grant_type=client_credentials"  # noqa: S105 - a path
    stk_push: str = "/mpesa/stkpush/v1/processrequest"
    stk_query: str = "/mpesa/stkpushquery/v1/query"
    c2b_register: str = "/mpesa/c2b/v2/registerurl"
    transaction_status: str = "/mpesa/transactionstatus/v1/query"
    account_balance: str = "/mpesa/accountbalance/v1/query"
    reversal: str = "/mpesa/reversal/v1/request"
    pull_register: str = "/pulltransactions/v1/register"
    pull_query: str = "/pulltransactions/v1/query"

    @classmethod
    def of(cls, settings: Mapping[str, str]) -> Self:
        """Take the paths that are set, by the names of the fields; others stay as they are."""
        return cls(**{name: path for name, path in settings.items() if name in cls.__slots__})


def stamp(now: datetime) -> str:
    """Daraja's `Timestamp`: East Africa Time without a zone; in UTC it would look expired."""
    return now.astimezone(EAST_AFRICA_TIME).strftime(TIMESTAMP_FORMAT)


def read_stamp(text: str) -> datetime | None:
    """The instant of a `TransTime` or `TransactionDate`; None where it is none."""
    try:
        return datetime.strptime(text, TIMESTAMP_FORMAT).replace(tzinfo=EAST_AFRICA_TIME)
    except ValueError:
        return None


def signed(code: ShortCode, credentials: MpesaCredentials, now: datetime) -> dict[str, Json]:
    """The three fields that prove the passkey, made of one and the same timestamp."""
    timestamp = stamp(now)
    secret = f"{code.business_short_code}{credentials.passkey}{timestamp}"
    return {
        "BusinessShortCode": code.business_short_code,
        "Password": base64.b64encode(secret.encode()).decode(),
        "Timestamp": timestamp,
    }


def prompt_body(prompt: Intent, code: ShortCode) -> dict[str, Json]:
    """The rest of an STK push.

    Raises:
        ProviderRejected: M-Pesa takes no such phone, amount, reference or URL, and authorises nothing;
            nothing was sent.
    """
    if prompt.capture is not CaptureMode.AUTOMATIC:
        raise ProviderRejected(
            "not_supported", "M-Pesa takes the money at once.", FailureReason.CONFIGURATION
        )
    phone = require_phone(prompt.phone)
    return {
        "TransactionType": code.transaction_type.value,
        "Amount": require_amount(prompt.amount),
        "PartyA": phone,
        "PartyB": code.party_b,
        "PhoneNumber": phone,
        "CallBackURL": require_url(prompt.callback_url),
        "AccountReference": require_reference(prompt.reference),
        "TransactionDesc": description_of(prompt.description, prompt.reference),
    }


def require_phone(phone: Phone | None) -> str:
    """The number as Daraja writes it: `254700000001`."""
    if phone is None or _PHONE.fullmatch(phone.digits) is None:
        raise ProviderRejected("phone", "M-Pesa serves Kenyan numbers only.", FailureReason.PAYER_NOT_ALLOWED)
    return phone.digits


def require_amount(amount: Money) -> int:
    """Whole shillings; nothing is ever rounded on the payer's behalf."""
    if amount.currency is not Currency.KES or amount.minor % MINOR_PER_SHILLING:
        raise ProviderRejected("amount", "M-Pesa takes whole shillings.", FailureReason.DECLINED)
    if not LEAST <= amount <= MOST:
        raise ProviderRejected("amount", f"M-Pesa takes {LEAST} to {MOST}.", FailureReason.LIMIT_EXCEEDED)
    return amount.minor // MINOR_PER_SHILLING


def require_reference(reference: str) -> str:
    if _REFERENCE.fullmatch(reference) is None:
        raise ProviderRejected(
            "reference", "A reference is 1 to 12 letters and digits.", FailureReason.DECLINED
        )
    return reference


def require_url(url: str) -> str:
    """A URL that Safaricom accepts for callbacks; plain http only on this machine."""
    parts = urlsplit(url)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    if not is_safe or any(word in url.lower() for word in FORBIDDEN_IN_URLS):
        raise ProviderRejected(
            "callback_url",
            f"M-Pesa calls back over https only, and no URL that holds {', '.join(FORBIDDEN_IN_URLS)}.",
            FailureReason.CONFIGURATION,
        )
    return url


def description_of(text: str, reference: str) -> str:
    """At most 13 plain characters: some signs make Daraja refuse the whole request."""
    plain = "".join(character if character.isascii() and character.isalnum() else " " for character in text)
    return " ".join(plain.split())[:DESCRIPTION_CHARACTERS_MAX].strip() or reference


def read_accepted(reply: Reply) -> Accepted | Fault:
    """An acknowledgement of a push, or what came in its place.

    Raises:
        ProviderRejected: acknowledged with a `ResponseCode` other than 0.
    """
    answer = read_answer(reply)
    if isinstance(answer, Fault):
        return answer
    code = text_of(answer.get("ResponseCode"))
    if code and code != DONE:
        raise ProviderRejected(code, text_of(answer.get("ResponseDescription")), FailureReason.DECLINED)
    checkout, merchant = text_of(answer.get("CheckoutRequestID")), text_of(answer.get("MerchantRequestID"))
    if code != DONE or not checkout or not merchant:
        return Fault(reply.status, "", "an answer without the expected keys")
    return Accepted(checkout, merchant)


def read_answer(reply: Reply) -> dict[str, Json] | Fault:
    """The JSON of a 200 without an error code, else the fault; the envelope may come with any status."""
    try:
        answer = read_object(reply.body)
    except BadMessage:
        return Fault(reply.status, "", "an answer that is no JSON")
    # Both spellings exist.
    code = text_of(answer.get("errorCode") or answer.get("ErrorCode"))
    # Some texts repeat what was sent, and they reach people and logs.
    message = redact_text(text_of(answer.get("errorMessage") or answer.get("ErrorMessage")))
    if code or message or reply.status != 200:  # noqa: PLR2004 - HTTP's number of success
        return Fault(reply.status, code, message)
    return answer


def text_of(value: Json) -> str:
    """A short text or whole number as text that a database takes; empty for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return ""
    if isinstance(value, Decimal):
        # An exponent of a million would be written out as a million digits.
        value = f"{value:f}" if value.is_finite() and abs(value.adjusted()) < DIGITS_MAX else ""
    printable = "".join(character for character in str(value) if character.isprintable())
    return printable.strip()[:TEXT_CHARACTERS_MAX]
