"""Random requests to one ledger, alone, as rivals and with crashes, beside an oracle of what they did."""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, Final, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tenancy.sessions import Tenant
from tenant_db.ledger.batching import Request
from tenant_db.ledger.models import LedgerAccount
from tests.bookkeeping import require_true_books
from tests.tenant_db import ledger_counter as counter
from tests.tenant_db.ledger_callers import PATIENCE, Callers, told
from tests.tenant_db.ledger_counter import Death, Work
from tests.tenant_db.ledger_wishes import (
    BANK,
    BATCHES,
    BULKS,
    LIMITED,
    RIVALS,
    STORES,
    Batch,
    Bulk,
    Move,
    Pay,
)

Result = TypeVar("Result")
Item = TypeVar("Item")
ANSWER_WITHIN_S: Final = 60.0
FUNDS_MINOR: Final = 1_000


class LedgerMachine(RuleBasedStateMachine):
    """Runs in a thread; the database is asked on the loop that the tenant's connections belong to."""

    def __init__(self, tenant: Tenant, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self.tenant = tenant
        self.loop = loop
        self.callers = Callers()

    def wait(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(ANSWER_WITHIN_S)

    @initialize()
    def open(self) -> None:
        """Accounts, and money in the stores."""
        self.wait(self._open())
        moves = [Move(BANK, store, FUNDS_MINOR) for store in (*STORES, LIMITED)]
        self.hand_in((Pay(tuple(moves)),))

    @rule(wishes=BATCHES)
    def hand_in(self, wishes: Batch) -> None:
        """Requests in one transaction, each answered as if it had come alone."""
        requests = self.callers.requests(wishes)
        answers = self.wait(counter.hand_in(self.tenant, self._batch(requests)))
        for request, answer in zip(requests, answers, strict=True):
            assert told(answer) == self.callers.expected(request), request
            self.callers.hear([request], [answer])

    @rule(bulk=BULKS)
    def post_many(self, bulk: Bulk) -> None:
        """Transfers in one transaction, whose keys are used again within it and later."""
        news = self.callers.bulk(bulk)
        answers = self.wait(counter.hand_in(self.tenant, counter.bulk(news)))
        for new, answer in zip(news, answers, strict=True):
            assert told(answer) == self.callers.expected_in_bulk(new), new
            self.callers.hear_bulk([new], [answer])

    @rule(groups=RIVALS, expires=st.booleans())
    def race(self, groups: Sequence[Batch | Bulk], expires: bool) -> None:  # noqa: FBT001 - hypothesis draws it
        """Several transactions at once: whoever wins, each key has one effect and no limit is broken.

        The job that expires holds may be one of them, by a clock that is later than the others'.
        """
        bulks = [self.callers.bulk(group) for group in groups if isinstance(group, Bulk)]
        batches = [self.callers.requests(group) for group in groups if not isinstance(group, Bulk)]
        works = [*map(counter.bulk, bulks), *map(self._batch, batches)]
        if expires:
            works.append(counter.expiry(self.callers.now + 2 * PATIENCE))
        ids = [account.id for account in self.callers.accounts]
        answers = self.wait(counter.race(self.tenant, ids, works))
        # Together, for one of them may repeat what another made.
        self.callers.hear_bulk(_flat(bulks), _flat(answers[: len(bulks)]))
        self.callers.hear(_flat(batches), _flat(answers[len(bulks) : len(bulks) + len(batches)]))
        if expires:
            self.expire()

    @rule(wishes=BATCHES, before_statement=st.integers(0, 6), death=st.sampled_from(Death))
    def crash(self, wishes: Batch, before_statement: int, death: Death) -> None:
        """Nothing stays of a transaction that dies, wherever it does."""
        work = self._batch(self.callers.requests(wishes))
        self.wait(counter.crash(self.tenant, work, before_statement=before_statement, death=death))

    @rule(wishes=BATCHES)
    def lose_the_answer(self, wishes: Batch) -> None:
        """It was done and nobody heard; whoever asks again hears it."""
        requests = self.callers.requests(wishes)
        answers = self.wait(counter.hand_in(self.tenant, self._batch(requests)))
        again = self.wait(counter.hand_in(self.tenant, self._batch(requests)))
        self.callers.hear(requests, answers)
        self.callers.hear(requests, again)

    @rule()
    def expire(self) -> None:
        """Time passes, and the job comes round."""
        self.callers.now += 2 * PATIENCE
        self.wait(counter.hand_in(self.tenant, counter.expiry(self.callers.now)))
        self.callers.oracle.expire(self.callers.now)

    @invariant()
    def the_books_are_true(self) -> None:
        self.wait(require_true_books(self.tenant))

    @invariant()
    def the_books_hold_what_was_answered(self) -> None:
        """Every transfer and hold that was acknowledged is there, once, and there are no others."""
        ids = [account.id for account in self.callers.accounts]
        transfers, holds = self.wait(counter.contents(self.tenant, ids))
        assert transfers == {key: moved.id for key, moved in self.callers.oracle.transfers.items()}
        assert holds == {
            id_: (held.state, held.posted_minor) for id_, held in self.callers.oracle.holds.items()
        }

    def _batch(self, requests: Sequence[Request]) -> Work:
        return counter.batch(requests, self.callers.now)

    async def _open(self) -> None:
        async with self.tenant.transaction() as session:
            session.add_all(
                LedgerAccount(
                    id=account.id,
                    code=f"random:{self.callers.name}:{number}",
                    currency=account.currency,
                    normal_side=account.side.value,
                    floor_minor=account.floor_minor,
                    ceiling_minor=account.ceiling_minor,
                    closed_at=self.callers.now if account.is_closed else None,
                )
                for number, account in enumerate(self.callers.accounts)
            )


def _flat(groups: Iterable[Iterable[Item]]) -> list[Item]:
    return [item for group in groups for item in group]
