"""Balances, now and at past instants."""

import random
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, text

from core.clock import utc_now
from core.currency import Currency
from core.ids import new_id
from core.money import Money
from tenancy.sessions import Tenant
from tenant_db.ledger.balances import Counters, account_balances, store_balances, store_state
from tenant_db.ledger.commands import NewHold, PostHold, VoidHold
from tenant_db.ledger.holding import place_hold, post_hold, void_hold
from tenant_db.ledger.models import Entry, Hold, LedgerAccount
from tenant_db.ledger.results import Held
from tenant_db.ledger.rules import TransferKind
from tests.factories.stores import make_store
from tests.factories.trading import Stall, make_stall, trade

KES, USD = Currency.KES, Currency.USD
MOMENT = timedelta(microseconds=1)


def counters(total: int, reserved: int = 0, pending: int = 0, currency: Currency = KES) -> Counters:
    return Counters(Money(total, currency), Money(reserved, currency), Money(pending, currency))


async def set_aside(tenant: Tenant, stall: Stall, amount_minor: int) -> Held:
    """For a payout."""
    amount = Money(amount_minor, stall.currency)
    new = NewHold(stall.available_id, stall.holding_id, amount, TransferKind.PAYOUT, "po_1", str(new_id()))
    async with tenant.transaction() as session:
        return await place_hold(session, new, utc_now())


async def post_part(tenant: Tenant, held: Held, amount_minor: int) -> None:
    command = PostHold(held.id, Money(amount_minor, held.currency))
    async with tenant.transaction() as session:
        await post_hold(session, command, utc_now())


async def let_go(tenant: Tenant, held: Held) -> None:
    async with tenant.transaction() as session:
        await void_hold(session, VoidHold(held.id), utc_now())


async def at(tenant: Tenant, account_id: UUID, instant: datetime | None = None) -> Counters:
    async with tenant.reading() as session:
        return (await account_balances(session, [account_id], instant))[account_id]


async def now_of(tenant: Tenant) -> datetime:
    async with tenant.reading() as session:
        instant: datetime = (await session.execute(text("SELECT clock_timestamp()"))).scalar_one()
        return instant


@pytest.fixture
async def stall(tenant: Tenant) -> Stall:
    return await make_stall(tenant, (await make_store(tenant)).id, new_id())


async def test_a_past_balance_is_the_one_that_the_last_entry_until_then_left(
    tenant: Tenant, stall: Stall
) -> None:
    (first,) = await trade(tenant, stall.sale(100))
    (second,) = await trade(tenant, stall.sale(50))
    (third,) = await trade(tenant, stall.refund(30))

    instants = {
        first.created_at - MOMENT: 0,
        first.created_at: 100,
        second.created_at - MOMENT: 100,
        second.created_at: 150,
        third.created_at - MOMENT: 150,
        third.created_at: 120,
        third.created_at + timedelta(days=1): 120,
    }
    for instant, total in instants.items():
        assert await at(tenant, stall.available_id, instant) == counters(total)
        # Its normal side is the other one.
        assert await at(tenant, stall.holding_id, instant) == counters(total)


async def test_a_hold_counts_from_when_it_was_placed_until_it_was_resolved(
    tenant: Tenant, stall: Stall
) -> None:
    await trade(tenant, stall.sale(100))
    held = await set_aside(tenant, stall, 60)
    placed_at = await now_of(tenant)
    await post_part(tenant, held, 40)
    posted_at = await now_of(tenant)
    other = await set_aside(tenant, stall, 5)
    await let_go(tenant, other)

    assert await at(tenant, stall.available_id, placed_at) == counters(100, reserved=60)
    assert (await at(tenant, stall.available_id, placed_at)).available == Money(40, KES)
    assert await at(tenant, stall.holding_id, placed_at) == counters(100, reserved=60)
    assert await at(tenant, stall.available_id, posted_at) == counters(60)
    assert await at(tenant, stall.available_id, await now_of(tenant)) == counters(60)


