"""A receipt's money is in the books once, also where a query tells no receipt and people decide."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text, update

from core.clock import utc_now
from core.currency import Currency
from core.ids import Kind, outside
from core.money import Money
from core.phone import Phone
from tenancy.sessions import Tenant
from tenant_db.payments import submitting
from tenant_db.payments.locking import lock_payment
from tenant_db.payments.models import Payment
from tenant_db.payments.reviewing import ask_for_receipt
from tenant_db.payments.rules import REVIEW_AFTER, Cause, Paid
from tenant_db.payments.settling import Verdict
from tenant_db.reviews.commands import Decided
from tenant_db.reviews.deciding import decide_review
from tenant_db.reviews.errors import MoneyMayBeAnothers, ReceiptTaken
from tenant_db.reviews.models import Review
from tenant_db.reviews.opening import NewReview, open_review
from tenant_db.reviews.rules import ReviewCause, ReviewDecision, ReviewState, ReviewSubject
from tests.factories.ledger import require_sound_books
from tests.factories.payments import (
    AMOUNT,
    LATER,
    Books,
    Shop,
    books,
    confirmations,
    initiate,
    make_shop,
    pend,
    read,
    submit,
)
from tests.factories.payments import checkout_id as reference_of
from tests.factories.telling import CREDITED, SILENT, ask, call_back, confirm, told_of
from tests.racing import race

D = ReviewDecision
OTHER = Paid(AMOUNT, "TKX0000002")
TWICE = Books(300_000, 300_000, 0)


async def expired(tenant: Tenant, shop: Shop, **changes: object) -> tuple[Payment, bytes]:
    payment, item = await pend(tenant, shop, **changes)  # type: ignore[arg-type]  # by name
    await ask(tenant, payment, SILENT, utc_now() + LATER)
    return payment, item


async def lose(tenant: Tenant, shop: Shop) -> tuple[Payment, bytes]:
    """A prompt whose answer was lost, and the provider's id with it."""
    payment = await initiate(tenant, shop)
    item = await submit(tenant, payment)
    async with tenant.transaction() as session:
        await submitting.doubt(session, payment.id, "the answer was lost")
    return payment, item


async def grow_old(tenant: Tenant, payment: Payment) -> datetime:
    """Let a payment be so old that people may credit what may be its money; gives when it was made."""
    then = utc_now() - REVIEW_AFTER - timedelta(hours=1)
    async with tenant.transaction() as session:
        await session.execute(update(Payment).where(Payment.id == payment.id).values(created_at=then))
    return then


async def asked_about(tenant: Tenant, payment: Payment) -> UUID:
    new = NewReview(ReviewSubject.PAYMENT, payment.id, ReviewCause.UNKNOWN_OUTCOME, "Was it?", "Odd.")
    async with tenant.transaction() as session:
        return await open_review(session, new)


async def decide(tenant: Tenant, review_id: UUID, decision: D, **details: object) -> Review:
    async with tenant.transaction() as session:
        decided = Decided(review_id, decision, "I have looked.", "user:1", **details)  # type: ignore[arg-type]  # by name
        return await decide_review(session, decided, utc_now())


async def parked(tenant: Tenant, shop: Shop, **changes: object) -> UUID:
    """The question about money that fits nothing: its payer typed what nobody knows."""
    new = told_of(shop, account="VIP001", **changes)  # type: ignore[arg-type]  # by name
    await confirm(tenant, new)
    async with tenant.reading() as session:
        found = await session.scalar(
            select(Review.id).where(Review.confirmation_id.is_not(None), Review.state == ReviewState.OPEN)
        )
    assert found is not None
    return found


async def credit_store(tenant: Tenant, shop: Shop, review_id: UUID) -> Review:
    return await decide(tenant, review_id, D.CREDIT_STORE, store_id=shop.store_id)


