"""The rows of files: exact, in order, each once, harmless to a spreadsheet, and resumable anywhere."""

import csv
import io
from datetime import timedelta
from uuid import UUID

import pytest

from core.clock import utc_now
from core.currency import Currency
from core.ids import Kind, inside, new_id, outside
from core.money import Money
from core.periods import Period
from tenancy.sessions import Tenant
from tenant_db.exports import sources, statement_rows, transfer_rows
from tenant_db.exports.cells import amount_text, csv_bytes, guarded
from tenant_db.exports.rules import ExportKind
from tenant_db.exports.sources import Subject
from tenant_db.exports.writing import csv_pieces, open_source, statement_csv
from tenant_db.ledger.accounts import Holding, available, holding, open_accounts
from tenant_db.ledger.commands import NewTransfer
from tenant_db.ledger.posting import post
from tenant_db.ledger.reversing import reverse
from tenant_db.ledger.rules import TransferKind
from tests.factories.ledger import entries_of
from tests.factories.stores import make_store

ALL_TIME = Period(utc_now() - timedelta(days=365), utc_now() + timedelta(days=365))


async def two_places(tenant: Tenant, currency: Currency = Currency.KES) -> tuple[UUID, UUID, list[UUID]]:
    """A store, a holding, and the store's accounts at two places."""
    store = await make_store(tenant, code=new_id().hex)
    holdings = [Holding.of_channel(new_id()) for _ in range(2)]
    async with tenant.transaction() as session:
        (source,) = await open_accounts(session, holding(holdings[0], currency))
        places = await open_accounts(session, *(available(store.id, place, currency) for place in holdings))
    return store.id, source, places


async def move(
    tenant: Tenant,
    source: UUID,
    destination: UUID,
    minor: int,
    reference: str = "pay_1",
    *,
    currency: Currency = Currency.KES,
) -> UUID:
    new = NewTransfer(
        source, destination, Money(minor, currency), TransferKind.SALE, reference, f"sale:{new_id()}"
    )
    async with tenant.transaction() as session:
        return (await post(session, new)).id


async def file_of(tenant: Tenant, kind: ExportKind, subject: Subject) -> list[list[str]]:
    async with tenant.reading() as session:
        source = await open_source(session, kind, subject, ALL_TIME, {})
    content = b"".join([piece.content async for piece in csv_pieces(tenant, source, is_first=True)])
    return read_csv(content)


def read_csv(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline="")))


def column(table: list[list[str]], name: str) -> list[str]:
    place = table[0].index(name)
    return [row[place] for row in table[1:]]


@pytest.mark.parametrize(
    ("minor", "exponent", "text"),
    [
        (0, 2, "0.00"),
        (5, 2, "0.05"),
        (-5, 2, "-0.05"),
        (-1_250, 2, "-12.50"),
        (7, 0, "7"),
        (-7, 0, "-7"),
        (1, 18, "0.000000000000000001"),
        (10**37 + 1, 6, "10000000000000000000000000000000.000001"),
    ],
)
def test_an_amount_is_exact(minor: int, exponent: int, text: str) -> None:
    assert amount_text(minor, exponent) == text


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_cell_is_never_a_formula(start: str) -> None:
    assert guarded(f"{start}HYPERLINK(1)") == f"'{start}HYPERLINK(1)"
    assert guarded(f"a{start}") == f"a{start}"


def test_cells_with_commas_quotes_and_lines_come_back_as_they_were() -> None:
    row = ['a "quoted", word', "two\r\nlines", "plain", "Café ☕"]

    content = csv_bytes([row])

    assert content.endswith(b"\r\n")
    assert read_csv(content) == [row]


async def test_a_statement_shows_each_entry_between_its_balances(tenant: Tenant) -> None:
    _, source, (place, _) = await two_places(tenant)
    first = await move(tenant, source, place, 1_250, '=cmd|"/c calc"!A1')
    await move(tenant, place, source, 50)

    content = b"".join([piece async for piece in statement_csv(tenant, place, ALL_TIME)])

    table = read_csv(content)
    assert table[0] == list(statement_rows.HEADER)
    assert {len(row) for row in table} == {len(statement_rows.HEADER)}
    assert column(table, "Row") == ["opening", "entry", "entry", "closing"]
    assert column(table, "In (whole units)") == ["", "12.50", "", "12.50"]
    assert column(table, "Out (whole units)") == ["", "", "0.50", "0.50"]
    assert column(table, "Balance (whole units)") == ["0.00", "12.50", "12.00", "12.00"]
    assert column(table, "Reference")[1] == '\'=cmd|"/c calc"!A1'
    assert inside(Kind.TRANSFER, column(table, "Transfer")[1]) == first
    entry = (await entries_of(tenant, place))[0]
    assert column(table, "Recorded at (UTC)")[1] == f"{entry.created_at.isoformat()[:-6]}Z"
    assert column(table, "Other account")[1].startswith("holding:chan_")


