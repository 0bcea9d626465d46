"""M-Pesa's organisation statement: from its bytes to lines. Pure.

Source: `columns`, most of it ASSUMED; the times' zone from M-Pesa Daraja, section 1.
"""

import re
from collections.abc import Sequence
from typing import Final
from zoneinfo import ZoneInfo

from core.currency import Currency
from core.money import Money
from tenant_db.statements import columns
from tenant_db.statements.errors import StatementMisplaced
from tenant_db.statements.parsing import (
    CellRefused,
    Cells,
    Parsed,
    ParsedLine,
    decoded,
    normal,
    parsed,
    read_instant,
    read_money,
    read_text,
    table,
)
from tenant_db.statements.rules import LineKind

_ZONE: Final = ZoneInfo(columns.MPESA_TIME_ZONE)
_KES: Final = Currency(columns.MPESA_CURRENCY)
_DIGITS: Final = re.compile(r"\d{5,7}")


def mpesa_lines(content: bytes, short_codes: frozenset[str]) -> Parsed:
    """Read a statement of the channel that has `short_codes`.

    A row's name is its receipt, kind and amount, for a payment and its charge share one receipt.

    Raises:
        StatementUnreadable: the file is no such statement.
        StatementMisplaced: its preamble names another short code.
    """
    source = table(decoded(content), columns.MPESA_REQUIRED)
    named = _short_code(source.preamble)
    if named is not None and named not in short_codes:
        raise StatementMisplaced(f"This is the statement of short code {named}, not of this channel.")
    return parsed(source, _line)


def _line(number: int, cells: Cells, digest: bytes) -> ParsedLine | None:
    if normal(read_text(cells, columns.MPESA_STATUS)) != columns.MPESA_DONE:
        return None
    receipt = read_text(cells, columns.MPESA_RECEIPT).upper()
    amount = _amount(cells)
    kind = _kind(cells)
    return ParsedLine(
        row_number=number,
        external_id=f"{receipt}:{kind}:{amount.minor}",
        kind=kind,
        reference=receipt,
        amount=amount,
        fee=Money(0, _KES),
        occurred_at=read_instant(cells, columns.MPESA_COMPLETED, columns.MPESA_TIMES, _ZONE),
        description=cells[columns.MPESA_DETAILS],
        counterparty=cells.get(columns.MPESA_PARTY, ""),
        digest=digest,
    )


def _amount(cells: Cells) -> Money:
    """Paid in is positive; withdrawn is negative, whether the export writes its sign or not."""
    paid_in = read_money(cells, columns.MPESA_PAID_IN, _KES)
    withdrawn = read_money(cells, columns.MPESA_WITHDRAWN, _KES)
    if bool(paid_in.minor) is bool(withdrawn.minor):
        raise CellRefused(columns.MPESA_PAID_IN, "A row has either what was paid in or what was withdrawn.")
    if paid_in.minor < 0:
        raise CellRefused(columns.MPESA_PAID_IN, "What was paid in is less than nothing.")
    return Money(paid_in.minor - abs(withdrawn.minor), _KES)


def _kind(cells: Cells) -> LineKind:
    said = f"{cells.get(columns.MPESA_REASON, '')} {cells[columns.MPESA_DETAILS]}".casefold()
    return next((kind for word, kind in columns.MPESA_KINDS if word in said), LineKind.OTHER)


def _short_code(preamble: Sequence[Sequence[str]]) -> str | None:
    for row in preamble:
        for place, cell in enumerate(row):
            if normal(cell).startswith(columns.MPESA_SHORT_CODE):
                found = _DIGITS.search(" ".join(row[place:]))
                return None if found is None else found.group()
    return None
