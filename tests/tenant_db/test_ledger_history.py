"""Searching transfers: every filter finds what a look at all of them finds, page by page."""

import random
from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import select

import tenant_db.ledger.history
import tenant_db.ledger.searching
from core.currency import Currency
from core.ids import new_id
from core.money import Money
from core.pages import Cursor, PageRequest
from tenancy.sessions import Tenant
from tenant_db.ledger.history import Flow, TransferView, flows, transfers
from tenant_db.ledger.models import LedgerAccount, Transfer
from tenant_db.ledger.reversing import reverse
from tenant_db.ledger.rules import TransferKind
from tenant_db.ledger.searching import AmountRange, TransferFilter, TransferStatus
from tests.factories.stores import make_store
from tests.factories.trading import Stall, make_stall, trade

KES, USD = Currency.KES, Currency.USD
KINDS = (TransferKind.SALE, TransferKind.FEE)
Matches = Callable[[Transfer], bool]


class Market:
    """Three stores on three channels, some ninety transfers, and what they should be found by."""

    def __init__(self, stalls: list[Stall], rows: list[Transfer], accounts: list[LedgerAccount]) -> None:
        self.stalls = stalls
        self.rows = sorted(rows, key=lambda row: (row.created_at, row.id), reverse=True)
        self.reversed_ids = {row.reverses_id for row in rows}
        self._accounts = accounts
        self._middle = self.rows[len(self.rows) // 2].created_at

    def touching(self, **wanted: object) -> set[UUID]:
        """The accounts that have all of these attributes."""
        return {
            account.id
            for account in self._accounts
            if all(getattr(account, name) == value for name, value in wanted.items())
        }

    def cases(self) -> dict[str, tuple[TransferFilter, Matches]]:
        return self._by_transfer() | self._by_account()

    def _by_transfer(self) -> dict[str, tuple[TransferFilter, Matches]]:
        middle = self._middle
        return {
            "all": (TransferFilter(), lambda _: True),
            "kinds": (TransferFilter(kinds=frozenset(KINDS)), lambda row: row.kind in KINDS),
            "no such kind": (TransferFilter(kinds=frozenset({TransferKind.REWARD})), lambda _: False),
            "reversed": (
                TransferFilter(status=TransferStatus.REVERSED),
                lambda row: row.id in self.reversed_ids,
            ),
            "posted": (
                TransferFilter(status=TransferStatus.POSTED),
                lambda row: row.id not in self.reversed_ids,
            ),
            "reference": (TransferFilter(reference="pay_3"), lambda row: row.reference == "pay_3"),
            "amount": (
                TransferFilter(amount=AmountRange(KES, 40, 60)),
                lambda row: row.currency is KES and 40 <= row.amount_minor <= 60,
            ),
            "at least": (
                TransferFilter(amount=AmountRange(USD, 90)),
                lambda row: row.currency is USD and row.amount_minor >= 90,
            ),
            "since": (TransferFilter(since=middle), lambda row: row.created_at >= middle),
            "before": (TransferFilter(before=middle), lambda row: row.created_at < middle),
        }

    def _by_account(self) -> dict[str, tuple[TransferFilter, Matches]]:
        first, middle = self.stalls[0], self._middle
        store, place = first.store_id, first.place.name
        of_store, of_place = self.touching(store_id=store), self.touching(holding=place)
        both = self.touching(store_id=store, holding=place)
        return {
            "store": (TransferFilter(store_id=store), touches(of_store)),
            "place": (TransferFilter(place=place), touches(of_place)),
            "account": (TransferFilter(account_id=first.fees_id), touches({first.fees_id})),
            "store and place": (TransferFilter(store_id=store, place=place), touches(both)),
            "another store's account": (
                TransferFilter(store_id=store, account_id=self.stalls[-1].available_id),
                lambda _: False,
            ),
            "everything": (
                TransferFilter(
                    kinds=frozenset(KINDS),
                    status=TransferStatus.POSTED,
                    amount=AmountRange(KES, 10, 90),
                    since=middle,
                    store_id=store,
                ),
                lambda row: (
                    row.kind in KINDS
                    and row.id not in self.reversed_ids
                    and row.currency is KES
                    and 10 <= row.amount_minor <= 90
                    and row.created_at >= middle
                    and touches(of_store)(row)
                ),
            ),
        }


def touches(accounts: set[UUID]) -> Matches:
    return lambda row: bool(accounts & {row.source_id, row.destination_id})


@pytest.fixture
async def market(tenant: Tenant) -> Market:
    rng = random.Random(7)  # noqa: S311 - the same books in every run
    stores = [(await make_store(tenant, f"s{number}")).id for number in range(3)]
    channels = [new_id() for _ in range(3)]
    stalls = [
        await make_stall(tenant, store, channel, USD if store == stores[2] else KES)
        for store in stores
        for channel in channels
    ]
    for number in range(30):
        # Of one transaction, so of one moment: their ids alone tell them apart.
        posted = await trade(
            tenant,
            *(stall.sale(rng.randint(50, 100), f"pay_{number % 5}") for stall in rng.sample(stalls, 2)),
            rng.choice(stalls[:3]).sale(100, "pay_3"),
        )
        if number % 3 == 0:
            stall = next(stall for stall in stalls if stall.available_id == posted[-1].destination_id)
            await trade(tenant, stall.fee(rng.randint(1, 9)), stall.refund(rng.randint(1, 40)))
        if number % 7 == 0:
            async with tenant.transaction() as session:
                await reverse(session, posted[0].id, "mistake")
    async with tenant.reading() as session:
        rows = list(await session.scalars(select(Transfer)))
        return Market(stalls, rows, list(await session.scalars(select(LedgerAccount))))


async def walked(tenant: Tenant, only: TransferFilter, first: int) -> list[TransferView]:
    """Every page of a filter, one after another."""
    found: list[TransferView] = []
    after: Cursor | None = None
    while True:
        async with tenant.reading() as session:
            page = await transfers(session, only, PageRequest(first, after))
        assert len(page.rows) <= first
        found += page.rows
        if not page.has_next:
            return found
        reached = page.place or Cursor(page.rows[-1].created_at, page.rows[-1].id)
        assert after is None or (reached.created_at, reached.id) < (after.created_at, after.id)
        after = reached


@pytest.mark.parametrize("examined_max", [1, 12, 10_000])
@pytest.mark.parametrize("first", [3, 50])
async def test_every_filter_finds_each_transfer_once_and_in_order(
    tenant: Tenant, market: Market, monkeypatch: pytest.MonkeyPatch, examined_max: int, first: int
) -> None:
    monkeypatch.setattr(tenant_db.ledger.searching, "EXAMINED_MAX", examined_max)
    problems = {}

    for name, (only, matches) in market.cases().items():
        wanted = [row.id for row in market.rows if matches(row)]
        found = [view.id for view in await walked(tenant, only, first)]
        if found != wanted:
            problems[name] = (len(found), len(wanted))

    assert problems == {}


async def test_more_accounts_than_have_branches_are_found_as_well(
    tenant: Tenant, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenant_db.ledger.searching, "ACCOUNTS_MAX", 1)
    only, matches = market.cases()["place"]

    found = await walked(tenant, only, 10)

    assert [view.id for view in found] == [row.id for row in market.rows if matches(row)]


async def test_a_rare_transfer_is_not_searched_for_without_end(
    tenant: Tenant, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenant_db.ledger.searching, "EXAMINED_MAX", 12)
    oldest = market.rows[-1]

    async with tenant.reading() as session:
        page = await transfers(session, TransferFilter(amount=AmountRange(KES, 10**9)), PageRequest(5))

    assert (page.rows, page.has_next) == ([], True)
    assert page.place == Cursor(market.rows[23].created_at, market.rows[23].id)
    assert (oldest.created_at, oldest.id) < (page.place.created_at, page.place.id)


async def test_a_transfer_is_shown_as_it_was_written(tenant: Tenant, market: Market) -> None:
    newest = market.rows[0]

    async with tenant.reading() as session:
        page = await transfers(session, TransferFilter(), PageRequest(1))

    (view,) = page.rows
    assert view == TransferView(*(getattr(newest, name) for name in TransferView._fields))


async def test_sums_tell_what_came_into_the_named_accounts_and_what_left_them(
    tenant: Tenant, market: Market
) -> None:
    stall = market.stalls[0]
    only = TransferFilter(account_id=stall.available_id)
    entries = [row for row in market.rows if stall.available_id in {row.source_id, row.destination_id}]
    came = sum(row.amount_minor for row in entries if row.destination_id == stall.available_id)
    left = sum(row.amount_minor for row in entries if row.source_id == stall.available_id)

    async with tenant.reading() as session:
        of_account = await flows(session, only)
        of_fees = await flows(session, TransferFilter(account_id=stall.available_id, kinds=frozenset(KINDS)))

    assert of_account == [Flow(len(entries), Money(came, KES), Money(left, KES))]
    assert of_fees is not None
    assert of_fees[0].outgoing < of_account[0].outgoing
    assert came > left > 0


async def test_sums_of_all_are_of_the_places_where_money_lies(tenant: Tenant, market: Market) -> None:
    places = {stall.holding_id for stall in market.stalls}

    async with tenant.reading() as session:
        found = await flows(session, TransferFilter())

    assert found is not None
    for flow in found:
        rows = [row for row in market.rows if row.currency is flow.incoming.currency]
        came = sum(row.amount_minor for row in rows if row.source_id in places)
        left = sum(row.amount_minor for row in rows if row.destination_id in places)
        assert (flow.count, flow.incoming.minor, flow.outgoing.minor) == (len(rows), came, left)
    assert [flow.incoming.currency for flow in found] == [KES, USD]


async def test_what_moves_between_named_accounts_neither_comes_nor_leaves(tenant: Tenant) -> None:
    store = (await make_store(tenant)).id
    one, other = [await make_stall(tenant, store, new_id()) for _ in range(2)]
    await trade(
        tenant,
        one.sale(100),
        one.moved(one.available_id, other.available_id, 40, TransferKind.TRANSFER, "move"),
    )

    async with tenant.reading() as session:
        found = await flows(session, TransferFilter(store_id=store))

    assert found == [Flow(2, Money(100, KES), Money(0, KES))]


async def test_more_than_one_summary_looks_at_has_no_sums(
    tenant: Tenant, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenant_db.ledger.history, "SUMMED_MAX", len(market.rows))
    async with tenant.reading() as session:
        assert await flows(session, TransferFilter()) is not None

    monkeypatch.setattr(tenant_db.ledger.history, "SUMMED_MAX", len(market.rows) - 1)
    async with tenant.reading() as session:
        assert await flows(session, TransferFilter()) is None
