"""Callers of one tenant share transactions, and nobody pays for a neighbour."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import func, make_url, select
from sqlalchemy.exc import DBAPIError

from resolvers import ledger_batches
from resolvers.ledger_batches import Batches, Outcome
from tenancy.context import Services
from tenancy.errors import Capacity, TenantUnavailable
from tenancy.idempotency import IdempotencyInProgress
from tenancy.sessions import Tenant, TenantSession
from tenant_db.ledger.batching import Linked, Made, Repeated, Request
from tenant_db.ledger.errors import InsufficientFunds
from tenant_db.ledger.models import LedgerAccount, Transfer
from tests.factories.batches import posting, transfer
from tests.factories.ledger import balance_of, make_account
from tests.racing import race, stand_still

CALLERS = 40


@pytest.fixture
async def batches(services: Services) -> AsyncIterator[Batches]:
    made = services.shared(Batches)
    yield made
    await made.close()
    assert made.is_idle


async def accounts(tenant: Tenant, balance_minor: int = 100_000) -> tuple[UUID, UUID]:
    """One with money that it can't overdraw, and one without."""
    source = await make_account(tenant, "custom:from", balance_minor=balance_minor, floor_minor=0)
    return source, await make_account(tenant, "custom:to")


async def carried_out(batches: Batches, tenant: Tenant, *requests: Request) -> Sequence[Outcome]:
    """Each asked for by a caller of its own, all at once."""
    told = await asyncio.gather(*[batches.carry_out(tenant, [request]) for request in requests])
    return [outcome for (outcome,) in told]


async def transactions(tenant: Tenant) -> int:
    """How many wrote transfers."""
    async with tenant.reading() as session:
        return int(await session.scalar(select(func.count(Transfer.transaction_id.distinct()))) or 0)


async def references(tenant: Tenant) -> set[str]:
    async with tenant.reading() as session:
        return set(await session.scalars(select(Transfer.idempotency_key)))


@asynccontextmanager
async def locked(tenant: Tenant, account_id: UUID) -> AsyncIterator[TenantSession]:
    async with tenant.transaction() as session:
        await session.execute(
            select(LedgerAccount.id).where(LedgerAccount.id == account_id).with_for_update()
        )
        yield session


async def test_callers_at_the_same_time_share_a_transaction(batches: Batches, tenant: Tenant) -> None:
    source, target = await accounts(tenant)
    wanted = [posting(source, target, 10, f"key-{number}") for number in range(CALLERS)]

    told = await carried_out(batches, tenant, *wanted)

    assert all(isinstance(outcome, Made) for outcome in told)
    assert await balance_of(tenant, target) == CALLERS * 10
    assert await transactions(tenant) == 1


async def test_everybody_gets_the_answer_to_what_they_asked(batches: Batches, tenant: Tenant) -> None:
    source, target = await accounts(tenant)
    wanted = [posting(source, target, 10 + number, f"key-{number}") for number in range(CALLERS)]

    told = await carried_out(batches, tenant, *wanted)

    amounts = [outcome.transfers[0].amount_minor for outcome in told if isinstance(outcome, Made)]
    assert amounts == [10 + number for number in range(CALLERS)]


async def test_a_caller_alone_does_not_wait_for_others(batches: Batches, tenant: Tenant) -> None:
    source, target = await accounts(tenant)

    (told,) = await batches.carry_out(tenant, [posting(source, target, 10, "key")])

    assert isinstance(told, Made)
    assert await transactions(tenant) == 1


async def test_a_transaction_takes_no_more_callers_than_it_may(
    batches: Batches, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_batches, "CALLERS_MAX", 10)
    source, target = await accounts(tenant)

    await carried_out(
        batches, tenant, *[posting(source, target, 10, f"key-{number}") for number in range(CALLERS)]
    )

    assert await transactions(tenant) == CALLERS // 10


