"""A batch carries out each caller's command, or refuses it alone; each key has one answer."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from core.currency import Currency
from core.errors import InvalidInput
from core.ids import new_id
from core.money import CurrencyMismatch, Money
from tenancy.columns import AuditColumns, IdempotencyColumns
from tenancy.errors import TransactionInterrupted
from tenancy.idempotency import IdempotencyKeyReused
from tenancy.sessions import Tenant
from tenancy.shapes import model_of
from tenant_db.ledger.batching import Answer, Linked, Made, Repeated, run_batch
from tenant_db.ledger.commands import PostHold, Reverse, VoidHold
from tenant_db.ledger.errors import (
    AccountClosed,
    AccountUnknown,
    AlreadyReversed,
    CustodyMixed,
    HoldAlreadyResolved,
    HoldExceeded,
    HoldExpired,
    HoldManaged,
    HoldUnknown,
    InsufficientFunds,
    TransferUnknown,
)
from tenant_db.ledger.holding import place_hold
from tenant_db.ledger.models import LedgerAccount
from tenant_db.ledger.rules import Custody
from tests.conftest import RecordedSignals
from tests.factories.batches import ACTOR, OPERATION, answers, batch_in, hold, posting, request, transfer
from tests.factories.ledger import NOW, balance_of, entries_of, make_account, pending_of, sale
from tests.racing import race, stand_still


async def pair(tenant: Tenant, balance_minor: int = 1_000) -> tuple[UUID, UUID]:
    source = await make_account(tenant, "custom:one", balance_minor=balance_minor, floor_minor=0)
    return source, await make_account(tenant, "custom:two", floor_minor=0)


def made(answer: Answer) -> Made:
    assert isinstance(answer, Made), answer
    return answer


async def counted(tenant: Tenant) -> tuple[int, int]:
    """Records of keys, and audit rows."""
    async with tenant.reading() as session:
        models = (model_of(session, IdempotencyColumns), model_of(session, AuditColumns))
        records, acts = [await session.scalar(select(func.count()).select_from(model)) for model in models]
        return records or 0, acts or 0


async def test_neighbours_of_a_refused_request_are_carried_out(tenant: Tenant) -> None:
    source, target = await pair(tenant, 100)

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
    source, target = await pair(tenant)

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
    source, target = await pair(tenant)
    (first,) = await answers(tenant, posting(source, target, 10, "a"))

    (again,) = await answers(tenant, posting(source, target, 10, "a"))

    assert again == Repeated({"transfer_1": made(first).transfers[0].id})
    assert await balance_of(tenant, target) == 10
    assert await counted(tenant) == (1, 1)


async def test_twins_in_one_batch_are_carried_out_once(tenant: Tenant) -> None:
    source, target = await pair(tenant)

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
    source, target = await pair(tenant)
    await answers(tenant, posting(source, target, 10, "a"))

    (refusal,) = await answers(tenant, posting(source, target, 20, "a", input="twenty"))

    assert isinstance(refusal, IdempotencyKeyReused)
    assert await balance_of(tenant, target) == 10


async def test_a_stored_refusal_repeats_although_there_is_money_now(tenant: Tenant) -> None:
    source, target = await pair(tenant, 5)
    (first,) = await answers(tenant, posting(source, target, 10, "a"))
    rich = await make_account(tenant, "custom:three", balance_minor=100)
    await answers(tenant, posting(rich, source, 100, "b"))

    (again,) = await answers(tenant, posting(source, target, 10, "a"))

    assert isinstance(first, InsufficientFunds)
    assert isinstance(again, InsufficientFunds)
    assert (again.account, again.available_minor, again.currency) == ("custom:one", 5, Currency.KES)
    assert await balance_of(tenant, target) == 0


async def test_what_is_wrong_with_the_request_itself_is_not_stored(tenant: Tenant) -> None:
    source, target = await pair(tenant)

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
    source, target = await pair(tenant, 100)
    group = Linked([transfer(source, target, 60, "1"), transfer(source, target, 60, "2")])

    refused, alone = await answers(tenant, request(group, "a"), posting(source, target, 100, "b"))

    assert isinstance(refused, InsufficientFunds)
    assert made(alone).transfers[0].source_sequence == 1
    assert await balance_of(tenant, target) == 100


async def test_linked_transfers_are_told_in_their_order(tenant: Tenant) -> None:
    source, target = await pair(tenant)
    group = Linked([transfer(source, target, 100, "1"), transfer(target, source, 40, "2")])

    (answer,) = await answers(tenant, request(group, "a"))
    (again,) = await answers(tenant, request(group, "a"))

    assert [each.amount_minor for each in made(answer).transfers] == [100, 40]
    assert again == Repeated(
        {f"transfer_{number}": each.id for number, each in enumerate(made(answer).transfers, 1)}
    )


async def placed(
    tenant: Tenant, source: UUID, target: UUID, amount_minor: int, expires_at: datetime | None = None
) -> UUID:
    new = hold(source, target, amount_minor, "hold", expires_at)
    (answer,) = await answers(tenant, request(new, "hold"))
    held = made(answer).hold
    assert held is not None
    return held.id


async def test_a_hold_is_placed_and_posted_in_part(tenant: Tenant) -> None:
    source, target = await pair(tenant)
    hold_id = await placed(tenant, source, target, 600)
    assert (await pending_of(tenant, source), await pending_of(tenant, target)) == ((600, 0), (0, 600))

    refused, posted = await answers(
        tenant,
        posting(source, target, 500, "spent-twice"),
        request(PostHold(hold_id, Money(250, Currency.KES)), "post"),
    )

    assert isinstance(refused, InsufficientFunds)
    answer = made(posted)
    assert answer.hold is not None
    assert (answer.hold.state, answer.hold.posted_minor) == ("posted", 250)
    assert (answer.transfers[0].hold_id, answer.transfers[0].kind) == (hold_id, "payout")
    assert await balance_of(tenant, source) == 750
    assert (await pending_of(tenant, source), await pending_of(tenant, target)) == ((0, 0), (0, 0))


async def test_a_hold_is_resolved_once_and_the_others_are_told_how(tenant: Tenant) -> None:
    source, target = await pair(tenant)
    hold_id = await placed(tenant, source, target, 600)

    voided, late = await answers(
        tenant, request(VoidHold(hold_id), "void"), request(PostHold(hold_id), "post")
    )
    (later,) = await answers(tenant, request(VoidHold(hold_id), "void-again"))
    (repeated,) = await answers(tenant, request(VoidHold(hold_id), "void"))

    assert made(voided).hold is not None
    for refusal in (late, later):
        assert isinstance(refusal, HoldAlreadyResolved)
        assert refusal.resolution == "voided"
    assert repeated == Repeated({"hold": hold_id})
    assert await pending_of(tenant, source) == (0, 0)


async def test_an_expired_hold_can_not_be_resolved_before_the_job_comes(tenant: Tenant) -> None:
    source, target = await pair(tenant)
    end = NOW + timedelta(minutes=5)
    hold_id = await placed(tenant, source, target, 600, expires_at=end)

    refusals = await answers(
        tenant, request(PostHold(hold_id), "post"), request(VoidHold(hold_id), "void"), now=end
    )

    assert [type(refusal) for refusal in refusals] == [HoldExpired, HoldExpired]
    assert await pending_of(tenant, source) == (600, 0)


async def test_more_than_the_hold_is_refused(tenant: Tenant) -> None:
    source, target = await pair(tenant)
    hold_id = await placed(tenant, source, target, 600)

    above, other, unknown = await answers(
        tenant,
        request(PostHold(hold_id, Money(601, Currency.KES)), "a"),
        request(PostHold(hold_id, Money(1, Currency.USD)), "b"),
        request(VoidHold(new_id()), "c"),
    )

    assert isinstance(above, HoldExceeded)
    assert isinstance(other, CurrencyMismatch)
    assert isinstance(unknown, HoldUnknown)
    assert await pending_of(tenant, source) == (600, 0)


async def test_people_can_not_resolve_what_a_refund_has_placed(tenant: Tenant) -> None:
    source, target = await pair(tenant)
    async with tenant.transaction() as session:
        ours = replace(hold(source, target, 100, "x"), idempotency_key="refund:1")
        held = await place_hold(session, ours, NOW)

    (refusal,) = await answers(tenant, request(VoidHold(held.id), "void"))

    assert isinstance(refusal, HoldManaged)
    assert await pending_of(tenant, source) == (100, 0)


async def test_a_transfer_is_reversed_once(tenant: Tenant) -> None:
    source, target = await pair(tenant)
    (first,) = await answers(tenant, posting(source, target, 100, "a"))
    original = made(first).transfers[0].id

    undone, twin, unknown = await answers(
        tenant,
        request(Reverse(original, "mistake"), "b"),
        request(Reverse(original, "mistake"), "c"),
        request(Reverse(new_id(), "mistake"), "d"),
    )
    (later,) = await answers(tenant, request(Reverse(original, "mistake"), "e"))

    assert made(undone).transfers[0].reverses_id == original
    assert isinstance(twin, AlreadyReversed)
    assert isinstance(later, AlreadyReversed)
    assert isinstance(unknown, TransferUnknown)
    assert await balance_of(tenant, source) == 1_000


async def test_subscribers_are_told_of_what_changed_and_of_no_refusal(
    tenant: Tenant, signals: RecordedSignals
) -> None:
    source, target = await pair(tenant)
    signals.after.clear()

    await answers(tenant, posting(source, target, 10_000, "refused"))
    await answers(tenant, request(hold(source, target, 10, "held"), "held"))

    refused, held = [after.notices for after in signals.after]
    assert refused == []
    assert [set(notice.payload["accounts"]) for notice in held] == [{str(source), str(target)}]


async def test_a_closed_account_is_refused_under_its_key(tenant: Tenant) -> None:
    source, _ = await pair(tenant)
    closed = await make_account(tenant, "custom:closed", is_closed=True)

    for _ in range(2):
        (refusal,) = await answers(tenant, posting(source, closed, 1, "a"))
        assert isinstance(refusal, AccountClosed)

    assert await counted(tenant) == (1, 0)


async def test_people_can_not_move_what_the_platform_holds_elsewhere(tenant: Tenant) -> None:
    own = await make_account(tenant, "custom:one", balance_minor=100)
    pooled = await make_account(
        tenant, "store:1:available:wallet", balance_minor=100, custody=Custody.PLATFORM, place="wallet"
    )

    refusals = await answers(tenant, posting(pooled, own, 1, "a"), request(hold(own, pooled, 1, "b"), "b"))

    assert [type(refusal) for refusal in refusals] == [CustodyMixed, CustodyMixed]
    assert await counted(tenant) == (0, 0)


async def test_a_key_of_the_system_is_a_bug(tenant: Tenant) -> None:
    source, target = await pair(tenant)

    with pytest.raises(ValueError, match="of_people"):
        await answers(tenant, request(Linked([sale(source, target)]), "a"))


async def test_an_amount_beyond_bigint_is_exact(tenant: Tenant) -> None:
    huge = 10**37 + 1
    source, target = await pair(tenant, huge)

    (posted,) = await answers(tenant, posting(source, target, huge, "a"))

    assert made(posted).transfers[0].amount_minor == huge
    assert (await balance_of(tenant, source), await balance_of(tenant, target)) == (0, huge)


async def test_nothing_is_asked_for_nothing(tenant: Tenant) -> None:
    assert await answers(tenant) == []


async def test_a_key_that_a_rival_took_meanwhile_interrupts_the_batch(tenant: Tenant) -> None:
    one, two = await pair(tenant)
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
    one, two = await pair(tenant)
    async with tenant.transaction() as session:
        await run_batch(session, [posting(one, two, 10, "a")], NOW)
        with pytest.raises(DBAPIError) as busy:
            await answers(tenant, posting(one, two, 10, "a"))

    assert getattr(busy.value.orig, "sqlstate", None) == "55P03"


async def test_crossing_batches_never_deadlock_and_lose_nothing(tenant: Tenant) -> None:
    one, two = await pair(tenant)
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
