"""What people decide is carried out once, under the locks and by the verbs of what it is about."""

from functools import partial
from uuid import UUID

import pytest
from sqlalchemy import select, update

from core.clock import utc_now
from core.currency import Currency
from core.errors import DomainError, InvalidInput, NotFound
from core.ids import new_id
from core.money import Money
from tenancy.columns import OutboxColumns
from tenancy.sessions import Tenant
from tenancy.shapes import model_of
from tenant_db.alerts.models import Alert
from tenant_db.inbox.models import TenantInbox
from tenant_db.ledger.models import LedgerAccount
from tenant_db.payments.matching import NewConfirmation, settle_by_confirmation
from tenant_db.payments.models import Payment
from tenant_db.refunds import submitting
from tenant_db.reviews.commands import Decided
from tenant_db.reviews.deciding import decide_review
from tenant_db.reviews.errors import DecisionNotPossible, ReceiptTaken, ReviewClosed
from tenant_db.reviews.evidence import Evidence, evidence_of
from tenant_db.reviews.models import Review
from tenant_db.reviews.opening import NewReview, open_review, open_review_at_end
from tenant_db.reviews.rules import OPTIONS, ReviewCause, ReviewDecision, ReviewState, ReviewSubject
from tests.factories.ledger import require_sound_books
from tests.factories.payments import AMOUNT, Books, Shop, books, confirmations, make_shop, pend, read
from tests.factories.refunds import ANY, kes, make_paid, request, send, store_money
from tests.factories.refunds import read as read_refund
from tests.racing import race

D = ReviewDecision


@pytest.fixture
async def shop(tenant: Tenant) -> Shop:
    return await make_shop(tenant)


async def opened(
    tenant: Tenant,
    subject_id: UUID,
    subject: ReviewSubject = ReviewSubject.PAYMENT,
    cause: ReviewCause = ReviewCause.UNKNOWN_OUTCOME,
) -> UUID:
    async with tenant.transaction() as session:
        return await open_review(session, NewReview(subject, subject_id, cause, "Was it?", "Nobody knows."))


async def decide(tenant: Tenant, review_id: UUID, decision: D, **details: object) -> Review:
    decided = Decided(review_id, decision, "I have looked.", "user:1", **details)  # type: ignore[arg-type]  # by name
    async with tenant.transaction() as session:
        return await decide_review(session, decided, utc_now())


async def test_a_payment_marked_paid_credits_its_store_and_closes_the_question(
    tenant: Tenant, shop: Shop
) -> None:
    payment, _ = await pend(tenant, shop)
    review_id = await opened(tenant, payment.id)

    review = await decide(tenant, review_id, D.MARK_PAID, proof="RKTQDM7W6S")

    assert (review.state, review.decision, review.decided_by) == ("decided", "mark_paid", "user:1")
    assert (review.proof, review.reason, set(review.outcome)) == ("RKTQDM7W6S", "I have looked.", {"payment"})
    paid = await read(tenant, payment.id)
    assert (paid.status, paid.receipt, paid.needs_review) == ("succeeded", "RKTQDM7W6S", False)
    assert (await books(tenant, shop)).store == payment.amount_minor
    async with tenant.reading() as session:
        assert await session.scalar(select(Alert.state)) == "resolved"
    await require_sound_books(tenant)


async def test_rivals_decide_once(tenant: Tenant, shop: Shop) -> None:
    payment, _ = await pend(tenant, shop)
    review_id = await opened(tenant, payment.id)
    barrier = select(Payment.id).where(Payment.id == payment.id).with_for_update()

    found = await race(
        tenant,
        barrier,
        [
            partial(decide, tenant, review_id, D.MARK_PAID, proof="RKTQDM7W6S"),
            partial(decide, tenant, review_id, D.MARK_NOT_PAID),
            partial(decide, tenant, review_id, D.DISMISS),
        ],
    )

    assert sorted(type(each) is ReviewClosed for each in found) == [False, True, True]