async def test_a_transaction_takes_no_more_postings_than_it_may(
    batches: Batches, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_batches, "POSTINGS_MAX", 5)
    source, target = await accounts(tenant)
    wanted = []
    for key in ("a", "b", "c"):
        single = posting(source, target, 10, key)
        news = [transfer(source, target, 10, f"{key} {number}") for number in range(3)]
        wanted.append(replace(single, command=Linked(news)))

    told = await carried_out(batches, tenant, *wanted)

    assert [len(outcome.transfers) for outcome in told if isinstance(outcome, Made)] == [3, 3, 3]
    assert await transactions(tenant) == 3


async def test_who_is_refused_leaves_the_neighbours_alone(batches: Batches, tenant: Tenant) -> None:
    source, target = await accounts(tenant, balance_minor=100)

    told = await carried_out(
        batches,
        tenant,
        posting(source, target, 60, "first"),
        posting(source, target, 60, "too-much"),
        posting(source, target, 40, "last"),
    )

    assert [type(outcome) for outcome in told] == [Made, InsufficientFunds, Made]
    assert await balance_of(tenant, source) == 0


async def test_a_fault_is_the_guilty_one_s_alone(batches: Batches, tenant: Tenant) -> None:
    source, target = await accounts(tenant)
    broken = transfer(source, target, 10, "broken")
    # What no guard lets through: PostgreSQL refuses the whole statement.
    object.__setattr__(broken, "details_json", "no json")
    guilty = replace(posting(source, target, 10, "broken"), command=Linked([broken]))

    told = await carried_out(
        batches, tenant, posting(source, target, 10, "a"), guilty, posting(source, target, 10, "b")
    )

    assert [type(outcome) for outcome in told] == [Made, DBAPIError, Made]
    assert await balance_of(tenant, target) == 20


async def test_who_needs_what_is_held_is_told_to_try_again_alone(batches: Batches, tenant: Tenant) -> None:
    source, target = await accounts(tenant)
    # Of its own: who waits for the busy one holds nothing that the neighbours wait for.
    elsewhere = await make_account(tenant, "custom:elsewhere")
    busy = await make_account(tenant, "custom:busy")

    async with locked(tenant, busy):
        told = await carried_out(
            batches,
            tenant,
            posting(source, target, 10, "a"),
            posting(elsewhere, busy, 10, "b"),
            posting(source, target, 10, "c"),
        )

    assert [type(outcome) for outcome in told] == [Made, IdempotencyInProgress, Made]
    (again,) = await batches.carry_out(tenant, [posting(elsewhere, busy, 10, "b")])
    assert isinstance(again, Made)


async def test_rivals_in_two_processes_move_the_money_once(services: Services, tenant: Tenant) -> None:
    source, target = await accounts(tenant)
    processes = [Batches(services), Batches(services)]
    barrier = select(LedgerAccount.id).where(LedgerAccount.id == source).with_for_update()

    def rival(process: Batches) -> Callable[[], Awaitable[Outcome]]:
        async def post() -> Outcome:
            outcome: Outcome = IdempotencyInProgress()
            while isinstance(outcome, IdempotencyInProgress):
                (outcome,) = await process.carry_out(tenant, [posting(source, target, 10, "key")])
            return outcome

        return post

    told = await race(tenant, barrier, [rival(process) for process in processes])

    assert {type(outcome) for outcome in told} == {Made, Repeated}
    assert await balance_of(tenant, target) == 10


async def test_a_caller_who_goes_takes_nobody_along(
    batches: Batches, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_batches, "BATCHES_AT_ONCE", 1)
    source, target = await accounts(tenant)
    async with locked(tenant, source):
        begun = asyncio.ensure_future(batches.carry_out(tenant, [posting(source, target, 1, "begun")]))
        await stand_still(tenant, begun)
        gone = asyncio.ensure_future(batches.carry_out(tenant, [posting(source, target, 2, "gone")]))
        stays = asyncio.ensure_future(batches.carry_out(tenant, [posting(source, target, 4, "stays")]))
        await asyncio.sleep(0)
        begun.cancel()
        gone.cancel()

    (told,) = await stays

    await batches.close()
    assert isinstance(told, Made)
    # What had begun is done as a whole, though nobody waits for it; what had not is not done at all.
    assert await balance_of(tenant, target) == 1 + 4
    assert await references(tenant) == {"people:postTransfers:begun", "people:postTransfers:stays"}


