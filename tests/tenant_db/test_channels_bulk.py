"""Channels as a table: what is read, what is refused by row, and what never leaves."""

import csv
import io
import json

import pytest

from core.errors import InvalidInput
from core.ids import new_id
from tenant_db.channels.bulk import EXPORTED, ROWS_MAX, SECRETS, TableFormat, read_rows, safe_cell, write_rows
from tenant_db.channels.models import Channel

STORES = {"main": new_id(), "west": new_id()}
HEAD = "name,store_code,kind,environment,short_code,head_office_code,consumer_key,consumer_secret,passkey"
GOOD = "Counter,main,paybill,sandbox,600100,,key,secret,passkey"


def read(*lines: str) -> list[str]:
    """`ok`, or the field that each row is refused for."""
    rows = read_rows("\r\n".join((HEAD, *lines)), TableFormat.CSV, STORES)
    return ["ok" if row.error is None else row.error.field for row in rows]


def test_each_row_counts_by_itself() -> None:
    assert read(
        GOOD,
        "Till,west,TILL,production,600101,600200,key,secret,passkey",
        "Draft,main,buygoods,sandbox,600102",
        "No store,east,paybill,sandbox,600103",
        "Till,main,till,sandbox,600104,,key,secret,passkey",
        "Half,main,paybill,sandbox,600105,,key",
        "Kind,main,wallet,sandbox,600106",
        "Env,main,paybill,test,600107",
        ",main,paybill,sandbox,600108",
        "Short,main,paybill,sandbox,12",
        "Again,main,paybill,sandbox,600100",
    ) == [
        *("ok", "ok", "ok", "store_code", "headOfficeCode", "consumerSecret", "kind", "environment"),
        *("name", "shortCode", "short_code"),
    ]


def test_json_is_read_as_csv_is() -> None:
    rows = [dict(zip(HEAD.split(","), GOOD.split(","), strict=True)), {"name": 5, "store_code": {"a": 1}}]

    first, second = read_rows(json.dumps(rows), TableFormat.JSON, STORES)

    assert first.new is not None
    assert (first.new.short_code, first.new.store_id) == ("600100", STORES["main"])
    assert second.error is not None


@pytest.mark.parametrize(
    ("content", "table_format"),
    [
        ("", TableFormat.CSV),
        (HEAD, TableFormat.CSV),
        ("name,name\na,b", TableFormat.CSV),
        ("name,colour\na,b", TableFormat.CSV),
        ('name\n"unended', TableFormat.CSV),
        (f"{HEAD}\n" + f"{GOOD}\n" * (ROWS_MAX + 1), TableFormat.CSV),
        ("x" * 2_000_001, TableFormat.CSV),
        ("{}", TableFormat.JSON),
        ("[1]", TableFormat.JSON),
        ("[" * 50_000, TableFormat.JSON),
    ],
)
def test_what_is_no_table_is_refused_as_a_whole(content: str, table_format: TableFormat) -> None:
    with pytest.raises(InvalidInput):
        read_rows(content, table_format, STORES)


def channel(name: str) -> Channel:
    return Channel(
        id=new_id(),
        name=name,
        kind="paybill",
        environment="sandbox",
        short_code="600100",
        head_office_code=None,
        initiator_name="=operator",
        activates_itself=True,
        status="active",
    )


@pytest.mark.parametrize(
    "name", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "'=quoted", 'Mama Njeri, "the" shop']
)
def test_no_cell_is_a_formula_and_an_export_can_be_imported(name: str) -> None:
    text = write_rows([(channel(name), "main")], TableFormat.CSV)
    (heading, row) = list(csv.reader(io.StringIO(text)))

    assert heading == list(EXPORTED)
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)
    (again,) = read_rows(text, TableFormat.CSV, STORES)
    assert again.error is None or name.startswith("\t")
    assert again.new is None or again.new.name == (name.removeprefix("'") if name == "'=quoted" else name)
    assert safe_cell("plain") == "plain"


@pytest.mark.parametrize("table_format", list(TableFormat))
def test_no_secret_is_ever_exported(table_format: TableFormat) -> None:
    text = write_rows([(channel("Counter"), "main")], table_format)

    assert not any(secret in text for secret in (*SECRETS, "token"))
