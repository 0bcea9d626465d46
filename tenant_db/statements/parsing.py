"""From the bytes of a statement to its lines, with what is wrong in each row. Pure."""

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from hashlib import sha256
from io import StringIO
from typing import Final

from core.currency import Currency
from core.errors import InvalidInput
from core.money import Money
from tenant_db.statements.errors import StatementUnreadable
from tenant_db.statements.rules import FILE_BYTES_MAX, ROWS_MAX, LineKind

PREAMBLE_ROWS_MAX: Final = 30
CELL_CHARACTERS_MAX: Final = 500
_AMOUNT: Final = re.compile(r"[-+]?(\d{1,3}(,\d{3})+|\d+)(\.\d+)?\Z")

Cells = Mapping[str, str]
"""A row by the names of its columns, as `normal` writes them."""


@dataclass(frozen=True, slots=True)
class ParsedLine:
    """One row that moved money."""

    row_number: int
    external_id: str
    kind: LineKind
    reference: str
    amount: Money
    """Signed: what came in is positive."""
    fee: Money
    occurred_at: datetime
    description: str
    counterparty: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class RowError:
    """What is wrong in one row."""

    row_number: int
    """As a spreadsheet counts: the file's first row is 1."""
    column: str
    message: str


@dataclass(slots=True)
class Parsed:
    """A file's lines in its order, and the rows that are none."""

    lines: list[ParsedLine] = field(default_factory=list)
    errors: list[RowError] = field(default_factory=list)
    row_count: int = 0
    """Rows below the headings, those that moved nothing included."""


class CellRefused(ValueError):
    """A cell can't be read."""

    def __init__(self, column: str, message: str) -> None:
        super().__init__(message)
        self.column = column
        self.message = message


@dataclass(frozen=True, slots=True)
class Table:
    """A file's headings and rows, and the few rows before them."""

    preamble: Sequence[Sequence[str]]
    columns: Sequence[str]
    rows: Iterator[tuple[int, list[str]]]


ReadRow = Callable[[int, Cells, bytes], ParsedLine | None]
"""Makes a line of a row; None where no money moved. Raises CellRefused."""


def decoded(content: bytes) -> str:
    """The text of a file. Raises StatementUnreadable: it is too large, or no UTF-8."""
    if len(content) > FILE_BYTES_MAX:
        raise StatementUnreadable(f"A statement has at most {FILE_BYTES_MAX // 1_000_000} MB: split it.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise StatementUnreadable("This is no text in UTF-8. Export the statement as CSV.") from error


def table(text: str, *headings: Sequence[str]) -> Table:
    """Find the headings, of which one of the given sets must all be there.

    Raises:
        StatementUnreadable: none of the first rows has them.
    """
    rows = enumerate(csv.reader(StringIO(text, newline="")), start=1)
    preamble: list[Sequence[str]] = []
    for _, row in _lenient(rows):
        columns = [normal(cell) for cell in row]
        if any(set(wanted) <= set(columns) for wanted in headings):
            return Table(preamble, columns, rows)
        preamble.append(row)
        if len(preamble) > PREAMBLE_ROWS_MAX:
            break
    wanted = ", ".join(headings[0])
    raise StatementUnreadable(f"No row has the headings of this provider's statement: {wanted}.")


def parsed(source: Table, read: ReadRow) -> Parsed:
    """Read every row; what is wrong with one is told, and the others are read on.

    Raises:
        StatementUnreadable: it has more rows than a statement may have, or breaks off.
    """
    found = Parsed()
    seen: dict[str, bytes] = {}
    for number, row in _lenient(source.rows):
        if not any(cell.strip() for cell in row):
            continue
        found.row_count += 1
        if found.row_count > ROWS_MAX:
            raise StatementUnreadable(f"A statement has at most {ROWS_MAX} rows: split it by its period.")
        try:
            line = _line(source.columns, number, row, read)
            if line is not None and _is_new(line, seen):
                found.lines.append(line)
        except CellRefused as refused:
            found.errors.append(RowError(number, refused.column, refused.message))
    return found


def _line(columns: Sequence[str], number: int, row: list[str], read: ReadRow) -> ParsedLine | None:
    if len(row) < len(columns):
        raise CellRefused("", f"The row has {len(row)} cells, and the headings {len(columns)}.")
    digest = sha256("\x1f".join(row).encode()).digest()
    cells = {name: cell.strip()[:CELL_CHARACTERS_MAX] for name, cell in zip(columns, row, strict=False)}
    return read(number, cells, digest)


def _is_new(line: ParsedLine, seen: dict[str, bytes]) -> bool:
    """The same row twice in a file is one line; another row of the same name is an error."""
    earlier = seen.setdefault(line.external_id, line.digest)
    if earlier is line.digest:
        return True
    if earlier != line.digest:
        raise CellRefused("", f"{line.external_id} stands in this file twice, with different content.")
    return False


def _lenient(rows: Iterator[tuple[int, list[str]]]) -> Iterator[tuple[int, list[str]]]:
    try:
        yield from rows
    except csv.Error as error:
        raise StatementUnreadable(f"The file breaks off or is no CSV: {error}.") from error


def normal(heading: str) -> str:
    """A heading as it is compared."""
    return " ".join(heading.strip().rstrip(".").casefold().split())


def read_text(cells: Cells, column: str) -> str:
    """Raises CellRefused where it is empty."""
    value = cells.get(column, "")
    if not value:
        raise CellRefused(column, "This cell is empty.")
    return value


def read_money(cells: Cells, column: str, currency: Currency) -> Money:
    """An amount in whole units, with thousands separators or not; an empty cell is nothing.

    Raises:
        CellRefused: it is no amount of this currency.
    """
    value = cells.get(column, "")
    if not value:
        return Money(0, currency)
    if _AMOUNT.match(value) is None:
        raise CellRefused(column, f"This is no amount: {value[:40]}. Write 1,250.00.")
    try:
        return Money.of_major(Decimal(value.replace(",", "")), currency)
    except InvalidInput as error:
        raise CellRefused(column, error.message) from error


def read_currency(cells: Cells, column: str) -> Currency:
    """Raises CellRefused where it is none that the platform knows."""
    value = read_text(cells, column).upper()
    try:
        return Currency(value)
    except ValueError as error:
        raise CellRefused(column, f"The platform knows no currency {value[:10]}.") from error


def read_instant(cells: Cells, column: str, formats: Sequence[str], zone: tzinfo) -> datetime:
    """A local time of `zone`, in UTC. Raises CellRefused where no format fits."""
    value = read_text(cells, column)
    for form in formats:
        try:
            return datetime.strptime(value, form).replace(tzinfo=zone).astimezone(UTC)
        except ValueError:
            continue
    raise CellRefused(
        column,
        f"This is no time: {value[:40]}. Write it as {datetime(2026, 1, 31, tzinfo=UTC):{formats[0]}}.",
    )
