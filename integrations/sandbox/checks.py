"""What Daraja refuses in a request, field by field.

Source: M-Pesa Daraja, sections 1 to 3.
"""

import base64
import ipaddress
import re
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from integrations.sandbox.apps import App, KnownShortCode
from integrations.sandbox.book import EAST_AFRICA_TIME
from integrations.sandbox.refusals import Refused, bad_field

AMOUNT_MOST: Final = 250_000
FORBIDDEN_IN_URLS: Final = ("m-pesa", "mpesa", "safaricom", "exe", "exec", "cmd", "sql", "query")
TRANSACTION_TYPES: Final = ("CustomerPayBillOnline", "CustomerBuyGoodsOnline")

_CODE: Final = re.compile(r"[0-9]{5,7}")
_PHONE: Final = re.compile(r"254[17][0-9]{8}")
_WHOLE: Final = re.compile(r"[0-9]{1,9}")
_REFERENCE: Final = re.compile(r"[A-Za-z0-9]{1,12}")
_DESCRIPTION: Final = re.compile(r"[^@#&]{0,13}")
_STAMP: Final = re.compile(r"[0-9]{14}")


def require(body: dict[str, Any], field: str, pattern: re.Pattern[str]) -> str:
    """The field as text; numbers are taken for their digits, as Daraja does."""
    value = body.get(field)
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if pattern.fullmatch(text) is None:
        raise bad_field(field)
    return text


def require_amount(body: dict[str, Any]) -> int:
    amount = int(require(body, "Amount", _WHOLE))
    if not 1 <= amount <= AMOUNT_MOST:
        raise bad_field("Amount")
    return amount


def require_phone(body: dict[str, Any], field: str) -> str:
    return require(body, field, _PHONE)


def require_code(body: dict[str, Any], field: str) -> str:
    return require(body, field, _CODE)


def require_reference(body: dict[str, Any]) -> str:
    return require(body, "AccountReference", _REFERENCE)


def require_description(body: dict[str, Any]) -> str:
    return require({"TransactionDesc": "", **body}, "TransactionDesc", _DESCRIPTION)


def require_transaction_type(body: dict[str, Any]) -> str:
    if body.get("TransactionType") not in TRANSACTION_TYPES:
        raise bad_field("TransactionType")
    return str(body["TransactionType"])


def require_url(body: dict[str, Any], field: str) -> str:
    """An https URL without a forbidden word; plain http only on this machine."""
    url = body.get(field)
    if not isinstance(url, str) or any(word in url.lower() for word in FORBIDDEN_IN_URLS):
        raise bad_field(field)
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError as error:
        raise bad_field(field) from error
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))):
        raise bad_field(field)
    return url


def require_merchant(body: dict[str, Any], app: App, now: datetime, tolerance: timedelta) -> KnownShortCode:
    """Check short code, timestamp and the password made of both and the passkey."""
    code = require_code(body, "BusinessShortCode")
    timestamp = require(body, "Timestamp", _STAMP)
    try:
        sent_at = datetime.strptime(timestamp, "%Y%m%d%H%M%S").replace(tzinfo=EAST_AFRICA_TIME)
    except ValueError as error:
        raise bad_field("Timestamp") from error
    if abs(now - sent_at) > tolerance:
        raise bad_field("Timestamp")
    known = app.short_codes.get(code)
    if known is None:
        raise Refused(500, "500.001.1001", "Merchant does not exist")
    password = base64.b64encode(f"{code}{known.passkey}{timestamp}".encode()).decode()
    if body.get("Password") != password:
        raise Refused(500, "500.001.1001", "[MerchantValidate] - Wrong credentials")
    return known


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
