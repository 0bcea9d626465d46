"""Posting moves money once, between two open accounts of one currency, and never below a floor."""

import itertools
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest
from sqlalchemy import select

from core.currency import Currency
from core.errors import DomainError
from core.ids import new_id
from core.money import CurrencyMismatch, Money
from tenancy.idempotency import IdempotencyKeyReused
from tenancy.sessions import Tenant
from tenant_db.ledger.errors import (
    AccountClosed,
    AccountUnknown,
    AmountNotPositive,
    CeilingExceeded,
    InsufficientFunds,
    SameAccount,
)
from tenant_db.ledger.models import LedgerAccount, Transfer
from tenant_db.ledger.posting import NewTransfer, post, post_linked
from tenant_db.ledger.results import Posted
from tenant_db.ledger.rules import NormalSide, Overdraft, TransferKind
from tests.factories.ledger import balance_of, entries_of, make_account, sale
from tests.racing import race


def post_in(tenant: Tenant, new: NewTransfer) -> Callable[[], Awaitable[Posted]]:
    async def posting() -> Posted:
        async with tenant.transaction() as session:
            return await post(session, new)

    return posting


async def pair(tenant: Tenant, **target: int | bool) -> tuple[UUID, UUID]:
    source = await make_account(tenant, "holding:one", side=NormalSide.DEBIT)
    return source, await make_account(tenant, "store:one:available:one", **target)  # type: ignore[arg-type]  # a test names the one option it is about


async def refused(tenant: Tenant, new: NewTransfer) -> DomainError:
    with pytest.raises(DomainError) as refusal:
        await post_in(tenant, new)()
    return refusal.value


async def test_a_sale_grows_the_holding_and_the_store(tenant: Tenant) -> None:
    source, target = await pair(tenant)

    transfer = await post_in(tenant, sale(source, target))()

    assert await balance_of(tenant, source) == 1_250
    assert await balance_of(tenant, target) == 1_250
    (debit,) = await entries_of(tenant, source)
    (credit,) = await entries_of(tenant, target)
    assert (debit.side, debit.balance_before_minor, debit.balance_after_minor) == ("debit", 0, 1_250)
    assert (credit.side, credit.transfer_id, credit.sequence) == ("credit", transfer.id, 1)


async def test_what_post_returns_is_what_it_stored(tenant: Tenant) -> None:
    source, target = await pair(tenant)

    made = await post_in(tenant, sale(source, target))()

    async with tenant.reading() as session:
        stored = (await session.scalars(select(Transfer))).one()
    for column in ("id", "created_at", "source_id", "destination_id", "amount_minor", "currency", "kind"):
        assert getattr(made, column) == getattr(stored, column)
    for column in ("reference", "idempotency_key", "effective_at", "reverses_id", "details"):
        assert getattr(made, column) == getattr(stored, column)
    assert stored.transaction_id > 0


async def test_ten_rivals_with_one_key_move_the_money_once(tenant: Tenant) -> None:
    source, target = await pair(tenant)
    barrier = select(LedgerAccount).where(LedgerAccount.id == source).with_for_update()

    results = await race(tenant, barrier, [post_in(tenant, sale(source, target)) for _ in range(10)])

    assert len({result.id for result in results if isinstance(result, Posted)}) == 1
    assert not [result for result in results if isinstance(result, BaseException)]
    assert await balance_of(tenant, target) == 1_250


async def test_rivals_that_cross_never_deadlock_and_lose_nothing(tenant: Tenant) -> None:
    one = await make_account(tenant, "one", balance_minor=10_000)
    two = await make_account(tenant, "two", balance_minor=10_000)
    there = [post_in(tenant, sale(one, two, 100, f"there:{number}")) for number in range(6)]
    back = [post_in(tenant, sale(two, one, 30, f"back:{number}")) for number in range(6)]
    barrier = select(LedgerAccount).where(LedgerAccount.id.in_([one, two])).with_for_update()

    results = await race(tenant, barrier, [*there, *back])

    assert not [result for result in results if isinstance(result, BaseException)]
    assert await balance_of(tenant, one) == 10_000 - 600 + 180
    assert await balance_of(tenant, two) == 10_000 + 600 - 180


async def test_rivals_for_the_last_shilling_have_one_winner(tenant: Tenant) -> None:
    store = await make_account(tenant, "store", balance_minor=100, floor_minor=0)
    out = await make_account(tenant, "out")
    barrier = select(LedgerAccount).where(LedgerAccount.id == store).with_for_update()

    results = await race(
        tenant, barrier, [post_in(tenant, sale(store, out, 100, f"out:{number}")) for number in range(8)]
    )

    assert len([result for result in results if isinstance(result, Posted)]) == 1
    assert len([result for result in results if isinstance(result, InsufficientFunds)]) == 7
    assert await balance_of(tenant, store) == 0


async def test_entries_are_gap_free_and_each_starts_where_the_last_ended(tenant: Tenant) -> None:
    source, target = await pair(tenant)
    barrier = select(LedgerAccount).where(LedgerAccount.id == target).with_for_update()

    await race(
        tenant,
        barrier,
        [post_in(tenant, sale(source, target, amount, f"sale:{amount}")) for amount in range(1, 9)],
    )

    entries = await entries_of(tenant, target)
    assert [entry.sequence for entry in entries] == list(range(1, 9))
    assert entries[0].balance_before_minor == 0
    for earlier, later in itertools.pairwise(entries):
        assert later.balance_before_minor == earlier.balance_after_minor
    assert entries[-1].balance_after_minor == sum(range(1, 9)) == await balance_of(tenant, target)


