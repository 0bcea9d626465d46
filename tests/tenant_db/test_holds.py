"""A hold counts as spent, and is resolved once: posted, in full or in part, voided or expired."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from core.currency import Currency
from core.errors import InvalidInput
from core.ids import new_id
from core.money import CurrencyMismatch, Money
from tenancy.columns import OutboxColumns
from tenancy.sessions import Tenant
from tenancy.shapes import model_of
from tenant_db.ledger.commands import PostHold
from tenant_db.ledger.errors import (
    AccountClosed,
    AccountUnknown,
    AmountNotPositive,
    AmountTooLarge,
    CeilingExceeded,
    HoldExceeded,
    HoldExpired,
    HoldUnknown,
    InsufficientFunds,
    SameAccount,
)
from tenant_db.ledger.holding import expire_due
from tenant_db.ledger.posting import post
from tenant_db.ledger.results import Posted
from tenant_db.ledger.rules import NormalSide, Overdraft
from tests.factories.holds import END, a_hold, expiring, hold_ends, kes, placed, posting, row_of, voiding
from tests.factories.ledger import NOW, balance_of, entries_of, make_account, pending_of, sale


async def test_a_hold_counts_as_spent_and_makes_no_entry(tenant: Tenant) -> None:
    source, target = await hold_ends(tenant)

    await placed(tenant, a_hold((source, target)))

    assert (await pending_of(tenant, source), await pending_of(tenant, target)) == ((600, 0), (0, 600))
    assert (await balance_of(tenant, source), await balance_of(tenant, target)) == (1_000, 0)
    assert await entries_of(tenant, source) == []
    with pytest.raises(InsufficientFunds) as refusal:
        async with tenant.transaction() as session:
            await post(session, sale(source, target, 401))
    assert refusal.value.available_minor == 400


async def test_holds_can_not_set_aside_more_than_there_is(tenant: Tenant) -> None:
    ends = await hold_ends(tenant)
    await placed(tenant, a_hold(ends))

    with pytest.raises(InsufficientFunds):
        await placed(tenant, a_hold(ends, 401, "payout:2"))

    assert await pending_of(tenant, ends[0]) == (600, 0)


async def test_what_holds_would_bring_counts_against_the_ceiling(tenant: Tenant) -> None:
    source = await make_account(tenant, "source", balance_minor=1_000)
    full = await make_account(tenant, "full", balance_minor=50, ceiling_minor=100)
    await placed(tenant, a_hold((source, full), 50))

    with pytest.raises(CeilingExceeded):
        await placed(tenant, a_hold((source, full), 1, "payout:2"))


async def test_a_hold_is_posted_in_full(tenant: Tenant) -> None:
    ends = await hold_ends(tenant)
    held = await placed(tenant, a_hold(ends))

    posted = await posting(tenant, held)()

    assert isinstance(posted, Posted)
    assert (posted.hold_id, posted.kind, posted.reference) == (held.id, "payout", "pout_1")
    assert posted.details == {"phone": "…001"}
    assert [await balance_of(tenant, id_) for id_ in ends] == [400, 600]
    assert [await pending_of(tenant, id_) for id_ in ends] == [(0, 0), (0, 0)]
    row = await row_of(tenant, held)
    assert (row.state, row.posted_minor, row.resolved_at) == ("posted", 600, posted.created_at)
    assert [entry.balance_after_minor for entry in await entries_of(tenant, ends[0])] == [400]


async def test_the_rest_of_a_hold_posted_in_part_is_free(tenant: Tenant) -> None:
    ends = await hold_ends(tenant)
    held = await placed(tenant, a_hold(ends))

    await posting(tenant, held, kes(100))()

    assert [await balance_of(tenant, id_) for id_ in ends] == [900, 100]
    assert [await pending_of(tenant, id_) for id_ in ends] == [(0, 0), (0, 0)]
    assert (await row_of(tenant, held)).posted_minor == 100


async def test_a_voided_hold_is_free_and_moves_nothing(tenant: Tenant) -> None:
    ends = await hold_ends(tenant)
    held = await placed(tenant, a_hold(ends))

    await voiding(tenant, held)()

    assert [await balance_of(tenant, id_) for id_ in ends] == [1_000, 0]
    assert [await pending_of(tenant, id_) for id_ in ends] == [(0, 0), (0, 0)]
    row = await row_of(tenant, held)
    assert (row.state, row.posted_minor) == ("voided", 0)
    assert row.resolved_at is not None


async def test_posting_a_hold_breaks_no_limit_that_it_kept(tenant: Tenant) -> None:
    source, target = await hold_ends(tenant)
    held = await placed(tenant, a_hold((source, target)))
    async with tenant.transaction() as session:
        # A chargeback takes what is set aside as well.
        chargeback = replace(sale(source, target, 900, "chargeback"), overdraft=Overdraft.ALLOWED)
        await post(session, chargeback)

    await posting(tenant, held)()

    assert await balance_of(tenant, source) == -500


async def test_a_hold_whose_time_is_over_can_only_be_let_go(tenant: Tenant) -> None:
    ends = await hold_ends(tenant)
    held = await placed(tenant, a_hold(ends))

    for late in (posting(tenant, held, now=END), voiding(tenant, held, now=END)):
        with pytest.raises(HoldExpired):
            await late()
    assert await expiring(tenant, END - timedelta(microseconds=1))() == 0
    assert await expiring(tenant)() == 1
    assert await expiring(tenant)() == 0
    with pytest.raises(HoldExpired):
        await posting(tenant, held)()

    assert [await pending_of(tenant, id_) for id_ in ends] == [(0, 0), (0, 0)]
    assert (await row_of(tenant, held)).state == "expired"


async def test_the_longest_due_expire_first(tenant: Tenant) -> None:
    ends = await hold_ends(tenant)
    later = await placed(tenant, a_hold(ends, 100, "later"))
    sooner = await placed(tenant, replace(a_hold(ends, 100, "sooner"), expires_at=END - timedelta(minutes=1)))
    never = await placed(tenant, replace(a_hold(ends, 100, "never"), expires_at=None))

    async with tenant.transaction() as session:
        assert await expire_due(session, END, limit=1) == 1

    states = [(await row_of(tenant, held)).state for held in (later, sooner, never)]
    assert states == ["pending", "expired", "pending"]


async def test_a_job_is_left_for_the_end_of_a_hold(tenant: Tenant) -> None:
    ends = await hold_ends(tenant)
    held = await placed(tenant, a_hold(ends))
    await placed(tenant, a_hold(ends))
    await placed(tenant, replace(a_hold(ends, 1, "never"), expires_at=None))

    async with tenant.reading() as session:
        rows = (await session.scalars(select(model_of(session, OutboxColumns)))).all()
    assert [(row.kind, row.payload) for row in rows] == [("expire_hold", {"hold_id": str(held.id)})]


async def test_bad_holds_are_refused_each_for_its_reason(tenant: Tenant) -> None:
    source, target = ends = await hold_ends(tenant)
    closed = await make_account(tenant, "closed", is_closed=True)
    counted = await make_account(tenant, "counted", balance_minor=10**38 - 1)

    with pytest.raises(AmountNotPositive):
        a_hold(ends, 0)
    with pytest.raises(SameAccount):
        a_hold((source, source))
    for new, refusal in (
        (a_hold((source, new_id())), AccountUnknown),
        (a_hold((source, closed)), AccountClosed),
        (a_hold((source, counted), 1), AmountTooLarge),
        (replace(a_hold(ends), amount=Money(1, Currency.USD)), CurrencyMismatch),
        (replace(a_hold(ends), expires_at=NOW), InvalidInput),
    ):
        with pytest.raises(refusal):
            await placed(tenant, new)

    assert await pending_of(tenant, source) == (0, 0)
    assert await pending_of(tenant, target) == (0, 0)


async def test_bad_resolutions_are_refused_and_leave_the_hold(tenant: Tenant) -> None:
    ends = await hold_ends(tenant)
    held = await placed(tenant, a_hold(ends))
    unknown = replace(held, id=new_id())

    for run, refusal in (
        (posting(tenant, held, kes(601)), HoldExceeded),
        (posting(tenant, held, Money(1, Currency.USD)), CurrencyMismatch),
        (posting(tenant, unknown), HoldUnknown),
        (voiding(tenant, unknown), HoldUnknown),
    ):
        with pytest.raises(refusal):
            await run()
    with pytest.raises(AmountNotPositive):
        PostHold(held.id, kes(0))

    assert await pending_of(tenant, ends[0]) == (600, 0)


async def test_a_hold_on_a_debit_account_reserves_what_it_would_take(tenant: Tenant) -> None:
    cash = await make_account(tenant, "cash", side=NormalSide.DEBIT, balance_minor=100, floor_minor=0)
    owed = await make_account(tenant, "owed", balance_minor=100)

    await placed(tenant, a_hold((owed, cash), 60))

    with pytest.raises(InsufficientFunds):
        await placed(tenant, a_hold((owed, cash), 41, "payout:2"))