async def test_a_payment_marked_not_paid_ends_and_late_money_still_counts(tenant: Tenant, shop: Shop) -> None:
    payment, _ = await pend(tenant, shop)
    await decide(tenant, await opened(tenant, payment.id), D.MARK_NOT_PAID)
    assert (await read(tenant, payment.id)).status == "failed"

    await decide(tenant, await opened(tenant, payment.id), D.MARK_PAID, proof="RKTQDM7W6S")

    assert (await read(tenant, payment.id)).status == "succeeded"


async def test_a_proof_of_another_payment_or_amount_is_refused_and_leaves_the_question_open(
    tenant: Tenant, shop: Shop
) -> None:
    paid = await make_paid(tenant, shop)
    payment, _ = await pend(tenant, shop)
    review_id = await opened(tenant, payment.id)
    await confirmed(tenant, shop, "RKTQDM7W6S", Money(1, Currency.KES))

    for receipt, refusal in ((paid.receipt, ReceiptTaken), ("RKTQDM7W6S", DecisionNotPossible)):
        with pytest.raises(refusal):
            await decide(tenant, review_id, D.MARK_PAID, proof=receipt)

    async with tenant.reading() as session:
        assert (await session.get_one(Review, review_id)).state == ReviewState.OPEN
    assert (await read(tenant, payment.id)).status == "pending"


async def confirmed(tenant: Tenant, shop: Shop, receipt: str, amount: Money = AMOUNT) -> UUID:
    """Money that fits no payment, and so is in suspense."""
    new = NewConfirmation(
        shop.channel_id, shop.short_code, receipt, amount, "unknown", "2547*****149", utc_now()
    )
    async with tenant.transaction() as session:
        await settle_by_confirmation(session, new, utc_now())
    (row,) = [row for row in await confirmations(tenant) if row.receipt == receipt]
    assert row.state == "suspense"
    return row.id


async def test_money_in_suspense_is_credited_to_the_store_that_a_person_names(
    tenant: Tenant, shop: Shop
) -> None:
    row_id = await confirmed(tenant, shop, "RKTQDM7W6S")
    review_id = await opened(tenant, row_id, ReviewSubject.CONFIRMATION, ReviewCause.UNMATCHED_MONEY)
    with pytest.raises(InvalidInput):
        await decide(tenant, review_id, D.CREDIT_STORE)
    with pytest.raises(NotFound):
        await decide(tenant, review_id, D.CREDIT_STORE, store_id=new_id())

    review = await decide(tenant, review_id, D.CREDIT_STORE, store_id=shop.store_id)

    assert set(review.outcome) == {"transfer"}
    found = await books(tenant, shop)
    assert (found.store, found.suspense, found.holding) == (AMOUNT.minor, 0, AMOUNT.minor)
    again = await opened(tenant, row_id, ReviewSubject.CONFIRMATION, ReviewCause.UNMATCHED_MONEY)
    with pytest.raises(DecisionNotPossible):
        await decide(tenant, again, D.CREDIT_STORE, store_id=shop.store_id)
    await require_sound_books(tenant)


async def test_money_that_its_store_had_refused_is_credited_once_it_can_be(
    tenant: Tenant, shop: Shop
) -> None:
    await make_paid(tenant, shop, 100)
    closed = update(LedgerAccount).where(LedgerAccount.store_id == shop.store_id)
    async with tenant.transaction() as session:
        await session.execute(closed.values(closed_at=utc_now()))
    aside = await make_paid(tenant, shop, 5_000)
    async with tenant.transaction() as session:
        await session.execute(closed.values(closed_at=None))

    await decide(tenant, await opened(tenant, aside.id), D.CREDIT_STORE)

    assert await books(tenant, shop) == Books(5_100, 5_100, 0)
    with pytest.raises(DecisionNotPossible):
        await decide(tenant, await opened(tenant, aside.id), D.CREDIT_STORE)


