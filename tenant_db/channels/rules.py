"""What a channel's numbers and keys must look like. Pure."""

from dataclasses import dataclass, field
from typing import Final

from core.errors import InvalidInput
from tenant_db.channels.machine import ChannelKind

KEY_CHARACTERS_MAX: Final = 255
SHORT_CODE_DIGITS: Final = range(5, 8)
REFUSED_IN_PASSWORDS: Final = "()"
REASON_CHARACTERS_MAX: Final = 200
MINOR_PER_SHILLING: Final = 100
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


@dataclass(frozen=True, slots=True)
class OperatorKeys:
    """The API operator of one short code, from M-Pesa's organisation portal; never printed.

    Raises:
        InvalidInput: a name or password that the portal doesn't give.
    """

    name: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        require_key("initiatorName", self.name)
        require_key("initiatorPassword", self.password)
        if any(sign in self.password for sign in REFUSED_IN_PASSWORDS):
            raise InvalidInput(
                "initiatorPassword", "M-Pesa refuses ( and ) in it. Of special signs use only # & % $."
            )


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
    if kind is ChannelKind.BUYGOODS and head_office_code is None:
        return
    if kind is ChannelKind.PAYBILL:
        if head_office_code is not None:
            raise InvalidInput("headOfficeCode", "A PayBill has no head office code: leave it out.")
    elif head_office_code is None:
        raise InvalidInput("headOfficeCode", "A till needs the store number it was given at go-live.")
    else:
        _require_code("headOfficeCode", head_office_code)


def require_limits(least_minor: int | None, most_minor: int | None) -> None:
    """Raises InvalidInput unless both are whole shillings above zero, the least below the most."""
    for field_name, minor in (("leastMinor", least_minor), ("mostMinor", most_minor)):
        if minor is not None and (minor <= 0 or minor % MINOR_PER_SHILLING):
            raise InvalidInput(field_name, "A limit is a whole number of shillings above zero.")
    if least_minor is not None and most_minor is not None and least_minor > most_minor:
        raise InvalidInput("mostMinor", "The most must not be below the least.")


def require_reason(text: str) -> str:
    """The words of who suspends a channel, trimmed.

    Raises:
        InvalidInput: empty, too long, or with control characters.
    """
    trimmed = text.strip()
    if not 1 <= len(trimmed) <= REASON_CHARACTERS_MAX or not trimmed.isprintable():
        raise InvalidInput("reason", f"A reason has 1 to {REASON_CHARACTERS_MAX} printable characters.")
    return trimmed


def _require_code(name: str, value: str) -> None:
    if not (value.isascii() and value.isdigit() and len(value) in SHORT_CODE_DIGITS):
        raise InvalidInput(name, f"{name} has {SHORT_CODE_DIGITS[0]} to {SHORT_CODE_DIGITS[-1]} digits.")
