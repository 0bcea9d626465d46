"""A thousand postings in one transaction: each is made once or refused for its own reason."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import func, select

from core.currency import Currency
from core.errors import DomainError
from core.ids import new_id
from core.money import CurrencyMismatch
from tenancy.errors import TransactionInterrupted
from tenancy.idempotency import IdempotencyKeyReused
from tenancy.sessions import Tenant
from tenant_db.ledger.bulk import post_many
from tenant_db.ledger.commands import NewTransfer, of_people
from tenant_db.ledger.errors import (
    AccountClosed,
    AccountUnknown,
    AmountTooLarge,
    CeilingExceeded,
    CustodyMixed,
    InsufficientFunds,
    TooManyPostings,
)
from tenant_db.ledger.limits import POSTINGS_MAX
from tenant_db.ledger.models import LedgerAccount, Transfer
from tenant_db.ledger.posting import post
from tenant_db.ledger.results import Posted
from tenant_db.ledger.rules import Custody, NormalSide, Origin
from tests.factories.ledger import balance_of, entries_of, make_account, sale
from tests.racing import race, stand_still

Answers = list[Posted | DomainError]


async def posted(tenant: Tenant, news: Sequence[NewTransfer], *, origin: Origin = Origin.SYSTEM) -> Answers:
    async with tenant.transaction() as session:
        return await post_many(session, news, origin=origin)


def bulk_in(tenant: Tenant, news: Sequence[NewTransfer]) -> Callable[[], Awaitable[Answers]]:
    async def run() -> Answers:
        return await posted(tenant, news)

    return run


async def pair(tenant: Tenant) -> tuple[UUID, UUID]:
    source = await make_account(tenant, "holding:one", side=NormalSide.DEBIT)
    return source, await make_account(tenant, "store:one", floor_minor=0)


async def transfers_in(tenant: Tenant) -> int:
    async with tenant.reading() as session:
        return await session.scalar(select(func.count()).select_from(Transfer)) or 0


async def test_a_thousand_postings_into_a_hot_account_are_all_made(tenant: Tenant) -> None:
    source, target = await pair(tenant)
    news = [sale(source, target, number, f"sale:{number}") for number in range(1, POSTINGS_MAX + 1)]

    answers = await posted(tenant, news)

    assert [answer.id for answer in answers if isinstance(answer, Posted)] == [new.id for new in news]
    assert await balance_of(tenant, target) == sum(range(1_001))
    entries = await entries_of(tenant, target)
    assert [entry.sequence for entry in entries] == list(range(1, 1_001))
    assert [entry.balance_after_minor for entry in entries] == [
        sum(range(number + 1)) for number in range(1, 1_001)
    ]


async def test_what_a_bulk_returns_is_what_it_stored(tenant: Tenant) -> None:
    source, target = await pair(tenant)

    (made,) = await posted(tenant, [replace(sale(source, target), details={"till": [4, "é"]})])

    assert isinstance(made, Posted)
    async with tenant.reading() as session:
        stored = (await session.scalars(select(Transfer))).one()
    for column in (
        *("id", "created_at", "source_id", "destination_id", "source_sequence", "destination_sequence"),
        *("amount_minor", "currency", "kind", "reference", "idempotency_key", "effective_at", "reverses_id"),
        *("hold_id", "details"),
    ):
        assert getattr(made, column) == getattr(stored, column), column
    assert stored.transaction_id > 0


async def test_one_more_than_a_thousand_is_refused_as_a_whole(tenant: Tenant) -> None:
    source, target = await pair(tenant)

    with pytest.raises(TooManyPostings):
        await posted(tenant, [sale(source, target, 1, f"sale:{number}") for number in range(1_001)])

    assert await transfers_in(tenant) == 0


async def test_bad_items_are_refused_each_for_its_reason_and_fail_no_neighbour(tenant: Tenant) -> None:
    source, target = await pair(tenant)
    closed = await make_account(tenant, "closed", is_closed=True)
    full = await make_account(tenant, "full", balance_minor=100, ceiling_minor=100)
    counted = await make_account(tenant, "counted", balance_minor=10**38 - 1)
    bad: dict[type[DomainError], NewTransfer] = {
        AccountUnknown: sale(source, new_id(), 1, "unknown"),
        AccountClosed: sale(source, closed, 1, "closed"),
        CurrencyMismatch: sale(source, target, 1, "dollars", Currency.USD),
        InsufficientFunds: sale(target, source, 101, "too much"),
        CeilingExceeded: sale(source, full, 1, "full"),
        AmountTooLarge: sale(source, counted, 1, "counted"),
        IdempotencyKeyReused: sale(source, target, 99, "first"),
    }

    answers = await posted(
        tenant, [sale(source, target, 100, "first"), *bad.values(), sale(target, source, 100, "last")]
    )

    assert [type(answer) for answer in answers] == [Posted, *bad, Posted]
    assert (await balance_of(tenant, source), await balance_of(tenant, target)) == (0, 0)
    assert [entry.sequence for entry in await entries_of(tenant, target)] == [1, 2]
    assert await transfers_in(tenant) == 2


async def test_a_bulk_of_refusals_writes_nothing(tenant: Tenant) -> None:
    source, target = await pair(tenant)

    answers = await posted(tenant, [sale(target, source, 1, "a"), sale(target, source, 2, "b")])

    assert [type(answer) for answer in answers] == [InsufficientFunds, InsufficientFunds]
    assert await transfers_in(tenant) == 0
    assert await posted(tenant, []) == []


async def test_a_refusal_is_not_remembered(tenant: Tenant) -> None:
    source, target = await pair(tenant)
    await posted(tenant, [sale(target, source, 1, "a")])
    await posted(tenant, [sale(source, target, 1, "b")])

    (answer,) = await posted(tenant, [sale(target, source, 1, "a")])

    assert isinstance(answer, Posted)


async def test_a_key_works_once_within_a_bulk_and_over_bulks(tenant: Tenant) -> None:
    source, target = await pair(tenant)
    first, twin = await posted(tenant, [sale(source, target), sale(source, target)])

    again, fresh = await posted(tenant, [sale(source, target), sale(source, target, 1, "sale:2")])

    assert isinstance(first, Posted)
    assert isinstance(twin, Posted)
    assert isinstance(again, Posted)
    assert isinstance(fresh, Posted)
    assert first.id == twin.id == again.id != fresh.id
    assert again.created_at == first.created_at
    assert await balance_of(tenant, target) == 1_251


async def test_amounts_and_balances_beyond_bigint_are_exact(tenant: Tenant) -> None:
    source, target = await pair(tenant)
    for key, amount_minor in (("edge", 2**63 - 1), ("one more", 1), ("huge", 10**37)):
        (answer,) = await posted(tenant, [sale(source, target, amount_minor, key)])
        assert isinstance(answer, Posted)

    assert await balance_of(tenant, target) == 2**63 + 10**37
    assert [entry.balance_after_minor for entry in await entries_of(tenant, target)] == [
        2**63 - 1,
        2**63,
        2**63 + 10**37,
    ]


async def test_people_can_not_change_custody_in_bulk(tenant: Tenant) -> None:
    own = await make_account(tenant, "custom:one", balance_minor=100)
    pooled = await make_account(tenant, "store:1", custody=Custody.PLATFORM, place="wallet_1")

    (refused,) = await posted(tenant, [sale(own, pooled, 1, of_people("a"))], origin=Origin.PEOPLE)
    with pytest.raises(ValueError, match="of_people"):
        await posted(tenant, [sale(own, pooled, 1, "sale:1")], origin=Origin.PEOPLE)
    (allowed,) = await posted(tenant, [sale(own, pooled, 1, "system")])

    assert isinstance(refused, CustodyMixed)
    assert isinstance(allowed, Posted)


async def test_rival_bulks_with_the_same_keys_move_the_money_once(tenant: Tenant) -> None:
    source, target = await pair(tenant)
    barrier = select(LedgerAccount).where(LedgerAccount.id == source).with_for_update()

    def news() -> list[NewTransfer]:
        return [sale(source, target, 10, f"sale:{number}") for number in range(50)]

    results = await race(tenant, barrier, [bulk_in(tenant, news()) for _ in range(8)])

    ids = set()
    for result in results:
        assert not isinstance(result, BaseException), result
        ids |= {answer.id for answer in result if isinstance(answer, Posted)}
    assert len(ids) == 50
    assert await balance_of(tenant, target) == 500


async def test_bulks_that_cross_never_deadlock_and_lose_nothing(tenant: Tenant) -> None:
    accounts = [await make_account(tenant, f"a:{number}", balance_minor=1_000) for number in range(4)]
    barrier = select(LedgerAccount).where(LedgerAccount.id.in_(accounts)).with_for_update()

    def news(rival: int) -> list[NewTransfer]:
        return [
            sale(
                accounts[number % 4], accounts[(number + 1 + rival % 3) % 4], 1 + number, f"{rival}:{number}"
            )
            for number in range(rival, rival + 40)
        ]

    bulks = [news(rival) for rival in range(8)]
    results = await race(tenant, barrier, [bulk_in(tenant, bulk) for bulk in bulks])

    moved = dict.fromkeys(accounts, 1_000)
    for bulk, result in zip(bulks, results, strict=True):
        assert not isinstance(result, BaseException), result
        assert all(isinstance(answer, Posted) for answer in result)
        for new in bulk:
            moved[new.source_id] -= new.amount.minor
            moved[new.destination_id] += new.amount.minor
    assert {account: await balance_of(tenant, account) for account in accounts} == moved


async def test_a_key_that_a_rival_uses_for_other_accounts_is_a_retry(tenant: Tenant) -> None:
    source, target = await pair(tenant)
    others = await make_account(tenant, "a"), await make_account(tenant, "b")
    async with tenant.transaction() as session:
        await post(session, sale(source, target, 10, "taken"))
        rival = asyncio.ensure_future(bulk_in(tenant, [sale(*others, 10, "taken")])())
        await stand_still(tenant, rival)

    with pytest.raises(TransactionInterrupted):
        await rival
    (answer,) = await posted(tenant, [sale(*others, 10, "taken")])

    assert isinstance(answer, IdempotencyKeyReused)
