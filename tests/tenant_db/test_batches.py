"""A batch carries out each caller's command, or refuses it alone; each key has one answer."""

import asyncio

import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from core.currency import Currency
from core.errors import InvalidInput
from core.ids import new_id
from core.money import CurrencyMismatch
from tenancy.columns import AuditColumns
from tenancy.errors import TransactionInterrupted
from tenancy.idempotency import IdempotencyKeyReused
from tenancy.sessions import Tenant
from tenancy.shapes import model_of
from tenant_db.ledger.batching import Linked, Made, Repeated, run_batch
from tenant_db.ledger.errors import (
    AccountClosed,
    AccountUnknown,
    InsufficientFunds,
)
from tenant_db.ledger.models import LedgerAccount
from tests.conftest import RecordedSignals
from tests.factories.batches import (
    ACTOR,
    OPERATION,
    answers,
    batch_in,
    counted,
    hold,
    made,
    own_pair,
    posting,
    request,
    transfer,
)
from tests.factories.ledger import NOW, balance_of, entries_of, make_account, sale
from tests.racing import race, stand_still


async def test_neighbours_of_a_refused_request_are_carried_out(tenant: Tenant) -> None:
    source, target = await own_pair(tenant, 100)

    first, refused, third = await answers(
        tenant,
        posting(source, target, 60, "a"),
        posting(source, target, 60, "b"),
        posting(source, target, 40, "c"),
    )

    assert isinstance(refused, InsufficientFunds)
    assert (made(first).transfers[0].amount_minor, made(third).transfers[0].amount_minor) == (60, 40)
    assert (await balance_of(tenant, source), await balance_of(tenant, target)) == (0, 100)
    assert [entry.balance_after_minor for entry in await entries_of(tenant, target)] == [60, 100]


async def test_each_success_leaves_one_record_and_one_audit_row(tenant: Tenant) -> None:
    source, target = await own_pair(tenant)

    await answers(
        tenant,
        posting(source, target, 10, "a"),
        request(Linked([transfer(source, target, 10, "b")]), "b", reason="corrects order 7"),
        posting(source, target, 10_000, "too-much"),
    )

    assert await counted(tenant) == (3, 2)
    async with tenant.reading() as session:
        model = model_of(session, AuditColumns)
        rows = (await session.scalars(select(model).order_by(model.subject))).all()
    assert [(row.subject, row.reason) for row in rows] == [
        ("subject of a", None),
        ("subject of b", "corrects order 7"),
    ]
    assert (rows[0].actor_kind, rows[0].actor_id, rows[0].action) == ("user", ACTOR.id, OPERATION)
    assert (rows[0].ip, rows[0].user_agent, rows[0].request_id) == ("192.0.2.1", "tests", "request-1")


async def test_the_same_key_repeats_the_first_answer(tenant: Tenant) -> None:
    source, target = await own_pair(tenant)
    (first,) = await answers(tenant, posting(source, target, 10, "a"))

    (again,) = await answers(tenant, posting(source, target, 10, "a"))

    assert again == Repeated({"transfer_1": made(first).transfers[0].id})
    assert await balance_of(tenant, target) == 10
    assert await counted(tenant) == (1, 1)


async def test_twins_in_one_batch_are_carried_out_once(tenant: Tenant) -> None:
    source, target = await own_pair(tenant)

    first, twin, other = await answers(
        tenant,
        posting(source, target, 10, "a"),
        posting(source, target, 10, "a"),
        posting(source, target, 10, "a", input="something else"),
    )

    assert twin == Repeated({"transfer_1": made(first).transfers[0].id})
    assert isinstance(other, IdempotencyKeyReused)
    assert await balance_of(tenant, target) == 10
    assert await counted(tenant) == (1, 1)


async def test_a_key_with_other_input_is_refused_and_moves_nothing(tenant: Tenant) -> None:
    source, target = await own_pair(tenant)
    await answers(tenant, posting(source, target, 10, "a"))

    (refusal,) = await answers(tenant, posting(source, target, 20, "a", input="twenty"))

    assert isinstance(refusal, IdempotencyKeyReused)
    assert await balance_of(tenant, target) == 10


async def test_a_stored_refusal_repeats_although_there_is_money_now(tenant: Tenant) -> None:
    source, target = await own_pair(tenant, 5)
    (first,) = await answers(tenant, posting(source, target, 10, "a"))
    rich = await make_account(tenant, "custom:three", balance_minor=100)
    await answers(tenant, posting(rich, source, 100, "b"))

    (again,) = await answers(tenant, posting(source, target, 10, "a"))

    assert isinstance(first, InsufficientFunds)
    assert isinstance(again, InsufficientFunds)
    assert (again.account, again.available_minor, again.currency) == ("custom:one", 5, Currency.KES)
    assert await balance_of(tenant, target) == 0


async def test_what_is_wrong_with_the_request_itself_is_not_stored(tenant: Tenant) -> None:
    source, target = await own_pair(tenant)

    unknown, mismatch, no_hold = await answers(
        tenant,
        posting(source, new_id(), 10, "a"),
        posting(source, target, 10, "b", currency=Currency.USD),
        request(hold(source, target, 10, "c", NOW), "c"),
    )

    assert isinstance(unknown, AccountUnknown)
    assert isinstance(mismatch, CurrencyMismatch)
    assert isinstance(no_hold, InvalidInput)
    assert await counted(tenant) == (0, 0)
    (now_right,) = await answers(tenant, posting(source, target, 10, "a"))
    made(now_right)


