"""In a batch too a hold is resolved once, and a transfer reversed once, whoever asks for it."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from core.currency import Currency
from core.ids import new_id
from core.money import CurrencyMismatch, Money
from tenancy.sessions import Tenant
from tenant_db.ledger.batching import Repeated
from tenant_db.ledger.commands import PostHold, Reverse, VoidHold
from tenant_db.ledger.errors import (
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
from tenant_db.ledger.rules import Custody
from tests.factories.batches import (
    answers,
    counted,
    hold,
    made,
    own_pair,
    posting,
    request,
)
from tests.factories.ledger import NOW, balance_of, make_account, pending_of


async def placed(
    tenant: Tenant, source: UUID, target: UUID, amount_minor: int, expires_at: datetime | None = None
) -> UUID:
    new = hold(source, target, amount_minor, "hold", expires_at)
    (answer,) = await answers(tenant, request(new, "hold"))
    held = made(answer).hold
    assert held is not None
    return held.id


async def test_a_hold_is_placed_and_posted_in_part(tenant: Tenant) -> None:
    source, target = await own_pair(tenant)
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
    source, target = await own_pair(tenant)
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
    source, target = await own_pair(tenant)
    end = NOW + timedelta(minutes=5)
    hold_id = await placed(tenant, source, target, 600, expires_at=end)

    refusals = await answers(
        tenant, request(PostHold(hold_id), "post"), request(VoidHold(hold_id), "void"), now=end
    )

    assert [type(refusal) for refusal in refusals] == [HoldExpired, HoldExpired]
    assert await pending_of(tenant, source) == (600, 0)


async def test_more_than_the_hold_is_refused(tenant: Tenant) -> None:
    source, target = await own_pair(tenant)
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
    source, target = await own_pair(tenant)
    async with tenant.transaction() as session:
        ours = replace(hold(source, target, 100, "x"), idempotency_key="refund:1")
        held = await place_hold(session, ours, NOW)

    (refusal,) = await answers(tenant, request(VoidHold(held.id), "void"))

    assert isinstance(refusal, HoldManaged)
    assert await pending_of(tenant, source) == (100, 0)


async def test_a_transfer_is_reversed_once(tenant: Tenant) -> None:
    source, target = await own_pair(tenant)
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


async def test_people_can_not_move_what_the_platform_holds_elsewhere(tenant: Tenant) -> None:
    own = await make_account(tenant, "custom:one", balance_minor=100)
    pooled = await make_account(
        tenant, "store:1:available:wallet", balance_minor=100, custody=Custody.PLATFORM, place="wallet"
    )

    refusals = await answers(tenant, posting(pooled, own, 1, "a"), request(hold(own, pooled, 1, "b"), "b"))

    assert [type(refusal) for refusal in refusals] == [CustodyMixed, CustodyMixed]
    assert await counted(tenant) == (0, 0)
