"""One call to the sandbox's Paystack, and the lists it gives."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from integrations.sandbox.accounts import Account
from integrations.sandbox.paystack.checks import Refused

PAGE_ENTRIES: Final = 50
PAGE_ENTRIES_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class Call:
    """Whose it is, and what was sent."""

    account: Account
    body: dict[str, Any]
    path: Mapping[str, str]
    """The parts of the path."""
    query: Mapping[str, str]
    home: str
    """Where the sandbox's Paystack is, for links to its pages."""


def envelope(message: str, data: object, **more: object) -> dict[str, Any]:
    return {"status": True, "message": message, "data": data, **more}


def listed(call: Call, rows: list[Any], view: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    """One page of what was made between `from` and `to`, the newest first."""
    since, until = _instant(call, "from"), _instant(call, "to")
    made = [row for row in rows if _is_within(row.created_at, since, until)]
    made.reverse()
    size = _whole(call, "perPage", PAGE_ENTRIES)
    page = _whole(call, "page", 1)
    if size > PAGE_ENTRIES_MAX:
        raise Refused(400, "perPage cannot be more than 100")
    pages = -(-len(made) // size)
    skipped = (page - 1) * size
    meta = {"total": len(made), "skipped": skipped, "perPage": size, "page": page, "pageCount": pages}
    return envelope("Retrieved", [view(row) for row in made[skipped : skipped + size]], meta=meta)


def _whole(call: Call, name: str, default: int) -> int:
    text = call.query.get(name, str(default))
    if not text.isdecimal() or int(text) < 1:
        raise Refused(400, f"{name} is invalid")
    return int(text)


def _is_within(created_at: str, since: datetime | None, until: datetime | None) -> bool:
    at = datetime.fromisoformat(created_at).replace(tzinfo=UTC)
    return (since is None or since <= at) and (until is None or at <= until)


def _instant(call: Call, name: str) -> datetime | None:
    text = call.query.get(name)
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise Refused(400, f"{name} is invalid") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)