async def test_linked_transfers_of_a_request_fail_together(tenant: Tenant) -> None:
    source, target = await own_pair(tenant, 100)
    group = Linked([transfer(source, target, 60, "1"), transfer(source, target, 60, "2")])

    refused, alone = await answers(tenant, request(group, "a"), posting(source, target, 100, "b"))

    assert isinstance(refused, InsufficientFunds)
    assert made(alone).transfers[0].source_sequence == 1
    assert await balance_of(tenant, target) == 100


async def test_linked_transfers_are_told_in_their_order(tenant: Tenant) -> None:
    source, target = await own_pair(tenant)
    group = Linked([transfer(source, target, 100, "1"), transfer(target, source, 40, "2")])

    (answer,) = await answers(tenant, request(group, "a"))
    (again,) = await answers(tenant, request(group, "a"))

    assert [each.amount_minor for each in made(answer).transfers] == [100, 40]
    assert again == Repeated(
        {f"transfer_{number}": each.id for number, each in enumerate(made(answer).transfers, 1)}
    )


async def test_subscribers_are_told_of_what_changed_and_of_no_refusal(
    tenant: Tenant, signals: RecordedSignals
) -> None:
    source, target = await own_pair(tenant)
    signals.after.clear()

    await answers(tenant, posting(source, target, 10_000, "refused"))
    await answers(tenant, request(hold(source, target, 10, "held"), "held"))

    refused, held = [after.notices for after in signals.after]
    assert refused == []
    assert [set(notice.payload["accounts"]) for notice in held] == [{str(source), str(target)}]


async def test_a_closed_account_is_refused_under_its_key(tenant: Tenant) -> None:
    source, _ = await own_pair(tenant)
    closed = await make_account(tenant, "custom:closed", is_closed=True)

    for _ in range(2):
        (refusal,) = await answers(tenant, posting(source, closed, 1, "a"))
        assert isinstance(refusal, AccountClosed)

    assert await counted(tenant) == (1, 0)


async def test_a_key_of_the_system_is_a_bug(tenant: Tenant) -> None:
    source, target = await own_pair(tenant)

    with pytest.raises(ValueError, match="of_people"):
        await answers(tenant, request(Linked([sale(source, target)]), "a"))


async def test_an_amount_beyond_bigint_is_exact(tenant: Tenant) -> None:
    huge = 10**37 + 1
    source, target = await own_pair(tenant, huge)

    (posted,) = await answers(tenant, posting(source, target, huge, "a"))

    assert made(posted).transfers[0].amount_minor == huge
    assert (await balance_of(tenant, source), await balance_of(tenant, target)) == (0, huge)


async def test_nothing_is_asked_for_nothing(tenant: Tenant) -> None:
    assert await answers(tenant) == []


async def test_a_key_that_a_rival_took_meanwhile_interrupts_the_batch(tenant: Tenant) -> None:
    one, two = await own_pair(tenant)
    three, four = await make_account(tenant, "custom:3"), await make_account(tenant, "custom:4")
    async with tenant.transaction() as session:
        await run_batch(session, [posting(one, two, 10, "a")], NOW)
        # Other accounts, so that only the key's record is between the two.
        rival = asyncio.ensure_future(batch_in(tenant, [posting(three, four, 10, "a")])())
        await stand_still(tenant, rival)

    with pytest.raises(TransactionInterrupted):
        await rival
    (again,) = await answers(tenant, posting(three, four, 10, "a"))

    assert isinstance(again, Repeated)
    assert await balance_of(tenant, four) == 0


async def test_a_rival_that_never_ends_is_not_waited_for(tenant: Tenant) -> None:
    one, two = await own_pair(tenant)
    async with tenant.transaction() as session:
        await run_batch(session, [posting(one, two, 10, "a")], NOW)
        with pytest.raises(DBAPIError) as busy:
            await answers(tenant, posting(one, two, 10, "a"))

    assert getattr(busy.value.orig, "sqlstate", None) == "55P03"


async def test_crossing_batches_never_deadlock_and_lose_nothing(tenant: Tenant) -> None:
    one, two = await own_pair(tenant)
    there = [batch_in(tenant, [posting(one, two, 10, f"t{number}")]) for number in range(6)]
    back = [
        batch_in(tenant, [posting(two, one, 3, f"z{number}"), posting(one, two, 1, f"a{number}")])
        for number in range(6)
    ]
    barrier = select(LedgerAccount).where(LedgerAccount.id.in_([one, two])).with_for_update()

    results = await race(tenant, barrier, [*there, *back])

    for result in results:
        assert not isinstance(result, BaseException), result
        assert all(isinstance(answer, Made | InsufficientFunds) for answer in result)
    total = await balance_of(tenant, one), await balance_of(tenant, two)
    assert sum(total) == 1_000
    entries = await entries_of(tenant, two)
    assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
    assert entries[-1].balance_after_minor == total[1]
