"""One key has one answer, whoever asks for it, how often and how many at once."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from uuid import UUID

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import ProgrammingError

from core.errors import DomainError, InvalidInput
from core.ids import new_id
from resolvers.idempotency import run_once
from tenancy.audit import SYSTEM, record_audit
from tenancy.columns import AuditColumns, IdempotencyColumns
from tenancy.idempotency import IdempotencyInProgress, IdempotencyKeyReused, Once
from tenancy.sessions import OwnerDatabase, OwnerSession, Tenant, TenantSession
from tenancy.shapes import model_of
from tests.racing import race


class TillEmpty(DomainError):
    """A refusal that depends on state."""

    code = "TEST_TILL_EMPTY"
    is_stored = True

    def __init__(self, left: int) -> None:
        super().__init__(f"Only {left} left.")
        self.left = left


class WrongPhone(DomainError):
    """A refusal that the input alone decides."""

    code = "TEST_WRONG_PHONE"

    def __init__(self) -> None:
        super().__init__("This is no phone number.")


@dataclass(slots=True)
class Deed:
    """An effect that leaves a row behind, and counts how often it began."""

    database: Tenant | OwnerDatabase
    refuses: Exception | None = None
    began: int = 0
    may_end: asyncio.Event = field(default_factory=asyncio.Event)
    has_begun: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.may_end.set()

    async def do(self, session: TenantSession | OwnerSession) -> str:
        self.began += 1
        self.has_begun.set()
        record_audit(session, SYSTEM, "deed")
        await session.flush()
        await self.may_end.wait()
        if self.refuses is not None:
            raise self.refuses
        return "done"

    async def read(self, session: TenantSession | OwnerSession, ids: Mapping[str, UUID]) -> str:
        assert await session.scalar(text("SELECT 1")) == 1
        return f"again {ids['payment']}"

    async def run(self, once: Once) -> str:
        if isinstance(self.database, Tenant):
            return await run_once(self.database.transaction, once, self.do, self.read)
        return await run_once(self.database.transaction, once, self.do, self.read)

    async def rows(self) -> int:
        async with self.database.reading() as session:
            model = model_of(session, AuditColumns)
            return await session.scalar(select(func.count()).select_from(model)) or 0


def asked(key: str = "order-1", amount_minor: int = 1_000, operation: str = "initiate_payment") -> Once:
    return Once(operation, key, "user:1", {"amount_minor": amount_minor}, {"payment": new_id()})


@pytest.fixture
def deed(tenant: Tenant) -> Deed:
    return Deed(tenant)


async def test_a_repeat_gets_the_first_answer_read_again(deed: Deed) -> None:
    first = asked()

    assert await deed.run(first) == "done"
    assert await deed.run(asked()) == f"again {first.ids['payment']}"

    assert (deed.began, await deed.rows()) == (1, 1)


async def test_the_owner_database_keeps_keys_too(owner: OwnerDatabase) -> None:
    deed = Deed(owner)

    await deed.run(asked())

    assert (await deed.run(asked())).startswith("again")


async def test_a_key_with_other_input_is_refused(deed: Deed) -> None:
    await deed.run(asked(amount_minor=1_000))

    with pytest.raises(IdempotencyKeyReused):
        await deed.run(asked(amount_minor=1_001))

    assert deed.began == 1


async def test_the_same_key_of_another_operation_is_another_key(deed: Deed) -> None:
    await deed.run(asked(operation="initiate_payment"))

    assert await deed.run(asked(operation="request_refund")) == "done"


async def test_who_asks_is_kept_but_is_no_part_of_the_key(deed: Deed) -> None:
    await deed.run(asked())

    assert (await deed.run(replace(asked(), actor="user:2"))).startswith("again")

    async with deed.database.reading() as session:
        records = (await session.scalars(select(model_of(session, IdempotencyColumns)))).all()
    assert [record.actor for record in records] == ["user:1"]


async def test_a_refusal_that_depends_on_state_repeats_although_the_state_has_changed(deed: Deed) -> None:
    deed.refuses = TillEmpty(left=7)
    with pytest.raises(TillEmpty):
        await deed.run(asked())
    deed.refuses = None

    with pytest.raises(TillEmpty, match=r"Only 7 left\.") as again:
        await deed.run(asked())

    assert again.value.left == 7
    assert (deed.began, await deed.rows()) == (1, 0)


async def test_a_refused_key_with_other_input_is_reused(deed: Deed) -> None:
    deed.refuses = TillEmpty(left=7)
    with pytest.raises(TillEmpty):
        await deed.run(asked(amount_minor=1_000))

    with pytest.raises(IdempotencyKeyReused):
        await deed.run(asked(amount_minor=900))


@pytest.mark.parametrize("error", [WrongPhone(), ZeroDivisionError("a bug")])
async def test_other_refusals_and_faults_leave_the_key_free(deed: Deed, error: Exception) -> None:
    deed.refuses = error
    with pytest.raises(type(error)):
        await deed.run(asked())
    assert await deed.rows() == 0
    deed.refuses = None

    assert await deed.run(asked()) == "done"


async def test_ten_rivals_with_one_key_do_it_once(deed: Deed, tenant: Tenant) -> None:
    answers = await race(
        tenant,
        text("LOCK TABLE idempotency_records IN EXCLUSIVE MODE"),
        [lambda: deed.run(asked()) for _ in range(10)],
    )

    assert (deed.began, await deed.rows()) == (1, 1)
    assert sorted(str(answer)[:5] for answer in answers) == ["again"] * 9 + ["done"]


async def test_a_twin_waits_for_the_first_and_gets_its_answer(deed: Deed, tenant: Tenant) -> None:
    deed.may_end.clear()
    first = asyncio.create_task(deed.run(asked()))
    await deed.has_begun.wait()

    twin = asyncio.create_task(deed.run(asked()))
    async with tenant.reading() as session, asyncio.timeout(2):
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        while not await session.scalar(waiting):  # noqa: ASYNC110 - PostgreSQL can't set our event
            await asyncio.sleep(0)
    deed.may_end.set()

    assert await first == "done"
    assert (await twin).startswith("again")
    assert deed.began == 1


async def test_a_twin_does_it_if_the_first_fails(deed: Deed) -> None:
    deed.may_end.clear()
    deed.refuses = ZeroDivisionError("a bug")
    first = asyncio.create_task(deed.run(asked()))
    await deed.has_begun.wait()
    second = Deed(deed.database)
    twin = asyncio.create_task(second.run(asked()))
    deed.may_end.set()

    assert await twin == "done"
    with pytest.raises(ZeroDivisionError):
        await first
    assert await deed.rows() == 1


async def test_a_twin_that_waits_too_long_is_told_to_try_again(deed: Deed) -> None:
    deed.may_end.clear()
    first = asyncio.create_task(deed.run(asked()))
    await deed.has_begun.wait()

    with pytest.raises(IdempotencyInProgress) as refusal:
        await deed.run(asked())

    assert refusal.value.retry_after_s == 1
    deed.may_end.set()
    assert await first == "done"


async def test_a_twin_that_comes_between_a_refusal_and_its_record_decides_for_both(
    deed: Deed, tenant: Tenant
) -> None:
    lucky = Deed(tenant)
    deed.refuses = TillEmpty(left=0)
    opened = 0

    @asynccontextmanager
    async def transaction() -> AsyncIterator[TenantSession]:
        nonlocal opened
        opened += 1
        if opened == 2:
            assert await lucky.run(asked()) == "done"
        async with tenant.transaction() as session:
            yield session

    answer = await run_once(transaction, asked(), deed.do, deed.read)

    assert answer.startswith("again")
    assert (deed.began, lucky.began, await deed.rows()) == (1, 1, 1)


async def test_another_error_of_the_database_is_not_taken_for_a_busy_twin(tenant: Tenant) -> None:
    async def break_it(session: TenantSession) -> str:
        await session.execute(text("SELECT 1 FROM no_such_table"))
        return "never"

    with pytest.raises(ProgrammingError):
        await run_once(tenant.transaction, asked(), break_it, Deed(tenant).read)


@pytest.mark.parametrize("key", ["", "x" * 256, "two words", "tab\t", "né", "line\n"])
def test_a_key_that_is_empty_too_long_or_invisible_is_refused(key: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        asked(key)

    assert refusal.value.field == "idempotencyKey"


async def test_the_longest_key_is_kept_whole(deed: Deed) -> None:
    await deed.run(asked("x" * 255))

    assert (await deed.run(asked("x" * 255))).startswith("again")
    assert await deed.run(asked("x" * 254)) == "done"


def test_the_order_of_the_input_does_not_matter() -> None:
    one = Once("op", "k", "a", {"amount": 1, "phone": UUID(int=1)}, {})
    other = Once("op", "k", "a", {"phone": UUID(int=1), "amount": 1}, {})

    assert one.input_hash == other.input_hash
    assert one.input_hash != Once("op", "k", "a", {"amount": 1}, {}).input_hash
