"""Sixty-four callers who post to one account at once, one transfer each, beside pgbench doing the same."""

import asyncio
from itertools import count
from time import perf_counter
from types import SimpleNamespace
from typing import Final, cast

from ledger_books import Books, books, sized
from results import ROOT, Row, middle

from core.clock import utc_now
from core.currency import Currency
from core.ids import Kind, new_id, outside
from core.money import Money
from resolvers.ledger_batches import Batches
from tenancy.acts import Act
from tenancy.audit import Actor
from tenancy.context import Services
from tenancy.idempotency import Once
from tenant_db.ledger.batching import Linked, Made, Request
from tenant_db.ledger.commands import NewTransfer, of_people
from tenant_db.ledger.rules import TransferKind

CALLERS: Final = 64
ROUNDS: Final = 3
WARM_UP_S: Final = 2
ROUND_S: Final = 6
SCRIPT: Final = ROOT / "bench" / "ledger_single.sql"
FUNCTION: Final = ROOT / "bench" / "ledger_single_function.sql"
NOTE: Final = (
    f"{CALLERS} callers at once, each posts from one holding to one store and waits for its answer; key,"
    " input hash, audit row and entries each; through resolvers.ledger_batches in one process; baseline:"
    f" pgbench -M prepared -c {CALLERS}, the same rows in one statement, whose clients queue at an advisory"
    " lock (ledger_single_function.sql)"
)


async def ledger_hot_account() -> list[Row]:
    """Row `ledger_hot_account`."""
    ours: list[float] = []
    theirs: list[float] = []
    async with books() as made:
        async with made.cluster.servers.connect(
            made.cluster.migrator_url, made.tenant.ref.database
        ) as connection:
            await connection.execute(FUNCTION.read_text())
        callers = Callers(made)
        await callers.rate(WARM_UP_S)
        for _ in range(sized(ROUNDS, 1)):
            theirs.append(await _pgbench(made))
            ours.append(await callers.rate(ROUND_S))
            print(f"  ours {ours[-1]:.0f}/s, pgbench {theirs[-1]:.0f}/s", flush=True)
        await made.require_sound()
    return [Row("ledger_hot_account", middle(ours), "postings/s", middle(theirs), len(ours), NOTE)]


async def _pgbench(made: Books) -> float:
    variables = {"holding": made.holding_id, "store": made.available_ids[0]}
    given = [word for name, value in variables.items() for word in ("-D", f"{name}={value}")]
    return await made.pgbench(SCRIPT, CALLERS, ["-T", str(ROUND_S), *given])


class Callers:
    """They post from the holding to the first store, each transfer under a key of its own."""

    def __init__(self, made: Books) -> None:
        self._made = made
        # The clock is all that it takes of a server's services.
        self._batches = Batches(cast("Services", SimpleNamespace(clock=utc_now)))
        self._numbers = count()
        self._actor = Actor("api_key", new_id(), "127.0.0.1", "bench", new_id().hex)

    async def rate(self, duration_s: int) -> float:
        """Postings a second of CALLERS callers, who post again as soon as they have their answers."""
        began = perf_counter()
        done = await asyncio.gather(*[self._post_until(began + duration_s) for _ in range(CALLERS)])
        return sum(done) / (perf_counter() - began)

    async def _post_until(self, end: float) -> int:
        done = 0
        while perf_counter() < end:
            await self.post()
            done += 1
        return done

    async def post(self) -> None:
        """One caller's posting; a refusal ends the benchmark."""
        (outcome,) = await self._batches.carry_out(self._made.tenant, [self._request()])
        is_made = isinstance(outcome, Made)
        if not is_made:
            raise AssertionError(f"a posting was refused: {outcome}")

    def _request(self) -> Request:
        key = f"hot-{next(self._numbers)}"
        source, store = self._made.holding_id, self._made.available_ids[0]
        amount = Money(100, Currency.KES)
        new = NewTransfer(source, store, amount, TransferKind.TRANSFER, "order", of_people(key))
        given = {"source": source, "destination": store, "amount": 100, "reference": "order"}
        once = Once("post_transfer", key, f"api_key:{self._actor.id}", given, {"transfer": new.id})
        return Request(Linked([new]), once, Act(self._actor, "post_transfer", outside(Kind.TRANSFER, new.id)))
