"""Refunds: set aside when asked for, booked when final, never more than was paid."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import select, update

from core.alerts import AlertKind
from core.clock import utc_now
from core.currency import Currency
from core.errors import DomainError, InvalidInput, NotFound
from core.ids import new_id
from core.money import CurrencyMismatch
from tenancy.sessions import Tenant
from tenant_db.alerts.models import Alert
from tenant_db.ledger.errors import AmountNotPositive, InsufficientFunds
from tenant_db.ledger.models import LedgerAccount, Transfer
from tenant_db.payments.models import Payment
from tenant_db.refunds import asking, submitting
from tenant_db.refunds.errors import (
    PartialRefundNotOffered,
    PaymentNotCaptured,
    PaymentNotRefundable,
    RefundNotOffered,
    RefundTooMuch,
)
from tenant_db.refunds.machine import NEXT, RefundStatus
from tenant_db.refunds.models import Refund
from tenant_db.refunds.noting import NotedRefund, note_refund
from tenant_db.refunds.requesting import NewRefund
from tenant_db.refunds.rules import (
    ASK_LADDER_S,
    REVIEW_AFTER,
    SEND_WINDOW,
    STRANDED_AFTER,
    Done,
    NotDone,
    Offer,
    RefundState,
    Told,
    Undecided,
    refund_state,
)
from tenant_db.reviews.models import Review
from tests.factories.ledger import require_sound_books
from tests.factories.payments import Shop, books, initiate, make_shop
from tests.factories.refunds import (
    ANY,
    events_of,
    kes,
    make_paid,
    read,
    request,
    send,
    store_money,
    tell,
)
from tests.racing import race

FAILED = NotDone("declined", "The bank declined.", "re_1")
S = RefundStatus


@pytest.fixture
async def shop(tenant: Tenant) -> Shop:
    return await make_shop(tenant)


@pytest.fixture
async def paid(tenant: Tenant, shop: Shop) -> Payment:
    return await make_paid(tenant, shop)


async def alerts(tenant: Tenant) -> list[str]:
    async with tenant.reading() as session:
        return list(await session.scalars(select(Alert.kind).order_by(Alert.id)))


async def reviews(tenant: Tenant) -> list[Review]:
    async with tenant.reading() as session:
        return list(await session.scalars(select(Review).order_by(Review.id)))


async def test_money_is_set_aside_when_asked_for_and_gone_when_final(
    tenant: Tenant, shop: Shop, paid: Payment
) -> None:
    refund = await request(tenant, paid.id, 30_000)
    assert await store_money(tenant, shop) == (100_000, 30_000)

    await send(tenant, refund.id)
    await tell(tenant, refund.id, Done("re_1", kes(30_000)))

    done = await read(tenant, refund.id)
    assert (done.status, done.provider_reference, done.settled_at is not None) == ("succeeded", "re_1", True)
    assert await store_money(tenant, shop) == (70_000, 0)
    assert (await books(tenant, shop)).holding == 70_000
    async with tenant.reading() as session:
        moved = await session.get_one(Transfer, done.transfer_id)
    assert (moved.kind, moved.amount_minor) == ("refund", 30_000)
    assert [event.to_status for event in await events_of(tenant, refund.id)] == [
        "requested",
        "submitting",
        "succeeded",
    ]
    await require_sound_books(tenant)


async def test_a_refund_that_fails_frees_its_money_and_tells_people(
    tenant: Tenant, shop: Shop, paid: Payment
) -> None:
    refund = await request(tenant, paid.id)
    await send(tenant, refund.id)
    await tell(tenant, refund.id, FAILED)

    assert await store_money(tenant, shop) == (100_000, 0)
    assert await alerts(tenant) == [AlertKind.REFUND_FAILED]
    again = await request(tenant, paid.id)
    assert again.amount == paid.amount


async def test_a_refund_that_fails_later_brings_its_money_back(
    tenant: Tenant, shop: Shop, paid: Payment
) -> None:
    refund = await request(tenant, paid.id)
    await send(tenant, refund.id)
    await tell(tenant, refund.id, Done("re_1", paid.amount))
    for _ in range(2):
        assert await tell(tenant, refund.id, FAILED) is S.REVERSED

    assert await store_money(tenant, shop) == (100_000, 0)
    back = await read(tenant, refund.id)
    assert back.reversal_id is not None
    assert await alerts(tenant) == [AlertKind.REFUND_FAILED]
    await require_sound_books(tenant)


async def test_a_refund_called_failed_that_was_made_after_all_is_booked(
    tenant: Tenant, shop: Shop, paid: Payment
) -> None:
    refund = await request(tenant, paid.id)
    await send(tenant, refund.id)
    await tell(tenant, refund.id, NotDone("declined", "No."))
    for _ in range(2):
        assert await tell(tenant, refund.id, Done("re_1", paid.amount)) is S.SUCCEEDED

    assert await store_money(tenant, shop) == (0, 0)
    await require_sound_books(tenant)


async def test_rivals_never_refund_more_than_was_paid(tenant: Tenant, shop: Shop, paid: Payment) -> None:
    barrier = select(Payment.id).where(Payment.id == paid.id).with_for_update()

    found = await race(tenant, barrier, [partial(request, tenant, paid.id, 60_000)] * 4)

    assert sum(isinstance(each, Refund) for each in found) == 1
    refused = [each for each in found if not isinstance(each, Refund)]
    assert all(isinstance(each, RefundTooMuch) and each.left == kes(40_000) for each in refused)
    assert await store_money(tenant, shop) == (100_000, 60_000)


async def test_several_parts_add_up_to_the_payment(tenant: Tenant, shop: Shop, paid: Payment) -> None:
    for part in (10_000, 20_000):
        refund = await request(tenant, paid.id, part)
        await send(tenant, refund.id)
        await tell(tenant, refund.id, Done(f"re_{part}", kes(part)))
    rest = await request(tenant, paid.id)

    assert rest.amount == kes(70_000)
    with pytest.raises(RefundTooMuch):
        await request(tenant, paid.id)
    assert await store_money(tenant, shop) == (70_000, 70_000)


async def test_only_what_was_captured_can_be_refunded(tenant: Tenant, paid: Payment) -> None:
    async with tenant.transaction() as session:
        await session.execute(update(Payment).values(captured_minor=40_000))

    assert (await request(tenant, paid.id)).amount == kes(40_000)


@pytest.mark.parametrize(
    ("amount_minor", "offer", "refusal"),
    [
        (100_001, ANY, RefundTooMuch),
        (1, Offer(refunds=True, parts=False), PartialRefundNotOffered),
        (None, Offer(refunds=False, parts=False), RefundNotOffered),
        (0, ANY, AmountNotPositive),
    ],
)
async def test_what_the_provider_or_the_payment_does_not_allow_is_refused(
    tenant: Tenant, paid: Payment, amount_minor: int | None, offer: Offer, refusal: type[DomainError]
) -> None:
    with pytest.raises(refusal):
        await request(tenant, paid.id, amount_minor, offer=offer)


@pytest.mark.parametrize(
    ("values", "refusal"),
    [
        ({"status": "authorized"}, PaymentNotCaptured),
        ({"status": "pending"}, PaymentNotRefundable),
        ({"receipt": None}, PaymentNotRefundable),
        ({"currency": Currency.USD}, CurrencyMismatch),
    ],
)
async def test_only_money_that_was_taken_and_is_known_can_be_refunded(
    tenant: Tenant, paid: Payment, values: dict[str, object], refusal: type[DomainError]
) -> None:
    async with tenant.transaction() as session:
        await session.execute(update(Payment).values(**values))

    with pytest.raises(refusal):
        await request(tenant, paid.id, 100)


async def test_a_refund_of_nothing_known_is_refused(tenant: Tenant) -> None:
    with pytest.raises(NotFound):
        await request(tenant, new_id())
    with pytest.raises(InvalidInput):
        NewRefund(new_id(), None, " ", "user:1")


async def test_money_that_was_paid_out_meanwhile_can_t_be_refunded(
    tenant: Tenant, shop: Shop, paid: Payment
) -> None:
    async with tenant.transaction() as session:
        await session.execute(
            update(LedgerAccount)
            .where(LedgerAccount.store_id == shop.store_id)
            .values(posted_debits_minor=LedgerAccount.posted_debits_minor + 1)
        )
    with pytest.raises(InsufficientFunds):
        await request(tenant, paid.id)


SENDINGS: Sequence[tuple[Told, RefundStatus]] = [
    (Undecided("re_1"), S.PENDING),
    (Undecided(None), S.PENDING),
    (Undecided("re_1", "Send the bank details."), S.NEEDS_ATTENTION),
    (Done("re_1", kes(100_000)), S.SUCCEEDED),
    (FAILED, S.FAILED),
]


@pytest.mark.parametrize(("told", "status"), SENDINGS)
@pytest.mark.parametrize("was_lost", ["answered", "lost"])
async def test_every_answer_leads_to_its_state_and_again_changes_nothing(
    tenant: Tenant, paid: Payment, told: Told, status: RefundStatus, was_lost: str
) -> None:
    refund = await request(tenant, paid.id)
    await send(tenant, refund.id)
    if was_lost == "lost":
        async with tenant.transaction() as session:
            assert await submitting.doubt(session, refund.id, "no answer") is S.UNKNOWN

    assert await tell(tenant, refund.id, told) is status
    before = await read(tenant, refund.id)
    assert await tell(tenant, refund.id, told) is status

    assert (await read(tenant, refund.id)).version == before.version
    await require_sound_books(tenant)


async def test_a_refund_is_never_sent_twice_unless_it_surely_did_not_arrive(
    tenant: Tenant, paid: Payment
) -> None:
    refund = await request(tenant, paid.id)
    first = await send(tenant, refund.id)
    async with tenant.transaction() as session:
        # A second run finds it claimed: the first may have died after sending.
        assert await submitting.claim(session, refund.id, None, utc_now()) is S.UNKNOWN
        assert await submitting.claim(session, refund.id, None, utc_now()) is S.UNKNOWN
        # The first run still lives and says that nothing was sent; now only the provider is believed.
        assert await submitting.release(session, refund.id, "refused") is S.UNKNOWN
    asked_at = (await read(tenant, refund.id)).submitted_at
    assert asked_at is not None
    async with tenant.transaction() as session:
        assert await submitting.send_again(session, refund.id, asked_at - timedelta(seconds=1)) is S.UNKNOWN
        assert await submitting.send_again(session, refund.id, asked_at) is S.REQUESTED
    second = await send(tenant, refund.id)

    assert (first.is_first, second.is_first) == (True, False)


async def test_what_could_not_be_sent_for_a_day_fails_and_is_free(
    tenant: Tenant, shop: Shop, paid: Payment
) -> None:
    refund = await request(tenant, paid.id)
    late = utc_now() + SEND_WINDOW + timedelta(minutes=1)
    async with tenant.transaction() as session:
        assert await submitting.expire_unsent(session, refund.id, utc_now()) is S.REQUESTED
        assert await submitting.claim(session, refund.id, None, late) is S.FAILED

    assert (await read(tenant, refund.id)).failure_code == "not_sent"
    assert await store_money(tenant, shop) == (100_000, 0)


async def test_an_unknown_refund_comes_before_a_person_after_a_day(tenant: Tenant, paid: Payment) -> None:
    refund = await request(tenant, paid.id)
    await send(tenant, refund.id)
    sent_at = (await read(tenant, refund.id)).submitted_at
    assert sent_at is not None

    async def rung(after: timedelta) -> asking.Rung:
        async with tenant.transaction() as session:
            return await asking.take_rung(session, refund.id, sent_at + after, ASK_LADDER_S)

    assert (await rung(timedelta(seconds=1))).order is None
    assert (await rung(STRANDED_AFTER + timedelta(seconds=1))).order is not None
    assert (await read(tenant, refund.id)).state is S.UNKNOWN
    assert await reviews(tenant) == []

    await rung(REVIEW_AFTER)

    (review,) = await reviews(tenant)
    assert (review.cause, review.refund_id) == ("refund_unknown", refund.id)
    await tell(tenant, refund.id, Done("re_1", paid.amount))
    assert [each.state for each in await reviews(tenant)] == ["overtaken"]
    assert (await rung(REVIEW_AFTER)).next_at is None


async def test_the_end_of_the_ladder_brings_a_pending_refund_before_a_person(
    tenant: Tenant, paid: Payment
) -> None:
    refund = await request(tenant, paid.id)
    await send(tenant, refund.id)
    await tell(tenant, refund.id, Undecided("re_1"))
    async with tenant.transaction() as session:
        last = utc_now() + timedelta(seconds=ASK_LADDER_S[-1])
        rung = await asking.take_rung(session, refund.id, last, ASK_LADDER_S)

    assert rung.next_at is None
    assert [review.cause for review in await reviews(tenant)] == ["refund_unknown"]


@pytest.mark.parametrize(
    "contradiction", [Done("re_1", kes(99_999)), Done("re_2", kes(100_000))], ids=["amount", "reference"]
)
async def test_an_answer_that_does_not_fit_books_nothing_and_asks_a_person(
    tenant: Tenant, shop: Shop, paid: Payment, contradiction: Done
) -> None:
    refund = await request(tenant, paid.id)
    await send(tenant, refund.id)
    await tell(tenant, refund.id, Undecided("re_1"))

    assert await tell(tenant, refund.id, contradiction) is S.PENDING

    assert await store_money(tenant, shop) == (100_000, 100_000)
    assert [review.cause for review in await reviews(tenant)] == ["contradiction"]


async def noted(
    tenant: Tenant, payment: Payment, amount_minor: int, reference: str = "re_9"
) -> Refund | None:
    told = Done(reference, kes(amount_minor))
    async with tenant.transaction() as session:
        return await note_refund(
            session, NotedRefund(payment.id, reference, kes(amount_minor), told), utc_now()
        )


async def test_a_refund_made_at_the_provider_is_booked_once_and_told(
    tenant: Tenant, shop: Shop, paid: Payment
) -> None:
    for _ in range(2):
        refund = await noted(tenant, paid, 30_000)

    assert refund is not None
    assert (refund.origin, refund.requested_by, refund.status) == ("provider", "system", "succeeded")
    assert await store_money(tenant, shop) == (70_000, 0)
    assert await alerts(tenant) == [AlertKind.REFUND_UNREQUESTED]
    with pytest.raises(RefundTooMuch):
        await request(tenant, paid.id, 70_001)
    await require_sound_books(tenant)


async def test_a_refund_at_the_provider_beyond_the_balance_breaks_the_floor_and_tells(
    tenant: Tenant, shop: Shop, paid: Payment
) -> None:
    await request(tenant, paid.id, 60_000)
    await noted(tenant, paid, 70_000)

    assert await store_money(tenant, shop) == (30_000, 60_000)
    assert {AlertKind.OVERDRAFT, AlertKind.REFUND_UNREQUESTED} <= set(await alerts(tenant))
    assert [review.cause for review in await reviews(tenant)] == ["refund_unrequested"]


async def test_a_nameless_refund_that_may_be_ours_is_not_booked_twice(
    tenant: Tenant, shop: Shop, paid: Payment
) -> None:
    refund = await request(tenant, paid.id, 30_000)
    await send(tenant, refund.id)

    assert await noted(tenant, paid, 30_000) is None

    assert await store_money(tenant, shop) == (100_000, 30_000)
    assert len(await reviews(tenant)) == 1


async def test_a_closed_account_puts_what_is_taken_and_returned_into_suspense(
    tenant: Tenant, shop: Shop, paid: Payment
) -> None:
    async with tenant.transaction() as session:
        await session.execute(
            update(LedgerAccount).where(LedgerAccount.store_id == shop.store_id).values(closed_at=utc_now())
        )
    refund = await noted(tenant, paid, 30_000)
    assert refund is not None
    assert (await books(tenant, shop)).suspense == -30_000
    await tell(tenant, refund.id, NotDone("failed", "It came back.", "re_9"))

    assert (await books(tenant, shop)).suspense == 0
    assert len(await reviews(tenant)) == 1
    await require_sound_books(tenant)


async def test_money_in_suspense_is_refunded_from_there(tenant: Tenant, shop: Shop) -> None:
    await make_paid(tenant, shop, 100)
    async with tenant.transaction() as session:
        await session.execute(
            update(LedgerAccount).where(LedgerAccount.store_id == shop.store_id).values(closed_at=utc_now())
        )
    aside = await make_paid(tenant, shop, 5_000)
    assert (await books(tenant, shop)).suspense == 5_000

    refund = await request(tenant, aside.id)
    await send(tenant, refund.id)
    await tell(tenant, refund.id, Done("re_1", kes(5_000)))

    assert (await books(tenant, shop)).suspense == 0


async def test_a_payment_that_ended_without_money_has_nothing_to_refund(tenant: Tenant, shop: Shop) -> None:
    payment = await initiate(tenant, shop)
    with pytest.raises(PaymentNotRefundable):
        await request(tenant, payment.id)


def test_the_machine_leaves_no_way_out_of_what_came_back() -> None:
    assert NEXT[S.REVERSED] == set()
    assert all(S.REQUESTED in NEXT[state] for state in (S.SUBMITTING, S.UNKNOWN))
    assert S.SUBMITTING not in NEXT[S.UNKNOWN]


@pytest.mark.parametrize(
    ("refunds", "state"),
    [
        ([], RefundState.NONE),
        ([(S.FAILED, 100), (S.REVERSED, 100)], RefundState.NONE),
        ([(S.SUCCEEDED, 40)], RefundState.PARTLY),
        ([(S.SUCCEEDED, 40), (S.SUCCEEDED, 60)], RefundState.FULLY),
        ([(S.SUCCEEDED, 40), (S.UNKNOWN, 60)], RefundState.UNDER_WAY),
    ],
)
def test_the_refunds_of_a_payment_stand_together(
    refunds: list[tuple[RefundStatus, int]], state: RefundState
) -> None:
    assert refund_state(100, refunds) is state
