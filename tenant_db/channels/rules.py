"""What a channel's numbers and keys must look like. Pure."""

from dataclasses import dataclass, field
from typing import Final

from core.errors import InvalidInput
from tenant_db.channels.machine import ChannelKind

KEY_CHARACTERS_MAX: Final = 255
SHORT_CODE_DIGITS: Final = range(5, 8)
_VISIBLE: Final = range(0x21, 0x7F)


@dataclass(frozen=True, slots=True)
class MpesaKeys:
    """What Daraja gives a business for one short code; never printed.

    Raises:
        InvalidInput: one of them is empty, too long, or has other than visible ASCII characters.
    """

    consumer_key: str = field(repr=False)
    consumer_secret: str = field(repr=False)
    passkey: str = field(repr=False)

    def __post_init__(self) -> None:
        require_key("consumerKey", self.consumer_key)
        require_key("consumerSecret", self.consumer_secret)
        require_key("passkey", self.passkey)


def require_key(name: str, value: str) -> None:
    """Raises InvalidInput unless it is 1 to KEY_CHARACTERS_MAX visible ASCII characters."""
    if not 1 <= len(value) <= KEY_CHARACTERS_MAX or any(ord(sign) not in _VISIBLE for sign in value):
        raise InvalidInput(name, f"{name} must be copied whole from the Daraja portal, without spaces.")


def require_numbers(kind: ChannelKind, short_code: str, head_office_code: str | None) -> None:
    """Refuse short codes that M-Pesa can't have given.

    Raises:
        InvalidInput: not five to seven digits; a till without the store number that Daraja wants as
            BusinessShortCode; a PayBill with one.
    """
    _require_code("shortCode", short_code)
    if kind is ChannelKind.PAYBILL:
        if head_office_code is not None:
            raise InvalidInput("headOfficeCode", "A PayBill has no head office code: leave it out.")
    elif head_office_code is None:
        raise InvalidInput("headOfficeCode", "A till needs the store number it was given at go-live.")
    else:
        _require_code("headOfficeCode", head_office_code)


def _require_code(name: str, value: str) -> None:
    if not (value.isascii() and value.isdigit() and len(value) in SHORT_CODE_DIGITS):
        raise InvalidInput(name, f"{name} has {SHORT_CODE_DIGITS[0]} to {SHORT_CODE_DIGITS[-1]} digits.")