async def test_a_batch_is_of_one_business(batches: Batches, tenant: Tenant, second_tenant: Tenant) -> None:
    sides = {one: await accounts(one) for one in (tenant, second_tenant)}
    wanted = [
        (one, posting(*sides[one], 10, f"{number}-of-{place}"))
        for number in range(5)
        for place, one in enumerate((tenant, second_tenant))
    ]

    told = await asyncio.gather(*[batches.carry_out(one, [request]) for one, request in wanted])

    assert all(isinstance(outcome, Made) for (outcome,) in told)
    for place, one in enumerate((tenant, second_tenant)):
        assert await references(one) == {f"people:postTransfers:{number}-of-{place}" for number in range(5)}
        assert await transactions(one) == 1


async def test_the_same_key_is_another_key_in_another_business(
    batches: Batches, tenant: Tenant, second_tenant: Tenant
) -> None:
    wanted = [(one, posting(*await accounts(one), 10, "key")) for one in (tenant, second_tenant)]

    told = await asyncio.gather(*[batches.carry_out(one, [request]) for one, request in wanted])

    assert all(isinstance(outcome, Made) for (outcome,) in told)


async def test_a_database_that_is_away_is_told_to_all(batches: Batches, tenant: Tenant) -> None:
    source, target = await accounts(tenant)
    nowhere = make_url(tenant.ref.database_url).set(host="127.0.0.1", port=1, query={})
    ref = replace(tenant.ref, database_url=nowhere.render_as_string(hide_password=False), epoch=2)
    away = Tenant(ref, tenant._connections, tenant._signals)  # noqa: SLF001 - the same tenant elsewhere

    told = await carried_out(
        batches, away, posting(source, target, 10, "a"), posting(source, target, 10, "b")
    )

    assert {type(outcome) for outcome in told} == {TenantUnavailable}


async def test_only_so_many_may_wait(
    batches: Batches, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_batches, "WAITING_MAX", 2)
    source, target = await accounts(tenant)
    wanted = [posting(source, target, 10, f"key-{number}") for number in range(5)]

    told = await asyncio.gather(
        *[batches.carry_out(tenant, [request]) for request in wanted], return_exceptions=True
    )

    refused = [outcome for outcome in told if isinstance(outcome, Capacity)]
    assert len(refused) == 2
    assert await balance_of(tenant, target) == 30


async def test_the_end_of_the_process_waits_for_what_was_asked(services: Services, tenant: Tenant) -> None:
    source, target = await accounts(tenant)
    batches = services.shared(Batches)
    asked = asyncio.ensure_future(batches.carry_out(tenant, [posting(source, target, 10, "key")]))
    await asyncio.sleep(0)

    await services.close()

    assert await balance_of(tenant, target) == 10
    assert isinstance((await asked)[0], Made)


async def test_a_bulk_has_an_outcome_for_each(batches: Batches, tenant: Tenant) -> None:
    source, target = await accounts(tenant, balance_minor=30)
    wanted = [posting(source, target, 10, f"key-{number}") for number in range(4)]

    first, second = await asyncio.gather(
        batches.carry_out(tenant, wanted), batches.carry_out(tenant, wanted[:1])
    )

    assert [type(outcome) for outcome in first] == [Made, Made, Made, InsufficientFunds]
    assert [type(outcome) for outcome in second] == [Repeated]
    assert await transactions(tenant) == 1
    assert await balance_of(tenant, target) == 30
