"""Posting a thousand at a time through the domain, beside plain SQL that writes the same rows."""

import asyncio
from collections.abc import Iterator, Sequence
from itertools import count
from time import perf_counter
from typing import Final

from ledger_books import A_BATCH, Books, books, sized
from results import Row

from core.currency import Currency
from core.money import Money
from tenant_db.ledger.bulk import post_many
from tenant_db.ledger.commands import NewTransfer
from tenant_db.ledger.results import Posted
from tenant_db.ledger.rules import TransferKind

SUSTAINED_S: Final = 60
BASELINE_S: Final = 12
WARM_UP_BATCHES: Final = 10
WRITERS: Final = 2
"""While one waits for PostgreSQL, the other prepares its batch."""
NOTE: Final = (
    "post_many in one process, batches of {batch} sales, fees and refunds of {stores} stores, {writers} at"
    " once, for {seconds} s; every sale debits the same holding; a key, two entries and balances for each"
    " posting; slowest ten seconds {slowest:.0f}/s; baseline: pgbench -M prepared, one client,"
    " ledger_thousand.sql: the same rows, made by PostgreSQL itself in one statement a thousand"
)


async def ledger_bulk() -> list[Row]:
    """Row `ledger_bulk`."""
    seconds = sized(SUSTAINED_S, 5)
    async with books() as made:
        baseline = await made.run_thousands(duration_s=sized(BASELINE_S, 3))
        batches = commands(made)
        for _ in range(WARM_UP_BATCHES):
            await post_batch(made, next(batches))
        times = await _post_for(made, batches, seconds)
        posted = await made.require_sound()
    rate = A_BATCH * len(times) / seconds
    slowest = A_BATCH * min(_by_tens(times, seconds))
    print("  by tens: " + ", ".join(f"{A_BATCH * each:.0f}" for each in _by_tens(times, seconds)), flush=True)
    print(f"  ours {rate:.0f}/s, in SQL {baseline:.0f}/s, {posted} transfers are sound", flush=True)
    note = NOTE.format(
        batch=A_BATCH, stores=len(made.store_ids), writers=WRITERS, seconds=seconds, slowest=slowest
    )
    return [Row("ledger_bulk", rate, "postings/s", baseline, len(times), note)]


def commands(made: Books) -> Iterator[Sequence[NewTransfer]]:
    """Batches without end, each of new keys: of ten postings eight are sales, one a fee, one a refund."""
    for number in count():
        yield [_command(made, number * A_BATCH + place) for place in range(A_BATCH)]


def _command(made: Books, number: int) -> NewTransfer:
    store = made.available_ids[number // 10 % len(made.available_ids)]
    match number % 10:
        case 8:
            source, destination, amount, kind = store, made.fees_id, 25, TransferKind.FEE
        case 9:
            source, destination, amount, kind = store, made.holding_id, 500, TransferKind.REFUND
        case _:
            source, destination, kind = made.holding_id, store, TransferKind.SALE
            amount = 1_000 + number * 37 % 9_000
    money = Money(amount, Currency.KES)
    return NewTransfer(source, destination, money, kind, f"order-{number // 10}", f"bench:{number}")


async def post_batch(made: Books, news: Sequence[NewTransfer]) -> None:
    """Post all of them in one transaction; a refusal ends the benchmark."""
    async with made.tenant.transaction() as session:
        answers = await post_many(session, news)
    refused = [answer for answer in answers if not isinstance(answer, Posted)]
    if refused:
        raise AssertionError(f"{len(refused)} postings were refused: {refused[0]}")


async def _post_for(made: Books, batches: Iterator[Sequence[NewTransfer]], seconds: int) -> list[float]:
    """Post until the time is over; gives when each batch was committed, in seconds from the start."""
    began = perf_counter()
    times: list[float] = []

    async def write() -> None:
        while perf_counter() < began + seconds:
            await post_batch(made, next(batches))
            times.append(perf_counter() - began)

    await asyncio.gather(*[write() for _ in range(WRITERS)])
    return [time for time in times if time <= seconds]


def _by_tens(times: Sequence[float], seconds: int) -> list[float]:
    """Batches a second in each full ten seconds, the whole time if it is shorter."""
    width = min(10, seconds)
    return [
        sum(1 for time in times if start <= time < start + width) / width
        for start in range(0, seconds - width + 1, width)
    ]