async def test_a_payment_that_was_paid_twice_is_refunded_by_a_decision(tenant: Tenant, shop: Shop) -> None:
    paid = await make_paid(tenant, shop)
    review_id = await opened(tenant, paid.id, cause=ReviewCause.DOUBLE_PAYMENT)

    review = await decide(tenant, review_id, D.REFUND, offer=ANY, amount=kes(40_000))

    assert set(review.outcome) == {"refund"}
    assert await store_money(tenant, shop) == (100_000, 40_000)
    async with tenant.reading() as session:
        model = model_of(session, OutboxColumns)
        kinds = await session.scalars(select(model.kind).where(model.queue == "payments"))
        assert "submit_refund" in kinds.all()


@pytest.mark.parametrize(
    ("decision", "details", "after"),
    [
        (D.MARK_REFUNDED, {"proof": "REV1"}, ("succeeded", 70_000, 0)),
        (D.MARK_NOT_REFUNDED, {}, ("failed", 100_000, 0)),
        (D.DISMISS, {}, ("unknown", 100_000, 30_000)),
    ],
)
async def test_an_unknown_refund_ends_as_a_person_has_seen(
    tenant: Tenant, shop: Shop, decision: D, details: dict[str, str], after: tuple[str, int, int]
) -> None:
    paid = await make_paid(tenant, shop)
    refund = await request(tenant, paid.id, 30_000)
    await send(tenant, refund.id)
    async with tenant.transaction() as session:
        await submitting.doubt(session, refund.id, "no answer")
    review_id = await opened(tenant, refund.id, ReviewSubject.REFUND, ReviewCause.REFUND_UNKNOWN)

    review = await decide(tenant, review_id, decision, **details)

    assert review.state == ReviewState.DECIDED
    assert ((await read_refund(tenant, refund.id)).status, *await store_money(tenant, shop)) == after
    await require_sound_books(tenant)


@pytest.mark.parametrize(
    ("decision", "details", "refusal"),
    [
        (D.MARK_PAID, {"proof": "X1"}, DecisionNotPossible),
        (D.MARK_NOT_PAID, {}, DecisionNotPossible),
        (D.MARK_REFUNDED, {"proof": "X1"}, DecisionNotPossible),
        (D.CREDIT_STORE, {}, DecisionNotPossible),
        (D.CREDIT_STORE, {"store_id": new_id()}, DecisionNotPossible),
        (D.MARK_PAID, {}, InvalidInput),
    ],
)
async def test_what_a_paid_payment_does_not_allow_is_refused(
    tenant: Tenant, shop: Shop, decision: D, details: dict[str, object], refusal: type[DomainError]
) -> None:
    paid = await make_paid(tenant, shop)
    review_id = await opened(tenant, paid.id)

    with pytest.raises(refusal):
        await decide(tenant, review_id, decision, **details)


async def test_a_review_that_is_not_there_is_refused(tenant: Tenant) -> None:
    with pytest.raises(NotFound):
        await decide(tenant, new_id(), D.DISMISS)


async def evidence(tenant: Tenant, review_id: UUID) -> Evidence:
    async with tenant.reading() as session:
        return await evidence_of(session, await session.get_one(Review, review_id))


async def test_the_evidence_has_what_happened_and_not_the_message_itself(tenant: Tenant, shop: Shop) -> None:
    payment, _ = await pend(tenant, shop)
    row = TenantInbox(
        id=new_id(), source="mpesa:1", kind="stk_result", external_id="1", headers={}, body=b"{}"
    )
    async with tenant.transaction() as session:
        session.add(row)
        open_review_at_end(
            session,
            NewReview(ReviewSubject.MESSAGE, row.id, ReviewCause.UNREADABLE_MESSAGE, "What is it?", "Odd."),
        )
        assert list(await session.scalars(select(Review.id))) == []
    async with tenant.reading() as session:
        (message_review,) = await session.scalars(select(Review.id))

    told = await evidence(tenant, message_review)
    assert told.message is not None
    assert (told.message.size_bytes, told.message.sha256[:8]) == (2, "44136fa3")
    about = await evidence(tenant, await opened(tenant, payment.id))
    assert about.payment is not None
    assert [step.to_status for step in about.steps] == ["created", "submitting", "pending"]


def test_everything_can_be_dismissed() -> None:
    assert all(D.DISMISS in OPTIONS[subject] for subject in ReviewSubject)
