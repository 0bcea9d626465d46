"""The arithmetic of the books holds for any movements, and who is refused leaves no trace."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.currency import Currency
from core.errors import DomainError, InvalidInput
from core.money import Money
from tenant_db.ledger.book import Book
from tenant_db.ledger.commands import NewTransfer
from tenant_db.ledger.errors import AmountTooLarge, CustodyMixed, LedgerRefusal
from tenant_db.ledger.rules import (
    AccountState,
    Custody,
    NormalSide,
    Origin,
    Overdraft,
    TransferKind,
    guard_custody,
)

IDS = [UUID(int=number) for number in range(1, 5)]
minor = st.integers(min_value=0, max_value=10**30)

Accounts = dict[UUID, AccountState]


def state(id_: UUID = IDS[0], **values: object) -> AccountState:
    account = AccountState(
        id=id_,
        code=f"account:{id_.int}",
        currency=Currency.KES,
        normal_side=NormalSide.CREDIT,
        custody=None,
        holding=None,
        floor_minor=None,
        ceiling_minor=None,
        posted_debits_minor=0,
        posted_credits_minor=0,
        pending_debits_minor=0,
        pending_credits_minor=0,
        entry_count=0,
        closed_at=None,
    )
    return replace(account, **values)  # type: ignore[arg-type]  # a test names the one value it is about


@st.composite
def an_account(draw: st.DrawFn, id_: UUID) -> AccountState:
    return state(
        id_,
        normal_side=draw(st.sampled_from(NormalSide)),
        floor_minor=draw(st.none() | st.integers(-100, 100)),
        ceiling_minor=draw(st.none() | minor),
        posted_debits_minor=draw(minor),
        posted_credits_minor=draw(minor),
        pending_debits_minor=draw(st.integers(0, 50)),
        pending_credits_minor=draw(st.integers(0, 50)),
        entry_count=draw(st.integers(0, 100)),
    )


books = st.tuples(*(an_account(id_) for id_ in IDS)).map(
    lambda accounts: {account.id: account for account in accounts}
)


def movement(
    ends: Sequence[UUID], amount_minor: int, overdraft: Overdraft = Overdraft.REFUSED, key: str = "key"
) -> NewTransfer:
    return NewTransfer(
        ends[0], ends[1], Money(amount_minor, Currency.KES), TransferKind.SALE, "r", key, overdraft=overdraft
    )


groups = st.lists(
    st.lists(
        st.tuples(st.permutations(IDS), st.integers(1, 10**30), st.sampled_from(Overdraft)),
        min_size=1,
        max_size=4,
    ),
    min_size=1,
    max_size=5,
).map(
    lambda groups: [
        [
            movement(ends, amount, overdraft, f"{group}:{number}")
            for number, (ends, amount, overdraft) in enumerate(movements)
        ]
        for group, movements in enumerate(groups)
    ]
)


def carried_out(accounts: Accounts, wanted: Sequence[Sequence[NewTransfer]]) -> tuple[Book, list[bool]]:
    """The book after each group that its accounts take, and which were taken."""
    book = Book(deepcopy(accounts))
    taken = []
    for group in wanted:
        try:
            book.post(group)
        except LedgerRefusal:
            taken.append(False)
        else:
            taken.append(True)
    return book, taken


@given(books, groups)
def test_debits_grow_by_what_credits_grow(accounts: Accounts, wanted: list[list[NewTransfer]]) -> None:
    book, taken = carried_out(accounts, wanted)

    debits = credits_ = 0
    for id_, after in book.accounts.items():
        debits += after.posted_debits_minor - accounts[id_].posted_debits_minor
        credits_ += after.posted_credits_minor - accounts[id_].posted_credits_minor
    moved = sum(
        new.amount.minor for group, is_taken in zip(wanted, taken, strict=True) if is_taken for new in group
    )
    assert debits == credits_ == moved


@given(books, groups)
def test_each_entry_starts_where_its_account_stood(
    accounts: Accounts, wanted: list[list[NewTransfer]]
) -> None:
    book, _ = carried_out(accounts, wanted)

    stands = {id_: (account.posted_minor, account.entry_count) for id_, account in accounts.items()}
    for posted, balances in zip(book.posted, book.balances, strict=True):
        ends = (
            (posted.source_id, posted.source_sequence, *balances[:2], NormalSide.DEBIT),
            (posted.destination_id, posted.destination_sequence, *balances[2:], NormalSide.CREDIT),
        )
        for account_id, sequence, before, after, side in ends:
            balance, count = stands[account_id]
            grows = side is accounts[account_id].normal_side
            assert before == balance
            assert after == balance + (posted.amount_minor if grows else -posted.amount_minor)
            assert sequence == count + 1
            stands[account_id] = (after, sequence)
    for id_, account in book.accounts.items():
        assert stands[id_] == (account.posted_minor, account.entry_count)


@given(books, groups)
def test_a_refused_group_leaves_no_trace(accounts: Accounts, wanted: list[list[NewTransfer]]) -> None:
    book, taken = carried_out(accounts, wanted)

    alone, all_taken = carried_out(accounts, [group for group, ok in zip(wanted, taken, strict=True) if ok])

    assert all(all_taken)
    assert book.accounts == alone.accounts
    assert book.balances == alone.balances
    assert [posted.idempotency_key for posted in book.posted] == [
        posted.idempotency_key for posted in alone.posted
    ]


def test_the_keys_of_a_refused_group_are_free_again() -> None:
    book = Book({IDS[0]: state(floor_minor=0, posted_credits_minor=10), IDS[1]: state(IDS[1])})

    with pytest.raises(LedgerRefusal):
        book.post([movement(IDS, 6, key="a"), movement(IDS, 6, key="b")])
    (posted,) = book.post([movement(IDS, 10, key="a")])

    assert book.posted == [posted]
    assert book.accounts[IDS[0]].posted_minor == 0


@given(books, groups)
def test_nothing_falls_below_its_floor_unless_told_to(
    accounts: Accounts, wanted: list[list[NewTransfer]]
) -> None:
    kept = [[replace(new, overdraft=Overdraft.REFUSED) for new in group] for group in wanted]
    book, _ = carried_out(accounts, kept)

    for id_, after in book.accounts.items():
        fell = after.available_minor < accounts[id_].available_minor
        assert not fell or after.floor_minor is None or after.available_minor >= after.floor_minor
        rose = after.posted_minor > accounts[id_].posted_minor
        expected = after.posted_minor + after.incoming_minor
        assert not rose or after.ceiling_minor is None or expected <= after.ceiling_minor


@given(books, groups)
def test_a_movement_and_its_reverse_leave_every_balance(
    accounts: Accounts, wanted: list[list[NewTransfer]]
) -> None:
    free = {id_: replace(account, floor_minor=None, ceiling_minor=None) for id_, account in accounts.items()}
    book, _ = carried_out(free, wanted)

    for posted in list(reversed(book.posted)):
        ends = (posted.destination_id, posted.source_id)
        book.post([movement(ends, posted.amount_minor, key=f"back:{posted.idempotency_key}")])

    for id_, after in book.accounts.items():
        assert after.posted_minor == free[id_].posted_minor


def test_counters_never_pass_what_the_database_holds() -> None:
    full = state(posted_debits_minor=10**38 - 10, pending_debits_minor=5)
    book = Book({IDS[0]: full, IDS[1]: state(IDS[1])})

    with pytest.raises(AmountTooLarge):
        book.post([movement(IDS, 5)])
    book.post([movement(IDS, 4)])

    assert full.posted_debits_minor == 10**38 - 6


TENANT, PLATFORM = Custody.TENANT, Custody.PLATFORM
OWN = {"custody": TENANT, "holding": "chan_1"}
POOLED = {"custody": PLATFORM, "holding": "wallet_1"}


@pytest.mark.parametrize(
    ("source", "destination", "is_allowed"),
    [
        ({}, {}, True),
        (OWN, OWN, True),
        (OWN, {"custody": TENANT, "holding": "chan_2"}, True),
        (OWN, {}, True),
        (OWN, POOLED, False),
        (POOLED, OWN, False),
        (POOLED, POOLED, True),
        (POOLED, {"custody": PLATFORM, "holding": "wallet_2"}, False),
        (POOLED, {}, False),
        ({}, POOLED, False),
        ({**POOLED, "code": "holding:wallet_1"}, POOLED, False),
        (POOLED, {**POOLED, "code": "holding:wallet_1"}, False),
        ({**OWN, "code": "holding:chan_1"}, OWN, True),
    ],
)
def test_people_never_change_who_holds_the_money(
    source: dict[str, object], destination: dict[str, object], *, is_allowed: bool
) -> None:
    ends = state(IDS[0], **source), state(IDS[1], **destination)
    if is_allowed:
        guard_custody(*ends)
        return
    with pytest.raises(CustodyMixed):
        guard_custody(*ends)


def test_custody_binds_people_but_not_what_money_did_outside() -> None:
    accounts = {IDS[0]: state(IDS[0], **POOLED), IDS[1]: state(IDS[1])}

    with pytest.raises(CustodyMixed):
        Book(accounts, origin=Origin.PEOPLE).post([movement(IDS, 1)])
    Book(accounts).post([movement(IDS, 1)])


@pytest.mark.parametrize(
    "values",
    [
        {"reference": ""},
        {"reference": "r" * 201},
        {"reference": "nul\0"},
        {"reference": "é\0"},
        {"reference": "\ud800"},
        {"idempotency_key": "k" * 401},
        {"details": {"note": "nul\0"}},
        {"details": {"note": "\ud800"}},
        {"details": {"rate": float("nan")}},
        {"details": {"note": object()}},
        {"details": {"note": "n" * 5_000}},
    ],
)
def test_what_postgresql_can_not_hold_is_refused_before_it(values: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        replace(movement(IDS, 1), **values)  # type: ignore[arg-type]  # the point of the test


def test_a_written_escape_is_no_nul() -> None:
    assert replace(movement(IDS, 1), details={"path": r"C:\u0000"}).details_json == r'{"path":"C:\\u0000"}'


def test_a_refusal_is_a_domain_error() -> None:
    with pytest.raises(DomainError):
        Book({}).post([movement(IDS, 1)])