async def test_what_people_have_credited_is_not_credited_again_by_a_query(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    payment, item = await expired(tenant, shop)
    await credit_store(tenant, shop, await parked(tenant, shop))

    told = await ask(tenant, payment, Paid())
    await ask(tenant, payment, Paid())

    assert told.verdict is Verdict.QUARANTINED
    assert "TKX0000001" in told.note
    assert (await read(tenant, payment.id)).review_note == told.note
    assert await books(tenant, shop) == CREDITED
    # Its own receipt says that it was paid with other money.
    await call_back(tenant, shop, item, reference_of(payment), OTHER, answer=Paid())
    assert (await read(tenant, payment.id)).receipt == "TKX0000002"
    assert await books(tenant, shop) == TWICE
    await require_sound_books(tenant)


@pytest.mark.parametrize("prompt", [pend, lose])
async def test_what_people_have_credited_is_not_credited_again_by_the_answer_about_a_callback(
    tenant: Tenant, prompt: Callable[[Tenant, Shop], Awaitable[tuple[Payment, bytes]]]
) -> None:
    shop = await make_shop(tenant)
    payment, item = await prompt(tenant, shop)
    paid_at = await grow_old(tenant, payment)
    await credit_store(tenant, shop, await parked(tenant, shop, paid_at=paid_at))
    tell = partial(call_back, tenant, shop, item, reference_of(payment))
    assert (await tell(SILENT)).verdict is Verdict.ASK

    told = await tell(SILENT, answer=Paid())

    assert told.verdict is Verdict.QUARANTINED
    assert "TKX0000001" in told.note
    assert (await read(tenant, payment.id)).review_note == told.note
    assert await books(tenant, shop) == CREDITED
    # The id is proven now, so its own receipt needs no second question.
    assert (await tell(OTHER)).verdict is Verdict.SETTLED
    assert await books(tenant, shop) == TWICE


@pytest.mark.parametrize(
    "changes",
    [
        {"payer": "2547 ***** 009"},
        {"amount": Money(140_000, Currency.KES)},
        {"paid_at": utc_now() - timedelta(hours=4)},
    ],
)
async def test_money_that_differs_holds_nobody_up(tenant: Tenant, changes: dict[str, Any]) -> None:
    shop = await make_shop(tenant)
    payment, _ = await pend(tenant, shop)
    await credit_store(tenant, shop, await parked(tenant, shop, **changes))

    told = await ask(tenant, payment, Paid())

    assert told.verdict is Verdict.SETTLED


@pytest.mark.parametrize("prompt", [pend, lose])
async def test_money_in_suspense_is_not_credited_while_a_payment_may_be_paid_with_it(
    tenant: Tenant, prompt: Callable[[Tenant, Shop], Awaitable[tuple[Payment, bytes]]]
) -> None:
    shop = await make_shop(tenant)
    payment, _ = await prompt(tenant, shop)
    review_id = await parked(tenant, shop)

    for answer in (None, Paid()):
        if answer is not None:
            await ask(tenant, payment, answer)
        with pytest.raises(MoneyMayBeAnothers) as refused:
            await credit_store(tenant, shop, review_id)
        assert refused.value.payment_id == outside(Kind.PAYMENT, payment.id)


@pytest.mark.parametrize("is_its_own", [True, False])
async def test_a_payment_that_a_query_settled_is_given_its_receipt(
    tenant: Tenant,
    is_its_own: bool,  # noqa: FBT001 - whether the money in suspense is its
) -> None:
    shop = await make_shop(tenant)
    payment, _ = await pend(tenant, shop)
    in_suspense = await parked(tenant, shop)
    await ask(tenant, payment, Paid())
    async with tenant.transaction() as session:
        await ask_for_receipt(session, await lock_payment(session, payment.id))
    async with tenant.reading() as session:
        question = await session.scalar(select(Review.id).where(Review.payment_id == payment.id))
    assert question is not None

    # People type as they like; the provider writes capitals.
    proof = "tkx0000001" if is_its_own else " tkx0000002"
    await decide(tenant, question, D.MARK_PAID, proof=proof)

    (row,) = await confirmations(tenant)
    assert (row.state, row.payment_id) == (("resolved", payment.id) if is_its_own else ("suspense", None))
    if not is_its_own:
        await credit_store(tenant, shop, in_suspense)
    assert await books(tenant, shop) == (CREDITED if is_its_own else TWICE)
    async with tenant.transaction() as session:
        await ask_for_receipt(session, await lock_payment(session, payment.id))
        assert len(list(await session.scalars(select(Review.id)))) == 2
    await require_sound_books(tenant)


@pytest.mark.parametrize("is_confirmed", [True, False])
@pytest.mark.parametrize("is_query_first", [True, False])
async def test_a_receipt_that_people_give_to_one_payment_is_not_anothers_too(
    tenant: Tenant,
    is_confirmed: bool,  # noqa: FBT001 - whether the provider has told of it
    is_query_first: bool,  # noqa: FBT001 - two orders of the same
) -> None:
    shop = await make_shop(tenant)
    paid, _ = await expired(tenant, shop)
    marked, _ = await expired(tenant, shop)
    other, _ = await expired(tenant, shop, phone=Phone("+254711111009"))
    if is_confirmed:
        await parked(tenant, shop)
    review_id = await asked_about(tenant, marked)
    mark = partial(decide, tenant, review_id, D.MARK_PAID, proof="TKX0000001")

    if is_query_first:
        await ask(tenant, paid, Paid())
        with pytest.raises(MoneyMayBeAnothers):
            await mark()
        assert (await books(tenant, shop)).store == AMOUNT.minor
        return
    await mark()

    assert (await ask(tenant, paid, Paid())).verdict is Verdict.QUARANTINED
    assert await books(tenant, shop) == CREDITED
    assert (await ask(tenant, other, Paid())).verdict is Verdict.SETTLED


async def test_money_that_names_its_payment_is_that_ones(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    named, _ = await pend(tenant, shop)
    rival, _ = await pend(tenant, shop)
    # To a number that no channel has, so that nobody was looked for.
    await confirm(tenant, told_of(shop, named, short_code="999999"))

    await decide(tenant, await asked_about(tenant, named), D.MARK_PAID, proof="TKX0000001")

    assert (await ask(tenant, rival, Paid())).verdict is Verdict.SETTLED
    assert await books(tenant, shop) == TWICE


async def test_a_proof_that_is_the_providers_own_name_of_another_payment_is_refused(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    first, _ = await expired(tenant, shop)
    second, _ = await pend(tenant, shop, phone=Phone("+254711111009"))
    async with tenant.transaction() as session:
        locked = await lock_payment(session, first.id)
        locked.request_reference = "29115-34620561-1"
        session.add(locked.remark(Cause.JOB, {}))

    with pytest.raises(ReceiptTaken):
        await decide(tenant, await asked_about(tenant, second), D.MARK_PAID, proof="29115-34620561-1")


@pytest.mark.parametrize("is_called_back", [True, False])
async def test_a_person_and_a_query_at_the_same_moment_credit_once(
    tenant: Tenant,
    is_called_back: bool,  # noqa: FBT001 - whether it is asked because of a callback
) -> None:
    shop = await make_shop(tenant)
    payment, item = await pend(tenant, shop)
    review_id = await parked(tenant, shop, paid_at=await grow_old(tenant, payment))
    barrier = text("SELECT pg_advisory_xact_lock(hashtextextended('money:sandbox:KES:150000', 0))")

    async def crediting() -> object:
        return await credit_store(tenant, shop, review_id)

    async def asking() -> object:
        if is_called_back:
            return await call_back(tenant, shop, item, reference_of(payment), SILENT, answer=Paid())
        return await ask(tenant, payment, Paid())

    outcomes = await race(tenant, barrier, [crediting, asking])

    refused = [each for each in outcomes if isinstance(each, BaseException)]
    assert all(isinstance(each, MoneyMayBeAnothers) for each in refused)
    assert (await books(tenant, shop)).store == AMOUNT.minor