async def test_each_currency_of_a_store_opens_and_closes(tenant: Tenant) -> None:
    store_id, source, (place, other) = await two_places(tenant)
    await move(tenant, source, place, 100)
    await move(tenant, source, other, 100)
    where = Holding.of_channel(new_id())
    async with tenant.transaction() as session:
        paying, paid = await open_accounts(
            session, holding(where, Currency.JPY), available(store_id, where, Currency.JPY)
        )
    await move(tenant, paying, paid, 7, currency=Currency.JPY)

    table = await file_of(tenant, ExportKind.STATEMENT, Subject(store_id=store_id))

    assert column(table, "Row") == ["opening", "entry", "closing", "opening", "entry", "entry", "closing"]
    assert column(table, "Currency") == ["JPY"] * 3 + ["KES"] * 4
    assert column(table, "Balance (whole units)") == ["0", "7", "7", "0.00", "1.00", "2.00", "2.00"]


async def test_a_transfer_between_two_of_the_accounts_is_told_once(tenant: Tenant) -> None:
    store_id, source, (place, other) = await two_places(tenant)
    ids = [
        await move(tenant, source, place, 500),
        await move(tenant, place, other, 200),
        await move(tenant, other, source, 100),
    ]

    of_store = await file_of(tenant, ExportKind.TRANSACTIONS, Subject(store_id=store_id))
    of_place = await file_of(tenant, ExportKind.TRANSACTIONS, Subject(account_id=other))
    of_all = await file_of(tenant, ExportKind.TRANSACTIONS, Subject())

    assert of_store[0] == list(transfer_rows.HEADER)
    names = [outside(Kind.TRANSFER, id_) for id_ in ids]
    assert column(of_store, "Transfer") == column(of_all, "Transfer") == names
    assert of_store == of_all
    assert column(of_place, "Transfer") == names[1:]
    assert column(of_store, "Amount (whole units)") == ["5.00", "2.00", "1.00"]


async def test_a_reversal_names_what_it_undoes(tenant: Tenant) -> None:
    _, source, (place, _) = await two_places(tenant)
    sold = await move(tenant, source, place, 100)
    async with tenant.transaction() as session:
        await reverse(session, sold, "mistake")

    for subject in (Subject(), Subject(account_id=place)):
        table = await file_of(tenant, ExportKind.TRANSACTIONS, subject)
        assert column(table, "Reverses") == ["", outside(Kind.TRANSFER, sold)]


@pytest.mark.parametrize(
    ("kind", "whose"),
    [
        (ExportKind.STATEMENT, "account"),
        (ExportKind.STATEMENT, "store"),
        (ExportKind.TRANSACTIONS, "account"),
        (ExportKind.TRANSACTIONS, "store"),
        (ExportKind.TRANSACTIONS, "all"),
    ],
)
async def test_a_file_is_the_same_when_every_batch_is_read_by_another_run(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch, kind: ExportKind, whose: str
) -> None:
    store_id, source, places = await two_places(tenant)
    for turn in range(9):
        await move(tenant, source, places[turn % 2], 100 + turn)
    subjects = {
        "account": Subject(account_id=places[0]),
        "store": Subject(store_id=store_id),
        "all": Subject(),
    }
    whole = await file_of(tenant, kind, subjects[whose])
    for module in (sources, statement_rows, transfer_rows):
        monkeypatch.setattr(module, "BATCH_ROWS", 2)

    rows: list[list[str]] = []
    place: dict[str, object] = {}
    while True:
        async with tenant.reading() as session:
            source_ = await open_source(session, kind, subjects[whose], ALL_TIME, place)
        read = await source_.read(tenant)
        if not read:
            break
        rows += [list(row.csv()) for row in read]
        place = source_.place()

    assert rows == whole[1:]
    assert len(rows) >= 5
