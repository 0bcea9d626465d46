"""Channels as rows of a table: read from CSV or JSON, and written without any secret."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from core.errors import DomainError, InvalidInput
from tenant_db.channels.adding import NewChannel
from tenant_db.channels.machine import ChannelKind, Environment
from tenant_db.channels.models import Channel
from tenant_db.channels.rules import MpesaKeys, OperatorKeys

ROWS_MAX: Final = 1_000
TEXT_CHARACTERS_MAX: Final = 2_000_000
CELL_CHARACTERS_MAX: Final = 1_000
SHOWN: Final = ("name", "store_code", "kind", "environment", "short_code", "head_office_code")
FLAGS: Final = ("activates_itself",)
OPERATOR: Final = ("initiator_name",)
SECRETS: Final = ("consumer_key", "consumer_secret", "passkey", "initiator_password")
COLUMNS: Final = (*SHOWN, *FLAGS, *OPERATOR, *SECRETS)
EXPORTED: Final = (*SHOWN, *FLAGS, *OPERATOR, "status")
FORMULA_SIGNS: Final = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet takes a cell that begins so for a formula."""
_YES: Final = ("true", "yes", "1")
_NO: Final = ("false", "no", "0", "")


class TableFormat(StrEnum):
    """How a table of channels is written."""

    CSV = "csv"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of an import: a channel to add, or why it can't be."""

    number: int
    """From 1; the heading of a CSV does not count."""
    short_code: str
    new: NewChannel | None
    error: InvalidInput | None


def read_rows(content: str, table_format: TableFormat, stores: Mapping[str, UUID]) -> list[Row]:
    """Read a table of channels; each row that can't be is told apart, and the others still count.

    `stores` are the tenant's, by their code. Columns: name, store_code, kind, environment, short_code,
    head_office_code, activates_itself, initiator_name and the secrets consumer_key, consumer_secret,
    passkey and initiator_password. Those that are left out, and empty cells, are not given.

    Raises:
        InvalidInput: it is no such table, or it has more than ROWS_MAX rows.
    """
    if len(content) > TEXT_CHARACTERS_MAX:
        raise InvalidInput("content", f"A table has at most {TEXT_CHARACTERS_MAX} characters.")
    rows = _csv(content) if table_format is TableFormat.CSV else _json(content)
    if not 1 <= len(rows) <= ROWS_MAX:
        raise InvalidInput("content", f"A table has 1 to {ROWS_MAX} rows.")
    read = [_row(number, cells, stores) for number, cells in enumerate(rows, 1)]
    return _without_repeats(read)


def write_rows(channels: Sequence[tuple[Channel, str]], table_format: TableFormat) -> str:
    """Channels with the codes of their stores as a table; it holds no secret and no address of a hook."""
    rows = [_shown(channel, store_code) for channel, store_code in channels]
    if table_format is TableFormat.JSON:
        return json.dumps(rows, indent=2, ensure_ascii=False)
    stream = io.StringIO()
    writer = csv.DictWriter(stream, EXPORTED, lineterminator="\r\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: safe_cell(value) for name, value in row.items()})
    return stream.getvalue()


def safe_cell(value: str) -> str:
    """A cell that no spreadsheet takes for a formula: read back, its apostrophe is dropped."""
    return f"'{value}" if value.startswith(FORMULA_SIGNS) else value


def _shown(channel: Channel, store_code: str) -> dict[str, str]:
    return {
        "name": channel.name,
        "store_code": store_code,
        "kind": channel.kind,
        "environment": channel.environment,
        "short_code": channel.short_code,
        "head_office_code": channel.head_office_code or "",
        "activates_itself": "true" if channel.activates_itself else "false",
        "initiator_name": channel.initiator_name or "",
        "status": channel.status,
    }


def _csv(content: str) -> list[dict[str, str]]:
    reader = csv.reader(io.StringIO(content.removeprefix("\ufeff")), strict=True)
    try:
        lines = [line for line in reader if any(cell.strip() for cell in line)]
    except csv.Error as error:
        raise InvalidInput("content", f"This is no CSV: {error}.") from error
    if not lines:
        raise InvalidInput("content", "The table is empty.")
    names = [name.strip().lower() for name in lines[0]]
    _require_columns(names)
    return [dict(zip(names, line, strict=False)) for line in lines[1:]]


def _json(content: str) -> list[dict[str, str]]:
    try:
        rows = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InvalidInput("content", "This is no JSON.") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InvalidInput("content", "Give a list of objects.")
    for row in rows[:ROWS_MAX]:
        _require_columns(list(row))
    return [{name: _text(value) for name, value in row.items()} for row in rows]


def _text(value: Any) -> str:  # noqa: ANN401 - what JSON holds
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value)
    # What can't be a cell is refused as one that is too long.
    return "" if value is None else "?" * (CELL_CHARACTERS_MAX + 1)


