"""A ledger of a million transfers: how long it takes to page through it, to look back, and to prove it."""

import random
from collections.abc import Mapping
from datetime import timedelta
from time import perf_counter
from typing import Final

from ledger_books import PERIOD, Books, books, sized
from ledger_statement import ledger_statement
from results import Row, middle, percentile

from core.clock import utc_now
from core.currency import Currency
from core.pages import Cursor, PageRequest
from tenant_db.ledger.accounts import Holding
from tenant_db.ledger.balances import store_balances
from tenant_db.ledger.history import transfers
from tenant_db.ledger.rules import TransferKind
from tenant_db.ledger.sealing import seal
from tenant_db.ledger.searching import AmountRange, TransferFilter, TransferStatus
from tenant_db.ledger.verdicts import Progress
from tenant_db.ledger.verifying import verify

TRANSFERS: Final = 1_000_000
PAGE: Final = 50
PAGES: Final = 12
"""Of each filter: one after the other from the newest, then at moments drawn from the whole period."""
WALKED: Final = 6
BALANCES: Final = 200
SEED: Final = 20_261_121
HISTORY_NOTE: Final = (
    "a page of 50 of {transfers} transfers, {filters} filters (none, type, status, reference, amounts,"
    " period, store, channel and together), from the newest and at random moments; in the process that"
    " asks, so the decoding is in it; worst filter: {worst} with p95 {worst_ms:.1f} ms; median"
    " {median_ms:.2f} ms; baseline: SELECT of 50 whole rows in the order of the index, without a filter"
)
BALANCE_NOTE: Final = (
    "a store's balances at a random instant of {transfers} transfers in 90 days, p95; median {median_ms:.2f}"
    " ms; its accounts have up to {entries} entries; baseline: the store's balances now"
)
VERIFY_NOTE: Final = (
    "verify: {transfers} transfers in {blocks} blocks, {entries} entries, counters; every row is read and"
    " hashed again; sealing them all took {sealing:.1f} s before"
)
_BARE: Final = "SELECT * FROM ledger_transfers ORDER BY created_at DESC, id DESC LIMIT 50"


async def ledger_million() -> list[Row]:
    """Rows of history, balance at an instant, statement and verification, on one ledger."""
    async with books() as made:
        began = perf_counter()
        await made.fill(sized(TRANSFERS, 100_000))
        print(f"  filled in {perf_counter() - began:.0f} s", flush=True)
        return [
            await _history(made),
            await _balance_at(made),
            await ledger_statement(made),
            await _verify(made),
        ]


async def _history(made: Books) -> Row:
    chance = random.Random(SEED)  # noqa: S311 - no secret
    times: dict[str, list[float]] = {}
    bare: list[float] = []
    for name, only in _filters(made).items():
        # Once for the plans: a server has them prepared.
        after = await _page(made, only, None, [])
        for number in range(PAGES):
            if number >= WALKED:
                after = Cursor(utc_now() - chance.random() * PERIOD, made.holding_id)
            after = await _page(made, only, after, times.setdefault(name, []))
            began = perf_counter()
            await made.tenant.rows(_BARE)
            bare.append(perf_counter() - began)
    worst = max(times, key=lambda name: percentile(times[name], 95))
    samples = [time for each in times.values() for time in each]
    note = HISTORY_NOTE.format(
        transfers=sized(TRANSFERS, 100_000),
        filters=len(times),
        worst=worst,
        worst_ms=percentile(times[worst], 95) * 1e3,
        median_ms=middle(samples) * 1e3,
    )
    value, baseline = percentile(samples, 95) * 1e3, percentile(bare, 95) * 1e3
    print(f"  history p95 {value:.1f} ms, worst filter {worst}", flush=True)
    return Row("ledger_history_p95_ms", value, "ms", baseline, len(samples), note)


async def _page(made: Books, only: TransferFilter, after: Cursor | None, times: list[float]) -> Cursor | None:
    """Fetch one page; gives where the next begins."""
    began = perf_counter()
    async with made.tenant.reading() as session:
        page = await transfers(session, only, PageRequest(PAGE, after))
    times.append(perf_counter() - began)
    if page.place is not None or not page.rows:
        return page.place
    return Cursor(page.rows[-1].created_at, page.rows[-1].id)


def _filters(made: Books) -> Mapping[str, TransferFilter]:
    place = Holding.of_channel(made.channel_id).name
    since, before = utc_now() - timedelta(days=40), utc_now() - timedelta(days=33)
    refunds = frozenset({TransferKind.REFUND})
    rare = AmountRange(Currency.KES, least_minor=9_990)
    return {
        "none": TransferFilter(),
        "type": TransferFilter(kinds=refunds),
        "status": TransferFilter(status=TransferStatus.POSTED),
        "reversed alone": TransferFilter(status=TransferStatus.REVERSED),
        "reference": TransferFilter(reference="order-4711"),
        "amounts": TransferFilter(amount=rare),
        "period": TransferFilter(since=since, before=before),
        "large store": TransferFilter(store_id=made.store_ids[0]),
        "small store": TransferFilter(store_id=made.store_ids[1]),
        "channel": TransferFilter(place=place),
        "account": TransferFilter(account_id=made.holding_id),
        "store, type and period": TransferFilter(
            store_id=made.store_ids[1], kinds=refunds, since=since, before=before
        ),
        "channel, amounts and type": TransferFilter(place=place, amount=rare, kinds=refunds),
    }


async def _balance_at(made: Books) -> Row:
    chance = random.Random(SEED)  # noqa: S311 - no secret
    times: list[float] = []
    now: list[float] = []
    for number in range(-5, BALANCES):
        store = made.store_ids[number % len(made.store_ids)]
        instant = utc_now() - chance.random() * PERIOD
        async with made.tenant.reading() as session:
            began = perf_counter()
            await store_balances(session, store, instant)
            then = perf_counter()
            await store_balances(session, store)
        if number >= 0:
            times.append(then - began)
            now.append(perf_counter() - then)
    transfers_count = sized(TRANSFERS, 100_000)
    note = BALANCE_NOTE.format(
        transfers=transfers_count, median_ms=middle(times) * 1e3, entries=transfers_count // 10
    )
    value, baseline = percentile(times, 95) * 1e3, percentile(now, 95) * 1e3
    print(f"  balance at an instant p95 {value:.2f} ms", flush=True)
    return Row("ledger_balance_at_ms", value, "ms", baseline, len(times), note)


async def _verify(made: Books) -> Row:
    began = perf_counter()
    blocks = 0
    while await _sealed(made):
        blocks += 1
    sealing = perf_counter() - began
    progress = Progress()
    began = perf_counter()
    async with made.tenant.transaction() as session:
        await verify(session, progress, {})
    took = perf_counter() - began
    if progress.broken is not None or progress.transfers != sized(TRANSFERS, 100_000):
        raise AssertionError(f"verified {progress.transfers} transfers: {progress.broken}")
    print(f"  sealed in {sealing:.1f} s, verified in {took:.1f} s", flush=True)
    note = VERIFY_NOTE.format(
        transfers=progress.transfers, blocks=blocks, entries=progress.entries, sealing=sealing
    )
    return Row("ledger_verify_million_s", took, "s", None, 1, note)


async def _sealed(made: Books) -> bool:
    async with made.tenant.transaction() as session:
        return await seal(session, utc_now) is not None
