"""Providers' exports become lines: exact amounts, times in their own zone, and what is wrong in each row."""

from datetime import UTC, datetime
from typing import Final

import pytest

from core.currency import Currency
from core.money import Money
from tenant_db.statements.errors import StatementMisplaced, StatementUnreadable
from tenant_db.statements.mpesa_lines import mpesa_lines
from tenant_db.statements.parsing import ParsedLine
from tenant_db.statements.rules import FILE_BYTES_MAX, ROWS_MAX, LineKind
from tenant_db.statements.stripe_lines import stripe_lines
from tests.factories.statements import API, MPESA, REPORT, SHORT_CODE, mpesa

CODES: Final = frozenset({SHORT_CODE})
PAID: Final = (
    'TKX0000001,21-11-2026 10:30:15,21-11-2026 10:30:10,"Pay Bill from 2547 ***** 001 Acc. A1",Completed,'
    '"1,500.00",,"21,500.00",true,Pay Bill,2547 ***** 001 - JANE DOE,,A1'
)


def only(content: bytes) -> ParsedLine:
    found = mpesa_lines(content, CODES)
    assert found.errors == []
    (line,) = found.lines
    return line


def test_a_payment_is_read_as_it_was_written() -> None:
    line = only(mpesa(PAID))

    assert (line.reference, line.kind, line.amount) == (
        "TKX0000001",
        LineKind.PAYMENT,
        Money(150_000, Currency.KES),
    )
    assert line.occurred_at == datetime(2026, 11, 21, 7, 30, 15, tzinfo=UTC)
    assert (line.row_number, line.counterparty) == (6, "2547 ***** 001 - JANE DOE")
    assert line.fee == Money(0, Currency.KES)


@pytest.mark.parametrize("written", ["5.50", "-5.50"])
def test_what_was_withdrawn_is_negative_whatever_its_sign(written: str) -> None:
    row = f"TKX0000001,2026-11-21 10:30:15,,Pay merchant Charge,Completed,,{written},0,true,,,,"

    line = only(mpesa(row))

    assert (line.kind, line.amount) == (LineKind.FEE, Money(-550, Currency.KES))


def test_a_payment_and_its_charge_share_a_receipt_and_are_two_lines() -> None:
    charge = "TKX0000001,21-11-2026 10:30:15,,Pay merchant Charge,Completed,,5.50,0,true,,,,"

    found = mpesa_lines(mpesa(PAID, charge), CODES)

    assert len({line.external_id for line in found.lines}) == 2
    assert {line.reference for line in found.lines} == {"TKX0000001"}


def test_the_same_row_twice_is_one_line_and_failed_rows_moved_nothing() -> None:
    failed = PAID.replace("Completed", "Failed").replace("0001,", "0009,", 1)

    found = mpesa_lines(mpesa(PAID, PAID, failed, ""), CODES)

    assert (len(found.lines), found.errors, found.row_count) == (1, [], 3)


@pytest.mark.parametrize(
    ("row", "column"),
    [
        (PAID.replace('"1,500.00"', "1500.001"), "paid in"),
        (PAID.replace('"1,500.00"', '"1,50.00"'), "paid in"),
        (PAID.replace('"1,500.00"', "1.5e3"), "paid in"),
        (PAID.replace('"1,500.00"', "-1500"), "paid in"),
        (PAID.replace('"1,500.00"', ""), "paid in"),
        (PAID.replace('"1,500.00",', "1500,5.50"), "paid in"),
        (PAID.replace("21-11-2026 10:30:15", "31-11-2026 10:30:15"), "completion time"),
        (PAID.replace("21-11-2026 10:30:15", "yesterday"), "completion time"),
        (PAID.replace("TKX0000001", ""), "receipt no"),
        (PAID.replace("Completed", ""), "transaction status"),
        ("TKX0000001,21-11-2026 10:30:15", ""),
    ],
)
def test_what_is_wrong_in_a_row_is_told_and_the_others_are_read(row: str, column: str) -> None:
    good = PAID.replace("0001,", "0002,", 1)

    found = mpesa_lines(mpesa(row, good), CODES)

    assert [(error.row_number, error.column) for error in found.errors] == [(6, column)]
    assert found.errors[0].message
    assert [line.reference for line in found.lines] == ["TKX0000002"]