def _require_columns(names: list[str]) -> None:
    unknown = [name for name in names if name not in (*COLUMNS, "status")]
    if unknown or len(set(names)) != len(names):
        raise InvalidInput("content", f"The columns are {', '.join(COLUMNS)}.")


def _row(number: int, cells: Mapping[str, str], stores: Mapping[str, UUID]) -> Row:
    short_code = _unquoted(cells.get("short_code", ""))[:20]
    try:
        return Row(number, short_code, _new(cells, stores), None)
    except InvalidInput as error:
        return Row(number, short_code, None, error)


def _new(cells: Mapping[str, str], stores: Mapping[str, UUID]) -> NewChannel:
    for name, cell in cells.items():
        if len(cell) > CELL_CHARACTERS_MAX:
            raise InvalidInput(name, f"A cell has at most {CELL_CHARACTERS_MAX} characters.")
    given = {name: _unquoted(cells.get(name, "")) for name in COLUMNS}
    store_id = stores.get(given["store_code"])
    if store_id is None:
        raise InvalidInput("store_code", f"There is no store with the code {given['store_code']!r}.")
    return NewChannel(
        store_id=store_id,
        name=given["name"],
        kind=_member(ChannelKind, "kind", given["kind"]),
        environment=_member(Environment, "environment", given["environment"]),
        short_code=given["short_code"],
        head_office_code=given["head_office_code"] or None,
        keys=_keys(given),
        operator=_operator(given),
        activates_itself=_flag(given["activates_itself"]),
    )


def _keys(given: Mapping[str, str]) -> MpesaKeys | None:
    keys = (given["consumer_key"], given["consumer_secret"], given["passkey"])
    # A row without any key is a draft; one with some of them is a mistake.
    return MpesaKeys(*keys) if any(keys) else None


def _operator(given: Mapping[str, str]) -> OperatorKeys | None:
    if not given["initiator_password"]:
        return None
    return OperatorKeys(given["initiator_name"], given["initiator_password"])


def _member(kind: type[Any], name: str, value: str) -> Any:  # noqa: ANN401 - a member of `kind`
    try:
        return kind(value.lower())
    except ValueError as error:
        known = ", ".join(member.value for member in kind)
        raise InvalidInput(name, f"{name} is one of {known}.") from error


def _flag(value: str) -> bool:
    if value.lower() not in (*_YES, *_NO):
        raise InvalidInput("activates_itself", "activates_itself is true or false.")
    return value.lower() in _YES


def _unquoted(cell: str) -> str:
    """What a person meant: without outer spaces, and without the sign that an export puts before formulas."""
    trimmed = cell.strip()
    return trimmed[1:] if trimmed.startswith(tuple(f"'{sign}" for sign in FORMULA_SIGNS)) else trimmed


def _without_repeats(rows: Sequence[Row]) -> list[Row]:
    seen: set[tuple[Environment, str]] = set()
    checked = []
    for row in rows:
        place = None if row.new is None else (row.new.environment, row.new.short_code)
        if place is not None and place in seen:
            error = InvalidInput("short_code", "An earlier row has this short code.")
            checked.append(Row(row.number, row.short_code, None, error))
            continue
        if place is not None:
            seen.add(place)
        checked.append(row)
    return checked


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one row."""

    number: int
    short_code: str
    channel: Channel | None
    """None where it was refused, or only tried out."""
    refusal: DomainError | None
