"""Whatever happens to the refunds of a payment, in whatever order: the books say what the payer has."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar
from uuid import UUID

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from core.clock import utc_now
from core.ids import new_id
from tenancy.sessions import Tenant
from tenant_db.payments.models import Payment
from tenant_db.refunds import submitting
from tenant_db.refunds.errors import RefundTooMuch
from tenant_db.refunds.machine import (
    COUNTED,
    FAILED,
    REQUESTED,
    SUBMITTING,
    SUCCEEDED,
    UNDER_WAY,
    RefundStatus,
)
from tenant_db.refunds.models import Refund
from tenant_db.refunds.noting import NotedRefund, note_refund
from tenant_db.refunds.rules import Done, NotDone, Told, Undecided
from tests.factories.ledger import require_sound_books
from tests.factories.payments import Shop, make_shop
from tests.factories.refunds import kes, make_paid, read, request, store_money, tell

PAID: Final = 1_000
ANSWER_WITHIN_S: Final = 60.0
SOME: Final = settings(
    max_examples=8,
    stateful_step_count=18,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate,),
)
WHICH: Final = st.integers(0, 3)
"""Of the refunds there are: the rest of a division says which."""

Result = TypeVar("Result")
ANSWERS: Final[dict[str, Callable[[Refund], Told]]] = {
    "done": lambda refund: Done(reference_of(refund), refund.amount),
    "failed": lambda refund: NotDone("declined", "Declined.", reference_of(refund)),
    "pending": lambda refund: Undecided(reference_of(refund)),
    "attention": lambda refund: Undecided(reference_of(refund), "Send the bank details."),
    "nameless": lambda _: Undecided(None),
}


def reference_of(refund: Refund) -> str:
    return f"re_{refund.id}"


class RefundMachine(RuleBasedStateMachine):
    """Runs in a thread; the database is asked on the loop that the tenant's connections belong to."""

    def __init__(self, tenant: Tenant, shop: Shop, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self.tenant, self.shop, self.loop = tenant, shop, loop
        self.refunds: list[UUID] = []
        self.unasked_minor = 0
        self.was_late = False
        """A refund that was called failed was made after all: more may have gone than was paid."""

    def wait(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(ANSWER_WITHIN_S)

    @initialize()
    def pay(self) -> None:
        """A payment of its own; what earlier examples have left in the books stays there."""
        self.others = self.wait(store_money(self.tenant, self.shop))
        self.payment: Payment = self.wait(make_paid(self.tenant, self.shop, PAID))

    @rule(amounts=st.lists(st.integers(100, 700), min_size=1, max_size=3))
    def ask(self, amounts: list[int]) -> None:
        """Rivals ask at once; what is refused is more than is left."""

        async def rivals() -> list[Refund | BaseException]:
            asked = [request(self.tenant, self.payment.id, amount) for amount in amounts]
            return await asyncio.gather(*asked, return_exceptions=True)

        for made in self.wait(rivals()):
            if isinstance(made, Refund):
                self.refunds.append(made.id)
            else:
                assert isinstance(made, RefundTooMuch), made

    @rule(which=WHICH)
    def send(self, which: int) -> None:
        """Two runs claim it; at most one may send."""
        if (refund := self._one(which)) is None:
            return
        claims = [self.wait(self._claim(refund.id)) for _ in range(2)]
        sent = sum(isinstance(claim, submitting.Claim) for claim in claims)
        assert sent == (1 if refund.state is REQUESTED else 0)

    @rule(which=WHICH, how=st.sampled_from(["release", "doubt", "absent"]))
    def lose(self, which: int, how: str) -> None:
        """The call came to nothing, or nobody knows."""
        if (refund := self._one(which)) is not None:
            self.wait(self._lose(refund, how))

    @rule(which=WHICH, answer=st.sampled_from(sorted(ANSWERS)))
    def answer(self, which: int, answer: str) -> None:
        """The provider says something, twice."""
        refund = self._one(which)
        if refund is None or (refund.state in (REQUESTED, SUBMITTING) and answer == "nameless"):
            return
        self.was_late |= refund.state is FAILED and answer == "done"
        for _ in range(2):
            self.wait(tell(self.tenant, refund.id, ANSWERS[answer](refund)))

    @rule(amount=st.integers(50, 200))
    def dashboard(self, amount: int) -> None:
        """Somebody refunds at the provider what is still free."""
        if amount > self._left():
            return
        reference = f"re_{new_id()}"
        noted = NotedRefund(self.payment.id, reference, kes(amount), Done(reference, kes(amount)))
        if self.wait(self._note(noted)) is not None:
            self.unasked_minor += amount

    @invariant()
    def the_books_say_what_the_payer_has(self) -> None:
        rows = [self.wait(read(self.tenant, id_)) for id_ in self.refunds]
        given = sum(row.amount_minor for row in rows if row.state is SUCCEEDED) + self.unasked_minor
        aside = sum(row.amount_minor for row in rows if row.state in UNDER_WAY)
        posted, reserved = self.wait(store_money(self.tenant, self.shop))

        assert (posted - self.others[0], reserved - self.others[1]) == (PAID - given, aside)
        assert given + aside <= PAID or self.was_late

    def teardown(self) -> None:
        self.wait(require_sound_books(self.tenant))

    def _one(self, which: int) -> Refund | None:
        if not self.refunds:
            return None
        return self.wait(read(self.tenant, self.refunds[which % len(self.refunds)]))

    def _left(self) -> int:
        rows = [self.wait(read(self.tenant, id_)) for id_ in self.refunds]
        return PAID - self.unasked_minor - sum(row.amount_minor for row in rows if row.state in COUNTED)

    async def _claim(self, refund_id: UUID) -> submitting.Claim | RefundStatus:
        async with self.tenant.transaction() as session:
            return await submitting.claim(session, refund_id, None, utc_now())

    async def _lose(self, refund: Refund, how: str) -> None:
        async with self.tenant.transaction() as session:
            if how == "release":
                await submitting.release(session, refund.id, "nothing was sent")
            elif how == "doubt":
                await submitting.doubt(session, refund.id, "no answer")
            elif refund.submitted_at is not None:
                await submitting.send_again(session, refund.id, refund.submitted_at)

    async def _note(self, noted: NotedRefund) -> Refund | None:
        async with self.tenant.transaction() as session:
            return await note_refund(session, noted, utc_now())


async def test_random_refunds_leave_the_books_that_the_payers_have(tenant: Tenant) -> None:
    loop, shop = asyncio.get_running_loop(), await make_shop(tenant)

    class Machine(RefundMachine):
        def __init__(self) -> None:
            super().__init__(tenant, shop, loop)

    await asyncio.to_thread(run_state_machine_as_test, Machine, settings=SOME)
