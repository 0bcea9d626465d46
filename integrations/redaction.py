"""What of an outside call or message may be kept: no secret, token, hook path or whole phone number."""

import re
from collections.abc import Set as AbstractSet
from typing import Final
from urllib.parse import urlsplit

from integrations.errors import BadMessage
from integrations.wire_json import Json, read_json, write_json

SECRET_KEYS: Final = frozenset(
    {
        "password",
        "passkey",
        "access_token",
        "securitycredential",
        "authorization",
        "secret",
        "token",
        "apikey",
        "access_code",
    }
)
PERSONAL_KEYS: Final = frozenset(
    {
        *("firstname", "middlename", "lastname", "fullname", "accountname", "email", "ipaddress"),
        *("otp", "pin", "birthday", "address", "cvc", "cvv", "pan", "cardnumber"),
    }
)
TEXT_CHARACTERS_MAX: Final = 300
ITEMS_MAX: Final = 50
DEPTH_MAX: Final = 8

_PHONE: Final = re.compile(r"(?<![\d.])(\+?254[17])\d{5}(\d{3})(?!\d)")
# M-Pesa's CheckoutRequestID ends in the payer's number without its country.
_REQUEST_ID: Final = re.compile(r"(ws_CO_\d+)([17])\d{5}(\d{3})\b")
_EMAIL: Final = re.compile(r"[\w.+-]{1,64}@([\w-]{1,63}\.)+[a-z]{2,24}", re.IGNORECASE)
_NUMBER: Final = re.compile(r"(\+?\d{1,3})\d{3,9}(\d{3})")
"""Any country's, under the name of a phone: elsewhere it may be any number."""
_PHONE_KEYS: Final = ("phone", "msisdn")
_PEOPLE: Final = frozenset({"customer", "payer", "recipient", "billingdetails"})
# Stripe quotes keys in its messages; a client secret lets its holder act on a payment.
_KEY: Final = re.compile(r"\b(?:(?:sk|rk)_(?:test|live)|whsec)_[A-Za-z0-9*_]+|(?<=_)secret_[A-Za-z0-9]+")
_HOOK: Final = re.compile(rb"(\\?/hooks\\?/)(?:[0-9A-Za-z_.-]|\\?/)+")
_URL: Final = re.compile(r"https?://[^\s\"'<>]+", re.IGNORECASE)


def redact(value: Json, depth: int = 0) -> Json:
    """A copy that may be stored and shown to staff."""
    if depth > DEPTH_MAX:
        return "…"
    match value:
        case dict():
            return {
                redact_text(str(key)): _redact_entry(str(key), item, depth)
                for key, item in list(value.items())[:ITEMS_MAX]
            }
        case list():
            return [redact(item, depth + 1) for item in value[:ITEMS_MAX]]
        case str():
            return redact_text(value)
        case None | bool():
            return value
    return redact_text(str(value))


def redact_text(text: str) -> str:
    """Mask keys, phone numbers and the paths of URLs; cut what is long or can't be stored."""
    if not text.isprintable():
        text = "".join(character if character.isprintable() else " " for character in text)
    masked = _KEY.sub("<redacted>", _EMAIL.sub("<e-mail>", _URL.sub(_without_path, text)))
    masked = _PHONE.sub(r"\1*****\2", _REQUEST_ID.sub(r"\1\2*****\3", masked))
    return masked if len(masked) <= TEXT_CHARACTERS_MAX else f"{masked[:TEXT_CHARACTERS_MAX]}…"


def without_fields(body: bytes, fields: AbstractSet[str]) -> bytes:
    """The message without what stands under these names at any depth; as it came where there is none.

    Numbers stay exact, so it reads as before but for the fields. What is no JSON stays as it is.
    """
    if not any(name.encode() in body for name in fields):
        return body
    try:
        return write_json(_without(read_json(body), fields))
    except BadMessage:
        return body


def without_hook_paths(body: bytes) -> bytes:
    """The message without the secret parts of our own addresses: M-Pesa repeats them in its results."""
    return _HOOK.sub(rb"\1redacted", body)


def _without(value: Json, fields: AbstractSet[str]) -> Json:
    match value:
        case dict():
            return {name: _without(item, fields) for name, item in value.items() if name not in fields}
        case list():
            return [_without(item, fields) for item in value]
    return value


def _redact_entry(key: str, value: Json, depth: int) -> Json:
    plain = key.lower().replace("_", "").replace("-", "")
    if value and any(secret.replace("_", "") in plain for secret in SECRET_KEYS):
        return "<redacted>"
    if value and plain in PERSONAL_KEYS:
        return "<redacted>"
    is_number = isinstance(value, str | int) and not isinstance(value, bool)
    if is_number and any(word in plain for word in _PHONE_KEYS):
        return _NUMBER.sub(r"\1*****\2", redact_text(str(value)))
    if plain in _PEOPLE and isinstance(value, dict) and value.get("name"):
        value = {**value, "name": "<redacted>"}
    return redact(value, depth + 1)


def _without_path(found: re.Match[str]) -> str:
    try:
        parts = urlsplit(found.group())
    except ValueError:
        return "<url>"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/…"