def test_one_name_with_two_contents_is_an_error() -> None:
    found = mpesa_lines(mpesa(PAID, PAID.replace("21,500.00", "99,999.00")), CODES)

    assert (len(found.lines), [error.row_number for error in found.errors]) == (1, [7])


def test_a_statement_of_another_short_code_is_misplaced() -> None:
    with pytest.raises(StatementMisplaced, match=SHORT_CODE):
        mpesa_lines(mpesa(PAID), frozenset({"600100"}))


def test_a_file_without_a_preamble_is_read_too() -> None:
    content = f"{MPESA}\n{PAID}\n".encode("utf-8-sig")

    assert len(mpesa_lines(content, frozenset({"600100"})).lines) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"Receipt No.,Paid In\nTKX0000001,5\n",
        b"x" * (FILE_BYTES_MAX + 1),
        f"{MPESA}\n".encode() + f"{PAID}\n".encode() * (ROWS_MAX + 1),
        f'{MPESA}\n"'.encode() + b"x" * 200_000,
    ],
    ids=["empty", "no text", "other headings", "too large", "too many rows", "too long a cell"],
)
def test_a_file_that_is_no_statement_is_refused_as_a_whole(content: bytes) -> None:
    with pytest.raises(StatementUnreadable):
        mpesa_lines(content, CODES)


CHARGE: Final = "txn_1,1500,74,1426,kes,charge,charge,ch_1,1795246212,1795246212,available,Order 1042"


def test_stripe_s_own_fields_are_in_its_smallest_unit() -> None:
    found = stripe_lines(f"{API}\n{CHARGE}\n".encode())

    (line,) = found.lines
    assert found.errors == []
    assert (line.external_id, line.reference, line.kind) == ("txn_1", "ch_1", LineKind.PAYMENT)
    assert (line.amount, line.fee) == (Money(1_500, Currency.KES), Money(74, Currency.KES))
    assert line.occurred_at == datetime.fromtimestamp(1_795_246_212, UTC)


@pytest.mark.parametrize(
    ("code", "written", "minor"),
    [("ugx", 500, 5), ("jpy", 500, 500), ("kwd", 1_230, 1_230), ("usd", 500, 500)],
)
def test_stripe_s_smallest_unit_is_not_always_ours(code: str, written: int, minor: int) -> None:
    row = f"txn_1,{written},0,{written},{code},charge,charge,ch_1,1795246212,0,available,"

    (line,) = stripe_lines(f"{API}\n{row}\n".encode()).lines

    assert line.amount.minor == minor


def test_the_dashboard_s_export_is_in_whole_units_and_utc() -> None:
    row = 'txn_1,charge,ch_1,"1,015.00",0.74,,,"1,014.26",usd,2026-11-21 10:30,2026-11-23 00:00,Order 1042'
    payout = "txn_2,payout,po_1,-500.00,0.00,,,-500.00,usd,2026-11-22 10:30,2026-11-23 00:00,STRIPE PAYOUT"

    found = stripe_lines(f"{REPORT}\n{row}\n{payout}\n".encode())

    assert [(line.amount.minor, line.fee.minor, line.kind) for line in found.lines] == [
        (101_500, 74, LineKind.PAYMENT),
        (-50_000, 0, LineKind.PAYOUT),
    ]
    assert found.lines[0].occurred_at == datetime(2026, 11, 21, 10, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("row", "column"),
    [
        (CHARGE.replace("1426", "1427"), "net"),
        (CHARGE.replace(",kes,", ",xyz,"), "currency"),
        (CHARGE.replace(",1500,", ",15.00,"), "amount"),
        (CHARGE.replace("1500,74,1426,kes", "550,0,550,ugx"), "amount"),
        (CHARGE.replace("txn_1", ""), "id"),
        (CHARGE.replace(",1795246212,1", ",soon,1", 1), "created"),
    ],
)
def test_what_is_wrong_in_a_row_of_stripe_is_told(row: str, column: str) -> None:
    (error,) = stripe_lines(f"{API}\n{row}\n".encode()).errors

    assert (error.row_number, error.column) == (2, column)