async def test_what_holds_will_bring_is_pending_and_not_available(tenant: Tenant, stall: Stall) -> None:
    other = await make_stall(tenant, stall.store_id, new_id())
    await trade(tenant, stall.sale(100))
    amount = Money(25, KES)
    new = NewHold(stall.available_id, other.available_id, amount, TransferKind.TRANSFER, "move", "key")
    async with tenant.transaction() as session:
        await place_hold(session, new, utc_now())

    for instant in (None, await now_of(tenant)):
        found = await at(tenant, other.available_id, instant)
        assert (found, found.available) == (counters(0, pending=25), Money(0, KES))


async def test_every_past_balance_is_that_of_a_look_at_all_entries_and_holds(
    tenant: Tenant, stall: Stall
) -> None:
    rng = random.Random(11)  # noqa: S311 - the same books in every run
    open_holds: list[Held] = []
    await trade(tenant, stall.sale(10_000))
    for _ in range(60):
        step = rng.choice(["sale", "refund", "place", "post", "void"])
        if step == "sale":
            await trade(tenant, stall.sale(rng.randint(1, 99)), stall.sale(rng.randint(1, 99)))
        elif step == "refund":
            await trade(tenant, stall.refund(rng.randint(1, 50)))
        elif step == "place":
            open_holds.append(await set_aside(tenant, stall, rng.randint(1, 50)))
        elif open_holds:
            held = open_holds.pop(rng.randrange(len(open_holds)))
            await (let_go(tenant, held) if step == "void" else post_part(tenant, held, held.amount_minor))

    async with tenant.reading() as session:
        mine = Entry.account_id == stall.available_id
        entries = list(await session.scalars(select(Entry).where(mine).order_by(Entry.sequence)))
        holds = list(await session.scalars(select(Hold)))
        instants = {entry.created_at for entry in entries} | {hold.created_at for hold in holds}
        instants |= {hold.resolved_at for hold in holds if hold.resolved_at is not None}
        for instant in [each + step for each in instants for step in (-MOMENT, timedelta(0))]:
            past = [entry.balance_after_minor for entry in entries if entry.created_at <= instant]
            pending = [
                hold.amount_minor
                for hold in holds
                if hold.created_at <= instant and (hold.resolved_at is None or hold.resolved_at > instant)
            ]
            found = (await account_balances(session, [stall.available_id], instant))[stall.available_id]
            assert found == counters(past[-1] if past else 0, sum(pending))
        last = await session.get_one(LedgerAccount, stall.available_id)
        present = (await account_balances(session, [stall.available_id]))[stall.available_id]
    assert present == Counters.of(last) == await at(tenant, stall.available_id, await now_of(tenant))


async def test_a_store_had_no_balance_before_it_earned(tenant: Tenant, stall: Stall) -> None:
    dollars = await make_stall(tenant, stall.store_id, new_id(), USD)
    second = await make_stall(tenant, stall.store_id, new_id())
    before = await now_of(tenant)
    await trade(tenant, stall.sale(100))
    between = await now_of(tenant)
    await trade(tenant, second.sale(7))
    await trade(tenant, dollars.sale(3))

    async with tenant.reading() as session:
        assert await store_balances(session, stall.store_id, before) == []
        (past,) = await store_balances(session, stall.store_id, between)
        shillings, dollar = await store_balances(session, stall.store_id, await now_of(tenant))

    assert (past.counters, [each.holding for each in past.holdings]) == (counters(100), [stall.place.name])
    assert (shillings.counters, dollar.counters) == (counters(107), counters(3, currency=USD))
    assert {each.holding: each.counters for each in shillings.holdings} == {
        stall.place.name: counters(100),
        second.place.name: counters(7),
    }


async def test_the_state_of_a_store_counts_entries_and_time(tenant: Tenant, stall: Stall) -> None:
    other = await make_stall(tenant, (await make_store(tenant, "other")).id, new_id())
    states = []
    for step in (trade(tenant, stall.sale(100)), set_aside(tenant, stall, 40), trade(tenant, other.sale(9))):
        await step
        async with tenant.reading() as session:
            states.append(await store_state(session, stall.store_id))

    sold, held, unchanged = states
    assert (sold.sequence, held.sequence) == (1, 1)
    assert sold.as_of < held.as_of
    assert held.balances[0].counters == counters(100, reserved=40)
    assert (unchanged.sequence, unchanged.balances) == (held.sequence, held.balances)
    assert sold.account_ids == {stall.available_id}
