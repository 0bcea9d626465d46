"""What figures can be grouped by, and how much may be asked for at once. Pure."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from core.errors import InvalidInput

DAYS_MAX: Final = 92
ROWS_MAX: Final = 2_000


class Dimension(StrEnum):
    """What payments are told apart by; currencies always are."""

    DAY = "day"
    PROVIDER = "provider"
    CHANNEL = "channel"
    PROVIDER_ACCOUNT = "provider_account"
    STORE = "store"
    METHOD = "method"
    FAILURE_CODE = "failure_code"


def require_dimensions(wanted: Sequence[Dimension]) -> list[Dimension]:
    """Each once, in the order given.

    Raises:
        InvalidInput: none.
    """
    if not wanted:
        raise InvalidInput("groupBy", "Name at least one thing to group by, such as DAY.")
    return list(dict.fromkeys(wanted))
