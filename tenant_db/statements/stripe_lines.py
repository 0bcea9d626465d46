"""Stripe's balance transactions as CSV: from their bytes to lines. Pure.

Two exports are read: fields named as the API names them, with amounts in Stripe's smallest unit,
and the dashboard's, with amounts in whole units.

Source: Stripe sheet, sections 2 and 9; `columns` for what is ASSUMED.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final

from core.currency import Currency
from core.money import Money
from tenant_db.statements import columns
from tenant_db.statements.parsing import (
    CellRefused,
    Cells,
    Parsed,
    ParsedLine,
    decoded,
    parsed,
    read_currency,
    read_instant,
    read_money,
    read_text,
    table,
)
from tenant_db.statements.rules import LineKind

_WHOLE: Final = re.compile(r"-?\d{1,18}\Z")
_SECONDS: Final = re.compile(r"\d{9,11}\Z")

ReadAmount = Callable[[Cells, str, Currency], Money]


def stripe_lines(content: bytes) -> Parsed:
    """Read an export of balance transactions. Raises StatementUnreadable: the file is none."""
    source = table(decoded(content), columns.STRIPE_API_REQUIRED, columns.STRIPE_REPORT_REQUIRED)
    if set(columns.STRIPE_API_REQUIRED) <= set(source.columns):
        return parsed(source, partial(_line, _smallest, "created"))
    return parsed(source, partial(_line, read_money, "created (utc)"))


def _line(amount_of: ReadAmount, created: str, number: int, cells: Cells, digest: bytes) -> ParsedLine:
    currency = read_currency(cells, "currency")
    for column in ("amount", "fee", "net"):
        read_text(cells, column)
    amount, fee, net = (amount_of(cells, column, currency) for column in ("amount", "fee", "net"))
    if amount - fee != net:
        raise CellRefused("net", "The net is not the amount less the fee.")
    id_ = read_text(cells, columns.STRIPE_ID)
    return ParsedLine(
        row_number=number,
        external_id=id_,
        kind=columns.STRIPE_KINDS.get(read_text(cells, "type").casefold(), LineKind.OTHER),
        reference=cells["source"] or id_,
        amount=amount,
        fee=fee,
        occurred_at=_instant(cells, created),
        description=cells.get("description", ""),
        counterparty="",
        digest=digest,
    )


def _smallest(cells: Cells, column: str, currency: Currency) -> Money:
    """An amount in Stripe's smallest unit, which is not always ours; exact, or refused."""
    value = read_text(cells, column)
    if _WHOLE.match(value) is None:
        raise CellRefused(column, f"This is no whole number of the smallest unit: {value[:40]}.")
    per_ours = columns.STRIPE_MINOR_PER_OURS.get(currency.value, 1)
    minor, rest = divmod(int(value), per_ours)
    if rest:
        raise CellRefused(column, f"Stripe counts {currency} in hundredths that must end in 00.")
    return Money(minor, currency)


def _instant(cells: Cells, column: str) -> datetime:
    value = read_text(cells, column)
    if _SECONDS.match(value):
        return datetime.fromtimestamp(int(value), UTC)
    return read_instant(cells, column, columns.STRIPE_TIMES, UTC)
