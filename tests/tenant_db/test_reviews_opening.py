"""The people's queue: one open question about one thing."""

import asyncio
from functools import partial
from uuid import UUID

from sqlalchemy import select, text

from core.alerts import AlertState
from core.clock import utc_now
from core.ids import Kind, outside
from tenancy.sessions import Tenant
from tenant_db.alerts.models import Alert
from tenant_db.payments.ending import succeed
from tenant_db.payments.locking import lock_payment
from tenant_db.payments.models import Payment
from tenant_db.payments.polling import take_rung
from tenant_db.payments.reviewing import flag
from tenant_db.payments.rules import REVIEW_AFTER, Cause
from tenant_db.reviews.models import Review
from tenant_db.reviews.opening import NewReview, open_review, overtake
from tenant_db.reviews.rules import NOTES_MAX, ReviewCause, ReviewDecision, ReviewState, ReviewSubject
from tests.factories.ledger import NOW
from tests.factories.payments import initiate, make_shop, pend
from tests.racing import race


async def opened(tenant: Tenant, payment_id: UUID, note: str = "The amounts differ.") -> UUID:
    new = NewReview(
        ReviewSubject.PAYMENT,
        payment_id,
        ReviewCause.MISMATCH,
        "Was it paid?",
        note,
        suggestion=ReviewDecision.MARK_PAID,
    )
    async with tenant.transaction() as session:
        return await open_review(session, new)


async def a_payment(tenant: Tenant) -> UUID:
    return (await initiate(tenant, await make_shop(tenant))).id


async def read(tenant: Tenant, id: UUID) -> Review:
    async with tenant.reading() as session:
        return await session.get_one(Review, id)


async def alerts(tenant: Tenant) -> list[Alert]:
    async with tenant.reading() as session:
        return list(await session.scalars(select(Alert).order_by(Alert.id)))


async def test_what_comes_up_later_joins_the_open_question(tenant: Tenant) -> None:
    payment_id = await a_payment(tenant)

    ids = [await opened(tenant, payment_id, note) for note in ("one", "two", "one")]

    review = await read(tenant, ids[0])
    assert set(ids) == {review.id}
    assert (review.notes, review.version, review.payment_id) == (["one", "two"], 2, payment_id)
    assert (review.suggestion, review.state) == (ReviewDecision.MARK_PAID, ReviewState.OPEN)


async def test_people_are_told_of_a_question_once(tenant: Tenant) -> None:
    payment_id = await a_payment(tenant)
    review_id = await opened(tenant, payment_id)
    await opened(tenant, payment_id, "More.")

    (alert,) = await alerts(tenant)
    assert (alert.kind, alert.subject, alert.count) == ("review_needed", outside(Kind.REVIEW, review_id), 1)
    assert alert.message == "The amounts differ."


async def test_rivals_open_one_question(tenant: Tenant) -> None:
    payment_id = await a_payment(tenant)

    found = await race(
        tenant,
        text("LOCK TABLE reviews IN ACCESS EXCLUSIVE MODE"),
        [partial(opened, tenant, payment_id, note) for note in "abcd"],
    )

    assert len(set(found)) == 1
    review = await read(tenant, await opened(tenant, payment_id, "a"))
    assert sorted(review.notes) == list("abcd")


async def test_notes_of_one_question_are_limited(tenant: Tenant) -> None:
    payment_id = await a_payment(tenant)
    for number in range(NOTES_MAX + 3):
        id_ = await opened(tenant, payment_id, str(number))

    assert len((await read(tenant, id_)).notes) == NOTES_MAX


async def test_a_question_that_settles_itself_is_closed_with_its_alert(tenant: Tenant) -> None:
    first, second = await asyncio.gather(a_payment(tenant), a_payment_elsewhere(tenant))
    closed, still = await opened(tenant, first), await opened(tenant, second)

    async with tenant.transaction() as session:
        await overtake(session, ReviewSubject.PAYMENT, first, NOW)
        await overtake(session, ReviewSubject.PAYMENT, first, NOW)

    assert (await read(tenant, closed)).state == ReviewState.OVERTAKEN
    assert (await read(tenant, still)).state == ReviewState.OPEN
    assert [alert.state for alert in await alerts(tenant)] == [AlertState.RESOLVED, AlertState.OPEN]
    assert await opened(tenant, first) != closed


async def a_payment_elsewhere(tenant: Tenant) -> UUID:
    return (await initiate(tenant, await make_shop(tenant, short_code="600100"))).id


async def test_a_payment_that_is_paid_after_all_takes_its_question_back(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    answered, odd = [(await pend(tenant, shop))[0].id for _ in range(2)]
    for id_ in (answered, odd):
        async with tenant.transaction() as session:
            payment = await lock_payment(session, id_)
            if id_ == odd:
                flag(session, payment, "It contradicts itself.", Cause.CALLBACK)
            await take_rung(session, id_, utc_now() + REVIEW_AFTER + REVIEW_AFTER, [10])
    for id_, receipt in ((answered, "TKX0000001"), (odd, "TKX0000002")):
        async with tenant.transaction() as session:
            payment = await lock_payment(session, id_)
            assert payment.needs_review
            await succeed(session, payment, receipt, Cause.CALLBACK, utc_now())

    async with tenant.reading() as session:
        found = await session.execute(select(Review.payment_id, Review.state))
        flagged = await session.scalars(select(Payment.id).where(Payment.needs_review))
        assert dict(found.all()) == {answered: "overtaken", odd: "open"}
        assert flagged.all() == [odd]
