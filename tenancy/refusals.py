"""Stored refusals: from a DomainError to plain values in a row, and back."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from core.currency import Currency
from core.errors import DomainError
from core.money import Money

_TAG: Final = "type"


def pack(refusal: DomainError) -> dict[str, Any]:
    """The attributes of a refusal, as JSON holds them.

    Raises:
        ValueError: an attribute is of a type that can't be stored; give the refusal a plainer one.
    """
    return {name: _plain(refusal, value) for name, value in vars(refusal).items() if name != "__notes__"}


def unpack(code: str, packed: dict[str, Any]) -> DomainError:
    """The refusal again, of its own class and with its attributes.

    Raises:
        LookupError: no stored refusal has this code any more.
    """
    refusal_class = _stored_class(code)
    # The constructors of refusals differ; their attributes are all that they carry.
    refusal = refusal_class.__new__(refusal_class)
    vars(refusal).update({name: _rich(value) for name, value in packed.items()})
    refusal.args = (refusal.message,)
    return refusal


def _stored_class(code: str) -> type[DomainError]:
    classes: list[type[DomainError]] = [DomainError]
    while classes:
        candidate = classes.pop()
        if candidate.is_stored and getattr(candidate, "code", None) == code:
            return candidate
        classes.extend(candidate.__subclasses__())
    raise LookupError(f"no stored refusal has the code {code}")


def _plain(refusal: DomainError, value: object) -> Any:  # noqa: ANN401 - JSON
    match value:
        case Money():
            return {_TAG: "money", "minor": str(value.minor), "currency": value.currency.value}
        case Currency():
            return {_TAG: "currency", "code": value.value}
        case UUID():
            return {_TAG: "uuid", "hex": value.hex}
        case datetime():
            return {_TAG: "at", "iso": value.isoformat()}
        case None | bool() | int():
            return value
        case str():
            return str(value)
    raise ValueError(f"{type(refusal).__name__} can't be stored: it holds a {type(value).__name__}")


def _rich(value: Any) -> object:  # noqa: ANN401 - JSON
    match value:
        case {"type": "money", "minor": minor, "currency": code}:
            return Money(int(minor), Currency(code))
        case {"type": "currency", "code": code}:
            return Currency(code)
        case {"type": "uuid", "hex": digits}:
            return UUID(digits)
        case {"type": "at", "iso": text}:
            return datetime.fromisoformat(text)
    return value
