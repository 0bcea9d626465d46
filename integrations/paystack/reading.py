"""Takes single values out of Paystack's JSON; nothing that is sent can do more than be empty."""

import re
from datetime import UTC, datetime
from typing import Final

from integrations.errors import BadMessage
from integrations.wire_json import Json, read_object

TEXT_CHARACTERS_MAX: Final = 200
_WHOLE: Final = re.compile(r"[0-9]{1,18}")


def text_of(value: Json) -> str:
    """A text or whole number as text that a database takes; empty for anything else.

    Ids have 64 bits and come as numbers or as texts.
    """
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    printable = "".join(character for character in str(value) if character.isprintable())
    return printable.strip()[:TEXT_CHARACTERS_MAX]


def whole_of(value: Json) -> int | None:
    """A whole number that is not negative, written as a number or as digits; None for anything else."""
    text = text_of(value)
    return int(text) if text.isascii() and _WHOLE.fullmatch(text) else None


def object_of(value: Json) -> dict[str, Json]:
    """An object; empty for anything else."""
    return value if isinstance(value, dict) else {}


def metadata_of(value: Json) -> dict[str, Json]:
    """What we sent along: an object, the same as a JSON text, or nothing in one of its shapes."""
    if isinstance(value, str) and value:
        try:
            return read_object(value.encode(errors="replace"))
        except BadMessage:
            return {}
    return object_of(value)


def instant_of(value: Json) -> datetime | None:
    """An instant as Paystack writes it, `2026-11-21T09:15:02.000Z`; None where it is none."""
    try:
        found = datetime.fromisoformat(text_of(value))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
