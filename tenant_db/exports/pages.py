"""What a PDF of an export shows: fewer columns than its CSV, in local time, with thousands apart."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from core.ids import Kind, outside
from tenant_db.exports.cells import amount_text
from tenant_db.exports.drawing import Column, Document, DrawnLine
from tenant_db.exports.models import Export
from tenant_db.exports.report_rows import ReportRow
from tenant_db.exports.rules import ExportKind
from tenant_db.exports.sources import Row
from tenant_db.exports.statement_rows import BalanceRow, EntryRow
from tenant_db.exports.transfer_rows import TransferRow

STATEMENT_COLUMNS: Final = (
    Column("Recorded at", 0.175),
    Column("Kind", 0.105),
    Column("Reference", 0.29),
    Column("In", 0.14, is_amount=True),
    Column("Out", 0.14, is_amount=True),
    Column("Balance", 0.15, is_amount=True),
)
TRANSFER_COLUMNS: Final = (
    Column("Recorded at", 0.175),
    Column("Kind", 0.1),
    Column("Reference", 0.22),
    Column("From", 0.165),
    Column("To", 0.165),
    Column("Amount", 0.175, is_amount=True),
)
REPORT_COLUMNS: Final = (
    Column("Place", 0.24),
    Column("Provider", 0.1),
    Column("Sales", 0.1, is_amount=True),
    Column("Gross", 0.15, is_amount=True),
    Column("Fees", 0.13, is_amount=True),
    Column("Refunds", 0.13, is_amount=True),
    Column("Net", 0.15, is_amount=True),
)
COLUMNS: Final = {
    ExportKind.STATEMENT: STATEMENT_COLUMNS,
    ExportKind.TRANSACTIONS: TRANSFER_COLUMNS,
    ExportKind.REPORT: REPORT_COLUMNS,
}
TITLES: Final = {
    ExportKind.STATEMENT: "Statement",
    ExportKind.TRANSACTIONS: "Transactions",
    ExportKind.REPORT: "Financial report",
}
NOTHING: Final = "Nothing was recorded in this period."


def document_of(export: Export, business: str, subject: str, rows: Sequence[Row], now: datetime) -> Document:
    """The pages of an export; `subject` names whose it is, for people."""
    kind, zone = ExportKind(export.kind), ZoneInfo(export.time_zone)
    columns = COLUMNS[kind]
    lines = [line for row in rows for line in _lines(row, zone)]
    empty = DrawnLine((NOTHING, *[""] * (len(columns) - 1)))
    return Document(
        title=TITLES[kind],
        business=business,
        facts=[
            ("For", subject),
            ("Period", f"{_local(export.since, zone)}, up to {_local(export.before, zone)}"),
            ("Time zone", export.time_zone),
            ("Made at", _local(now, zone)),
        ],
        columns=_wide(columns) if not lines else columns,
        lines=lines or [empty],
        footnote=f"{business} · {outside(Kind.EXPORT, export.id)}",
    )


def _lines(row: Row, zone: ZoneInfo) -> Sequence[DrawnLine]:
    match row:
        case EntryRow():
            return [_entry_line(row, zone)]
        case BalanceRow():
            return _balance_lines(row, zone)
        case TransferRow():
            return [_transfer_line(row, zone)]
        case ReportRow():
            return [_report_line(row)]
    raise ValueError(f"{type(row).__name__} is no row that has a place on a page")


def _entry_line(row: EntryRow, zone: ZoneInfo) -> DrawnLine:
    entry, change = row.entry, row.entry.change_minor
    moved = grouped(amount_text(abs(change), row.exponent))
    return DrawnLine(
        (
            _local(entry.created_at, zone),
            entry.kind,
            entry.reference,
            moved if change > 0 else "",
            moved if change <= 0 else "",
            grouped(amount_text(row.balance_minor, row.exponent)),
        )
    )


def _balance_lines(row: BalanceRow, zone: ZoneInfo) -> Sequence[DrawnLine]:
    """An empty line after a closing balance: another currency may follow."""
    amounts = [
        "" if minor is None else grouped(amount_text(minor, row.currency.exponent))
        for minor in (row.incoming_minor, row.outgoing_minor, row.balance_minor)
    ]
    line = DrawnLine(
        (
            _local(row.at, zone),
            row.name.capitalize(),
            f"{row.name.capitalize()} balance, {row.currency}",
            *amounts,
        ),
        is_strong=True,
    )
    return [line] if row.name == "opening" else [line, DrawnLine([""] * len(STATEMENT_COLUMNS))]


def _transfer_line(row: TransferRow, zone: ZoneInfo) -> DrawnLine:
    amount = grouped(amount_text(row.amount_minor, row.currency.exponent))
    return DrawnLine(
        (
            _local(row.created_at, zone),
            row.kind,
            row.reference,
            row.source_code,
            row.destination_code,
            f"{row.currency} {amount}",
        )
    )


def _report_line(row: ReportRow) -> DrawnLine:
    place, provider, currency, count, *amounts = row.csv()
    shown = [f"{currency} {grouped(amount)}" for amount in amounts]
    return DrawnLine((place, provider, count, *shown))


def grouped(amount: str) -> str:
    """An amount's text with its thousands apart: `-1,234,567.80`."""
    sign, digits = ("-", amount[1:]) if amount.startswith("-") else ("", amount)
    whole, point, fraction = digits.partition(".")
    return f"{sign}{int(whole):,}{point}{fraction}"


def _local(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S}"


def _wide(columns: Sequence[Column]) -> Sequence[Column]:
    """The first column with room for a sentence."""
    return (Column(columns[0].name, 1.0), *[Column("", 0.0) for _ in columns[1:]])
