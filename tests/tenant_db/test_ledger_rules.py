"""The arithmetic of the books holds for any movements."""

from dataclasses import replace
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from core.currency import Currency
from core.money import Money
from tenant_db.ledger.errors import LedgerRefusal
from tenant_db.ledger.rules import AccountState, Movement, NormalSide, Outcome, Overdraft, carry_out

IDS = [UUID(int=number) for number in range(1, 5)]
minor = st.integers(min_value=0, max_value=10**30)


@st.composite
def an_account(draw: st.DrawFn, id_: UUID) -> AccountState:
    return AccountState(
        id=id_,
        code=f"account:{id_.int}",
        currency=Currency.KES,
        normal_side=draw(st.sampled_from(NormalSide)),
        floor_minor=draw(st.none() | st.integers(-100, 100)),
        ceiling_minor=draw(st.none() | minor),
        posted_debits_minor=draw(minor),
        posted_credits_minor=draw(minor),
        pending_debits_minor=draw(st.integers(0, 50)),
        pending_credits_minor=draw(st.integers(0, 50)),
        entry_count=draw(st.integers(0, 100)),
        closed_at=None,
    )


books = st.tuples(*(an_account(id_) for id_ in IDS)).map(
    lambda accounts: {account.id: account for account in accounts}
)
movements = st.lists(
    st.builds(
        lambda ends, amount, overdraft: Movement(ends[0], ends[1], Money(amount, Currency.KES), overdraft),
        st.permutations(IDS),
        st.integers(1, 10**30),
        st.sampled_from(Overdraft),
    ),
    min_size=1,
    max_size=8,
)


def outcome_of(accounts: dict[UUID, AccountState], wanted: list[Movement]) -> Outcome | None:
    try:
        return carry_out(accounts, wanted)
    except LedgerRefusal:
        return None


@given(books, movements)
def test_debits_grow_by_what_credits_grow(accounts: dict[UUID, AccountState], wanted: list[Movement]) -> None:
    outcome = outcome_of(accounts, wanted)
    if outcome is None:
        return

    debits = credits_ = 0
    for id_, after in outcome.accounts.items():
        debits += after.posted_debits_minor - accounts[id_].posted_debits_minor
        credits_ += after.posted_credits_minor - accounts[id_].posted_credits_minor

    assert debits == credits_ == sum(movement.amount.minor for movement in wanted)


@given(books, movements)
def test_each_entry_starts_where_its_account_stood(
    accounts: dict[UUID, AccountState], wanted: list[Movement]
) -> None:
    outcome = outcome_of(accounts, wanted)
    if outcome is None:
        return

    stands = {id_: (account.posted_minor, account.entry_count) for id_, account in accounts.items()}
    for entry in outcome.entries:
        balance, count = stands[entry.account_id]
        grows = entry.side is accounts[entry.account_id].normal_side
        assert entry.balance_before_minor == balance
        assert entry.balance_after_minor == balance + (entry.amount_minor if grows else -entry.amount_minor)
        assert entry.sequence == count + 1
        stands[entry.account_id] = (entry.balance_after_minor, entry.sequence)
    for id_, after in outcome.accounts.items():
        assert stands[id_] == (after.posted_minor, after.entry_count)


@given(books, movements)
def test_nothing_falls_below_its_floor_unless_told_to(
    accounts: dict[UUID, AccountState], wanted: list[Movement]
) -> None:
    kept = [Movement(each.source_id, each.destination_id, each.amount, Overdraft.REFUSED) for each in wanted]
    outcome = outcome_of(accounts, kept)
    if outcome is None:
        return

    for id_, after in outcome.accounts.items():
        fell = after.available_minor < accounts[id_].available_minor
        assert not fell or after.floor_minor is None or after.available_minor >= after.floor_minor
        rose = after.posted_minor > accounts[id_].posted_minor
        expected = after.posted_minor + after.incoming_minor
        assert not rose or after.ceiling_minor is None or expected <= after.ceiling_minor


@given(books, movements)
def test_a_movement_and_its_reverse_leave_every_balance(
    accounts: dict[UUID, AccountState], wanted: list[Movement]
) -> None:
    free = {id_: replace(account, floor_minor=None, ceiling_minor=None) for id_, account in accounts.items()}
    back = [
        Movement(each.destination_id, each.source_id, each.amount, each.overdraft)
        for each in reversed(wanted)
    ]

    outcome = carry_out(free, [*wanted, *back])

    for id_, after in outcome.accounts.items():
        assert after.posted_minor == free[id_].posted_minor
