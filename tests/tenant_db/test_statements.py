"""Statements: opening and all entries are closing, whatever was posted and wherever the period is cut."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from core.clock import utc_now
from core.currency import Currency
from core.ids import new_id
from core.money import Money
from core.pages import Cursor, PageRequest
from core.periods import Period
from tenancy.sessions import Tenant
from tenant_db.ledger.accounts import Holding, available, holding, open_accounts
from tenant_db.ledger.models import Entry, LedgerAccount
from tenant_db.ledger.posting import post
from tenant_db.ledger.rules import NormalSide
from tenant_db.ledger.statement_entries import Line, entries_after, lines
from tenant_db.ledger.statements import Statement, account_statement, store_statements, turnover
from tests.factories.ledger import entries_of, make_account, sale
from tests.factories.stores import make_store

LONG_AGO = utc_now() - timedelta(days=365)
ALL_TIME = Period(LONG_AGO, LONG_AGO + timedelta(days=3_650))


@dataclass(frozen=True, slots=True)
class Books:
    """A store with money at two places, and everything that was posted, in order."""

    store_id: UUID
    places: Sequence[UUID]
    """Ledger accounts of the store."""
    outside: UUID


async def make_books(tenant: Tenant, amounts: Sequence[tuple[int, int, bool]]) -> Books:
    """One transfer for each (amount, place, whether it comes in); what goes out was there before."""
    store = await make_store(tenant, code=new_id().hex)
    holdings = [Holding.of_channel(new_id()) for _ in range(2)]
    async with tenant.transaction() as session:
        places = await open_accounts(
            session, *(available(store.id, place, Currency.KES) for place in holdings)
        )
        (source,) = await open_accounts(session, holding(holdings[0], Currency.KES))
    for place in places:
        await move(tenant, source, place, 1_000_000)
    for amount, number, comes_in in amounts:
        paying, paid = (source, places[number]) if comes_in else (places[number], source)
        await move(tenant, paying, paid, amount)
    return Books(store.id, places, source)


async def move(tenant: Tenant, source: UUID, destination: UUID, amount_minor: int) -> None:
    async with tenant.transaction() as session:
        await post(session, sale(source, destination, amount_minor, key=f"sale:{new_id()}"))


async def statement_of(tenant: Tenant, books: Books, period: Period) -> Statement:
    async with tenant.reading() as session:
        (found,) = await store_statements(session, books.store_id, period)
    return found


async def all_lines(tenant: Tenant, statement: Statement, first: int) -> list[Line]:
    """Every line, in pages of `first`."""
    found: list[Line] = []
    after: Cursor | None = None
    while True:
        page = await lines(tenant, statement, PageRequest(first, after))
        found += page.rows
        if not page.has_next:
            return found
        after = Cursor(found[-1].created_at, found[-1].id)


async def test_a_statement_begins_and_ends_with_what_was_there(tenant: Tenant) -> None:
    books = await make_books(tenant, [(100, 0, True), (250, 1, True), (30, 0, False)])
    first, second, third = await entries_of(tenant, books.places[0])

    async with tenant.reading() as session:
        found = await account_statement(session, books.places[0], Period(second.created_at, third.created_at))
    assert found is not None
    (line,) = await all_lines(tenant, found, 10)

    assert first.balance_after_minor == 1_000_000
    assert (found.opening, found.closing) == (Money(1_000_000, Currency.KES), Money(1_000_100, Currency.KES))
    assert (found.entry_count, line.entry.sequence, line.balance_minor) == (1, 2, 1_000_100)
    assert line.entry.other_id == books.outside


async def test_a_period_without_entries_opens_and_closes_with_the_same(tenant: Tenant) -> None:
    books = await make_books(tenant, [])
    (first,) = await entries_of(tenant, books.places[0])
    before = Period(LONG_AGO, first.created_at)
    after = Period(first.created_at + timedelta(microseconds=1), utc_now() + timedelta(days=1))

    async with tenant.reading() as session:
        earlier = await account_statement(session, books.places[0], before)
        later = await account_statement(session, books.places[0], after)

    assert earlier is not None
    assert later is not None
    assert (earlier.opening.minor, earlier.closing.minor, earlier.entry_count) == (0, 0, 0)
    assert (later.opening.minor, later.closing.minor, later.entry_count) == (1_000_000, 1_000_000, 0)


async def test_shards_of_one_account_are_one_statement(tenant: Tenant) -> None:
    whole = await make_account(tenant, "holding:1", side=NormalSide.DEBIT)
    async with tenant.transaction() as session:
        account = await session.get_one(LedgerAccount, whole)
        shard = LedgerAccount(
            id=new_id(), code=account.code, currency=account.currency, shard=1, normal_side="debit"
        )
        session.add(shard)
    target = await make_account(tenant, "store:1:available:1")
    for source in (whole, shard.id, whole):
        await move(tenant, source, target, 100)

    async with tenant.reading() as session:
        found = await account_statement(session, shard.id, ALL_TIME)
    assert found is not None

    assert found.closing == Money(300, Currency.KES)
    assert [line.balance_minor for line in await all_lines(tenant, found, 2)] == [100, 200, 300]


async def test_each_currency_of_a_store_has_its_statement(tenant: Tenant) -> None:
    store = await make_store(tenant)
    place = Holding.of_channel(new_id())
    for currency in (Currency.USD, Currency.KES):
        async with tenant.transaction() as session:
            source, target = await open_accounts(
                session, holding(place, currency), available(store.id, place, currency)
            )
            await post(session, sale(source, target, 500, f"sale:{currency}", currency))

    async with tenant.reading() as session:
        both = await store_statements(session, store.id, ALL_TIME)
        (one,) = await store_statements(session, store.id, ALL_TIME, Currency.USD)

    assert [found.currency for found in both] == [Currency.KES, Currency.USD]
    assert one.closing == Money(500, Currency.USD)


async def test_no_account_has_no_statement(tenant: Tenant) -> None:
    async with tenant.reading() as session:
        assert await account_statement(session, new_id(), ALL_TIME) is None
        assert await store_statements(session, new_id(), ALL_TIME) == []


async def test_a_cursor_of_another_list_stands_at_its_time(tenant: Tenant) -> None:
    books = await make_books(tenant, [(100, 0, True), (100, 1, True)])
    found = await statement_of(tenant, books, ALL_TIME)
    third = (await all_lines(tenant, found, 10))[2]
    just_before = Cursor(third.created_at - timedelta(microseconds=1), new_id())

    page = await lines(tenant, found, PageRequest(10, just_before))

    assert page.rows[0].id == third.id


moves = st.lists(st.tuples(st.integers(1, 1_000), st.integers(0, 1), st.booleans()), max_size=12)


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[*HealthCheck],
    database=None,
    phases=[Phase.generate],
)
@given(moves, st.integers(0, 14), st.integers(0, 14), st.integers(1, 5))
async def test_opening_and_all_entries_are_closing(
    tenant: Tenant, amounts: list[tuple[int, int, bool]], one: int, other: int, first: int
) -> None:
    books = await make_books(tenant, amounts)
    entries = [entry for place in books.places for entry in await entries_of(tenant, place)]
    period = cut(sorted(entry.created_at for entry in entries), one, other)

    found = await statement_of(tenant, books, period)
    shown = await all_lines(tenant, found, first)
    async with tenant.reading() as session:
        came = await turnover(session, found)
    in_batches = await entries_after(tenant, found.spans, [span.after for span in found.spans], 2)

    within = [entry for entry in entries if period.since <= entry.created_at < period.before]
    changes = {(entry.account_id, entry.sequence): change(entry) for entry in within}
    assert len(shown) == found.entry_count == len(changes)
    assert {(line.entry.account_id, line.entry.sequence) for line in shown} == set(changes)
    assert found.opening.minor == sum(change(entry) for entry in entries if entry.created_at < period.since)
    assert found.opening.minor + sum(changes.values()) == found.closing.minor
    assert found.opening + came.incoming - came.outgoing == found.closing
    assert [line.created_at for line in shown] == sorted(line.created_at for line in shown)
    balance = found.opening.minor
    for line in shown:
        balance += changes[line.entry.account_id, line.entry.sequence]
        assert line.balance_minor == balance
    assert [entry.id for entry in in_batches.entries] == [
        line.id for line in shown[: len(in_batches.entries)]
    ]


def change(entry: Entry) -> int:
    return entry.balance_after_minor - entry.balance_before_minor


def cut(instants: list[datetime], one: int, other: int) -> Period:
    """A period that begins and ends at entries, or after the last."""
    places = [*instants, instants[-1] + timedelta(seconds=1)]
    since, before = sorted((places[one % len(places)], places[other % len(places)]))
    return Period(since, max(before, since + timedelta(microseconds=1)))
