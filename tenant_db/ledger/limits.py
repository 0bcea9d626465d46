"""How much the ledger takes at once, and what text it takes. Pure."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from core.errors import InvalidInput
from core.money import MINOR_DIGITS_MAX

POSTINGS_MAX: Final = 1_000
"""In one bulk."""
LINKED_MAX: Final = 100
"""Transfers that succeed or fail together."""
REFERENCE_LENGTH_MAX: Final = 200
KEY_LENGTH_MAX: Final = 400
"""Of a transfer's or a hold's key: an idempotencyKey has up to 255, and its namespace comes before."""
DETAILS_BYTES_MAX: Final = 4_096
"""As JSON in UTF-8."""
REASON_LENGTH_MAX: Final = 500
COUNTER_LIMIT: Final = 10**MINOR_DIGITS_MAX
"""The first amount that NUMERIC(38,0) does not hold."""
EXPIRING_MAX: Final = 200
"""Holds expired in one transaction."""

_NUL_ESCAPED: Final = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def guard_text(field: str, value: str, length_max: int) -> None:
    """Refuse what a text column can't hold, or what is longer than anybody needs.

    Raises:
        InvalidInput: it is empty, too long, or has a NUL or half a surrogate pair.
    """
    if not 0 < len(value) <= length_max:
        raise InvalidInput(field, f"Send 1 to {length_max} characters.")
    if value.isascii():
        if "\0" in value:
            raise InvalidInput(field, "A text can't hold the NUL character.")
    else:
        _guard_unicode(field, value)


def as_json(field: str, details: Mapping[str, Any]) -> str:
    """Details as the JSON that is stored.

    Raises:
        InvalidInput: PostgreSQL could not hold them, or they are larger than DETAILS_BYTES_MAX.
    """
    if not details:
        return "{}"
    try:
        text = json.dumps(details, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        size = len(text.encode())
    except (TypeError, ValueError) as error:
        raise InvalidInput(field, "Send a JSON object of texts, numbers, booleans and lists.") from error
    if size > DETAILS_BYTES_MAX:
        raise InvalidInput(field, f"Send at most {DETAILS_BYTES_MAX} bytes of JSON.")
    if _NUL_ESCAPED.search(text):
        raise InvalidInput(field, "A text can't hold the NUL character.")
    return text


def _guard_unicode(field: str, value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(field, "This is no valid text.") from error
    if "\0" in value:
        raise InvalidInput(field, "A text can't hold the NUL character.")