async def test_a_repeat_gives_the_first_transfer_even_when_the_money_is_gone(tenant: Tenant) -> None:
    store = await make_account(tenant, "store", balance_minor=100, floor_minor=0)
    out = await make_account(tenant, "out")
    first = await post_in(tenant, sale(store, out, 100))()

    again = await post_in(tenant, sale(store, out, 100))()

    assert again.id == first.id
    assert await balance_of(tenant, out) == 100


@pytest.mark.parametrize("change", ["amount", "kind", "reference", "details"])
async def test_a_reused_key_is_refused(tenant: Tenant, change: str) -> None:
    source, target = await pair(tenant)
    await post_in(tenant, sale(source, target))()
    other = {
        "amount": (Money(1_251, Currency.KES), TransferKind.SALE, "pay_1", {}),
        "kind": (Money(1_250, Currency.KES), TransferKind.FEE, "pay_1", {}),
        "reference": (Money(1_250, Currency.KES), TransferKind.SALE, "pay_2", {}),
        "details": (Money(1_250, Currency.KES), TransferKind.SALE, "pay_1", {"till": 2}),
    }
    amount, kind, reference, details = other[change]

    refusal = await refused(
        tenant, NewTransfer(source, target, amount, kind, reference, "sale:1", details=details)
    )

    assert isinstance(refusal, IdempotencyKeyReused)
    assert await balance_of(tenant, target) == 1_250


async def test_pending_holds_count_as_spent(tenant: Tenant) -> None:
    store = await make_account(tenant, "store", balance_minor=1_000, reserved_minor=400, floor_minor=0)
    out = await make_account(tenant, "out")

    refusal = await refused(tenant, sale(store, out, 601))
    await post_in(tenant, sale(store, out, 600, "exactly"))()

    assert isinstance(refusal, InsufficientFunds)
    assert refusal.available_minor == 600
    assert await balance_of(tenant, store) == 400


async def test_what_nobody_here_decides_ignores_the_floor(tenant: Tenant) -> None:
    store = await make_account(tenant, "store", balance_minor=100, floor_minor=0)
    out = await make_account(tenant, "out")
    chargeback = NewTransfer(
        store,
        out,
        Money(250, Currency.KES),
        TransferKind.ADJUSTMENT,
        "pay_1",
        "chargeback:1",
        overdraft=Overdraft.ALLOWED,
    )

    await post_in(tenant, chargeback)()

    assert await balance_of(tenant, store) == -150


async def test_a_ceiling_is_kept(tenant: Tenant) -> None:
    source, target = await pair(tenant, ceiling_minor=2_000)
    await post_in(tenant, sale(source, target, 2_000, "full"))()

    refusal = await refused(tenant, sale(source, target, 1, "over"))

    assert isinstance(refusal, CeilingExceeded)
    assert await balance_of(tenant, source) == 2_000


async def test_a_closed_account_takes_nothing(tenant: Tenant) -> None:
    source, target = await pair(tenant, is_closed=True)

    assert isinstance(await refused(tenant, sale(source, target)), AccountClosed)
    assert await balance_of(tenant, source) == 0


async def test_another_currency_is_refused(tenant: Tenant) -> None:
    source, target = await pair(tenant)

    refusal = await refused(tenant, sale(source, target, currency=Currency.USD))

    assert isinstance(refusal, CurrencyMismatch)
    assert (refusal.expected, refusal.got) == (Currency.KES, Currency.USD)


async def test_an_unknown_account_is_refused(tenant: Tenant) -> None:
    source, _ = await pair(tenant)

    assert isinstance(await refused(tenant, sale(source, new_id())), AccountUnknown)


@pytest.mark.parametrize("amount_minor", [0, -1])
def test_nothing_or_less_is_no_transfer(amount_minor: int) -> None:
    with pytest.raises(AmountNotPositive):
        sale(new_id(), new_id(), amount_minor)


def test_one_account_is_no_pair() -> None:
    account = new_id()
    with pytest.raises(SameAccount):
        sale(account, account)


async def test_linked_transfers_fail_together(tenant: Tenant) -> None:
    source, target = await pair(tenant, floor_minor=0)
    out = await make_account(tenant, "out")

    with pytest.raises(InsufficientFunds):
        async with tenant.transaction() as session:
            await post_linked(
                session,
                [sale(source, target, 100, "in"), sale(target, out, 60, "a"), sale(target, out, 60, "b")],
            )

    assert [await balance_of(tenant, id_) for id_ in (source, target, out)] == [0, 0, 0]
    assert await entries_of(tenant, target) == []


async def test_linked_transfers_spend_what_earlier_ones_brought(tenant: Tenant) -> None:
    source, target = await pair(tenant, floor_minor=0)
    out = await make_account(tenant, "out")
    linked = [sale(source, target, 100, "in"), sale(target, out, 60, "out")]

    for _ in range(2):
        async with tenant.transaction() as session:
            first, second = await post_linked(session, linked)

    assert (first.idempotency_key, second.idempotency_key) == ("in", "out")
    assert await balance_of(tenant, target) == 40
    assert [entry.balance_after_minor for entry in await entries_of(tenant, target)] == [100, 40]


async def test_an_18_decimal_amount_is_exact(tenant: Tenant) -> None:
    source, target = await pair(tenant)
    huge = 10**37 + 1

    await post_in(tenant, sale(source, target, huge))()

    assert await balance_of(tenant, target) == huge
