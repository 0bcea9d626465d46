"""Refunds as providers tell of them: sent once, asked about, and written down where nobody asked for them."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

import pytest
from sqlalchemy import select, update

from core.alerts import AlertKind
from core.clock import utc_now
from core.ids import Kind, outside
from tenancy.keyring import Keyring
from tenancy.sessions import Tenant
from tenant_db.alerts.models import Alert
from tenant_db.disputes.rules import DisputeStatus
from tenant_db.disputes.telling import ToldDispute, tell_dispute
from tenant_db.ledger.models import LedgerAccount
from tenant_db.payments.models import Payment
from tenant_db.refunds import asking, submitting
from tenant_db.refunds.errors import (
    RefundTooMuch,
)
from tenant_db.refunds.machine import RefundStatus
from tenant_db.refunds.models import Refund
from tenant_db.refunds.noting import NotedRefund, note_refund
from tenant_db.refunds.rules import (
    ASK_LADDER_S,
    REVIEW_AFTER,
    SEND_WINDOW,
    STRANDED_AFTER,
    Done,
    NotDone,
    Told,
    Undecided,
)
from tenant_db.reviews.models import Review
from tenant_db.webhooks.endpoints import EndpointInput, add_endpoint
from tenant_db.webhooks.models import WebhookDelivery
from tenant_db.webhooks.rules import CHOOSABLE
from tests.factories.ledger import require_sound_books
from tests.factories.payments import Shop, books, make_shop
from tests.factories.refunds import (
    kes,
    make_paid,
    read,
    request,
    send,
    store_money,
    tell,
)

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


SENDINGS: Final[Sequence[tuple[Callable[[str], Told], RefundStatus]]] = [
    (Undecided, S.PENDING),
    (lambda _: Undecided(None), S.PENDING),
    (lambda name: Undecided(name, "Send the bank details."), S.NEEDS_ATTENTION),
    (lambda name: Done(name, kes(100_000)), S.SUCCEEDED),
    (lambda name: NotDone("declined", "The bank declined.", name), S.FAILED),
]


@pytest.mark.parametrize("was_lost", ["answered", "lost"])
async def test_every_answer_leads_to_its_state_and_again_changes_nothing(
    tenant: Tenant, shop: Shop, was_lost: str
) -> None:
    for telling, expected in SENDINGS:
        refund = await request(tenant, (await make_paid(tenant, shop)).id)
        await send(tenant, refund.id)
        if was_lost == "lost":
            async with tenant.transaction() as session:
                assert await submitting.doubt(session, refund.id, "no answer") is S.UNKNOWN
        answer = telling(f"re_{refund.id}")
        # Asked about, and not known there: it may never have arrived.
        is_missing = was_lost == "lost" and answer == Undecided(None)
        status = S.UNKNOWN if is_missing else expected

        assert await tell(tenant, refund.id, answer) is status, answer
        before = await read(tenant, refund.id)
        assert await tell(tenant, refund.id, answer) is status, answer

        assert (await read(tenant, refund.id)).version == before.version, answer
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


async def test_an_answer_that_does_not_fit_books_nothing_and_asks_a_person(
    tenant: Tenant, shop: Shop, paid: Payment
) -> None:
    refund = await request(tenant, paid.id)
    await send(tenant, refund.id)
    await tell(tenant, refund.id, Undecided("re_1"))

    for contradiction in (Done("re_1", kes(99_999)), Done("re_2", kes(100_000))):
        assert await tell(tenant, refund.id, contradiction) is S.PENDING

    assert await store_money(tenant, shop) == (100_000, 100_000)
    (review,) = await reviews(tenant)
    assert (review.cause, len(review.notes)) == ("contradiction", 2)


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


async def test_the_business_s_own_systems_are_told_how_refunds_and_disputes_end(
    tenant: Tenant, paid: Payment, keyring: Keyring
) -> None:
    events = [event.value for event in CHOOSABLE]
    async with tenant.transaction() as session:
        new = EndpointInput("https://shop.example.com/", events, "Shop")
        await add_endpoint(session, keyring, new)
    refund = await request(tenant, paid.id, 1_000)
    await send(tenant, refund.id)
    await tell(tenant, refund.id, Done("re_1", kes(1_000)))
    await tell(tenant, refund.id, FAILED)
    for status in (DisputeStatus.NEEDS_RESPONSE, DisputeStatus.LOST):
        told = ToldDispute(paid.id, "dp_1", None, "fraudulent", status, None, None)
        async with tenant.transaction() as session:
            await tell_dispute(session, told, utc_now())

    async with tenant.reading() as session:
        rows = list(await session.scalars(select(WebhookDelivery).order_by(WebhookDelivery.id)))
    assert [row.event for row in rows] == [
        "refund.succeeded",
        "refund.reversed",
        "dispute.opened",
        "dispute.lost",
    ]
    assert (rows[0].payload["amountMinor"], rows[0].payload["status"]) == ("1000", "succeeded")
    assert rows[2].payload["paymentId"] == outside(Kind.PAYMENT, paid.id)
