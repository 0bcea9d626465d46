"""What a store's name, code and time zone must look like. Pure."""

import re
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from core.errors import InvalidInput

NAME_CHARACTERS_MAX: Final = 80
_CODE: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?\Z")


def require_name(value: str) -> None:
    """Raises InvalidInput unless it is 1 to NAME_CHARACTERS_MAX printable characters without outer spaces."""
    if value != value.strip() or not 1 <= len(value) <= NAME_CHARACTERS_MAX or not value.isprintable():
        raise InvalidInput("name", f"A name has 1 to {NAME_CHARACTERS_MAX} printable characters.")


def require_code(value: str) -> None:
    """Raises InvalidInput unless it is 1 to 32 lower-case letters, digits and inner hyphens."""
    if not _CODE.match(value):
        raise InvalidInput("code", "A code has 1 to 32 lower-case letters, digits and hyphens, such as main.")


def require_time_zone(value: str) -> ZoneInfo:
    """The zone of an IANA name. Raises InvalidInput unless this machine knows it."""
    if value not in available_timezones():
        raise InvalidInput("timeZone", "A time zone is an IANA name, such as Africa/Nairobi.")
    return ZoneInfo(value)
