"""Money told of by confirmation is credited once, or waits in suspense; never twice."""

import pytest
from sqlalchemy import select, text, update

from core.clock import utc_now
from core.currency import Currency
from core.ids import new_id
from core.money import Money
from tenancy.sessions import Tenant
from tenant_db.channels.machine import ChannelKind
from tenant_db.ledger.models import LedgerAccount
from tenant_db.payments import submitting
from tenant_db.payments.matching import UNKNOWN_ACCOUNT, UNKNOWN_SHORT_CODE
from tenant_db.payments.rules import Paid, Told
from tenant_db.payments.settling import Verdict
from tenant_db.reviews.commands import Decided
from tenant_db.reviews.deciding import decide_review
from tenant_db.reviews.errors import DecisionNotPossible
from tenant_db.reviews.models import Review
from tenant_db.reviews.rules import ReviewDecision, ReviewSubject
from tests.factories.ledger import require_sound_books
from tests.factories.payments import (
    AMOUNT,
    LATER,
    Books,
    books,
    checkout_id,
    confirmations,
    initiate,
    make_shop,
    pend,
    read,
    submit,
)
from tests.factories.telling import (
    CREDITED,
    PARKED,
    POOR,
    SILENT,
    ask,
    call_back,
    confirm,
    told_of,
)
from tests.racing import race


async def test_a_confirmation_after_the_callback_changes_nothing(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    payment, item = await pend(tenant, shop)
    await call_back(tenant, shop, item, checkout_id(payment))

    verdict = await confirm(tenant, told_of(shop, payment))

    assert verdict.verdict is Verdict.UNCHANGED
    (row,) = await confirmations(tenant)
    assert (row.state, row.payment_id) == ("matched", payment.id)
    assert await books(tenant, shop) == CREDITED


async def test_a_confirmation_before_the_callback_settles_and_the_callback_changes_nothing(
    tenant: Tenant,
) -> None:
    shop = await make_shop(tenant)
    payment, item = await pend(tenant, shop)

    first = await confirm(tenant, told_of(shop, payment))
    second = await call_back(tenant, shop, item, checkout_id(payment))

    assert (first.verdict, second.verdict) == (Verdict.SETTLED, Verdict.UNCHANGED)
    after = await read(tenant, payment.id)
    assert (after.status, after.receipt, after.needs_review) == ("succeeded", "TKX0000001", False)
    assert await books(tenant, shop) == CREDITED


async def test_callback_and_confirmation_at_the_same_moment_credit_once(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    payment, item = await pend(tenant, shop)

    async def calling() -> object:
        return await call_back(tenant, shop, item, checkout_id(payment))

    async def confirming() -> object:
        return await confirm(tenant, told_of(shop, payment))

    barrier = text("SELECT pg_advisory_xact_lock(hashtextextended('receipt:sandbox:TKX0000001', 0))")
    outcomes = await race(tenant, barrier, [calling, confirming, calling, confirming])

    assert not [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert (await read(tenant, payment.id)).status == "succeeded"
    assert await books(tenant, shop) == CREDITED


@pytest.mark.parametrize("case", ["unknown", "expired", "failed", "submitting", "created", "paid by query"])
async def test_money_under_our_reference_settles_whatever_we_had_believed(tenant: Tenant, case: str) -> None:
    shop = await make_shop(tenant)
    payment = await initiate(tenant, shop)
    if case != "created":
        await submit(tenant, payment)
    async with tenant.transaction() as session:
        if case == "unknown":
            await submitting.doubt(session, payment.id, "no answer")
        if case in {"expired", "failed", "paid by query"}:
            await submitting.confirm(session, payment.id, checkout_id(payment), None)
    if case in {"expired", "failed", "paid by query"}:
        answers: dict[str, Told] = {"expired": SILENT, "failed": POOR, "paid by query": Paid()}
        await ask(tenant, payment, answers[case], utc_now() + LATER)

    verdict = await confirm(tenant, told_of(shop, payment))

    assert verdict.verdict is Verdict.SETTLED
    after = await read(tenant, payment.id)
    assert (after.status, after.receipt, after.failure_code) == ("succeeded", "TKX0000001", None)
    assert await books(tenant, shop) == CREDITED


async def test_the_reference_is_read_as_people_type_it(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    payment, _ = await pend(tenant, shop)

    await confirm(tenant, told_of(shop, payment, account=f"  {payment.reference.lower()} "))

    assert (await read(tenant, payment.id)).status == "succeeded"


async def test_money_nobody_asked_for_waits_in_suspense(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    await pend(tenant, shop)

    verdict = await confirm(tenant, told_of(shop, account="VIP001"))
    again = await confirm(tenant, told_of(shop, account="VIP001"))

    assert (verdict.verdict, again.verdict) == (Verdict.SETTLED, Verdict.UNCHANGED)
    assert await books(tenant, shop) == PARKED
    (row,) = await confirmations(tenant)
    assert (row.state, row.note) == ("suspense", UNKNOWN_ACCOUNT)


async def test_another_amount_under_our_reference_is_never_credited(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    payment, _ = await pend(tenant, shop)

    await confirm(tenant, told_of(shop, payment, amount=Money(100, Currency.KES)))

    assert (await read(tenant, payment.id)).status == "pending"
    assert (await read(tenant, payment.id)).needs_review
    assert await books(tenant, shop) == Books(100, 0, 100)


async def test_a_second_payment_under_one_reference_goes_to_suspense(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    payment, _ = await pend(tenant, shop)
    await confirm(tenant, told_of(shop, payment))

    await confirm(tenant, told_of(shop, payment, receipt="TKX0000002"))

    assert (await read(tenant, payment.id)).receipt == "TKX0000001"
    assert await books(tenant, shop) == Books(300_000, 150_000, 150_000)


async def test_an_unknown_short_codes_money_waits_in_suspense(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    payment, _ = await pend(tenant, shop)

    verdict = await confirm(tenant, told_of(shop, payment, short_code="600000"))

    assert (verdict.verdict, verdict.note) == (Verdict.SETTLED, UNKNOWN_SHORT_CODE)
    assert (await read(tenant, payment.id)).status == "pending"
    assert await books(tenant, shop) == PARKED


async def test_a_confirmation_retold_with_another_amount_is_set_aside(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    payment, _ = await pend(tenant, shop)
    await confirm(tenant, told_of(shop, payment))

    verdict = await confirm(tenant, told_of(shop, payment, amount=Money(100, Currency.KES)))

    assert verdict.verdict is Verdict.QUARANTINED
    assert await books(tenant, shop) == CREDITED


async def test_suspended_money_of_a_payment_found_paid_by_query_is_not_counted_twice(tenant: Tenant) -> None:
    shop = await make_shop(tenant, kind=ChannelKind.TILL)
    first, item = await pend(tenant, shop)
    await pend(tenant, shop)
    await confirm(tenant, told_of(shop))
    await ask(tenant, first, Paid())
    assert await books(tenant, shop) == Books(300_000, 150_000, 150_000)

    await call_back(tenant, shop, item, checkout_id(first))

    assert await books(tenant, shop) == CREDITED


async def decide(tenant: Tenant, decision: ReviewDecision, subject: ReviewSubject, **details: object) -> None:
    """As a person who looks at what was asked of people."""
    async with tenant.transaction() as session:
        review_id = await session.scalar(select(Review.id).where(Review.subject_kind == subject))
        assert review_id is not None
        decided = Decided(review_id, decision, "I have looked.", "user:1", **details)  # type: ignore[arg-type]  # by name
        await decide_review(session, decided, utc_now())


@pytest.mark.parametrize("is_asked_first", [True, False])
async def test_what_a_person_has_credited_is_not_credited_by_its_callback_and_answers(
    tenant: Tenant,
    is_asked_first: bool,  # noqa: FBT001 - two ways
) -> None:
    shop = await make_shop(tenant)
    payment, item = await pend(tenant, shop)
    await confirm(tenant, told_of(shop, account="VIP001", payer="2547 ***** 009"))
    if is_asked_first:
        await ask(tenant, payment, Paid())
    credit = ReviewDecision.CREDIT_STORE
    await decide(tenant, credit, ReviewSubject.CONFIRMATION, store_id=shop.store_id)
    before = await books(tenant, shop)

    for _ in range(2):
        told = await call_back(tenant, shop, item, checkout_id(payment))
        assert told.verdict is Verdict.QUARANTINED
        await ask(tenant, payment, Paid())

    assert (await read(tenant, payment.id)).needs_review
    with pytest.raises(DecisionNotPossible):
        await decide(tenant, ReviewDecision.MARK_PAID, ReviewSubject.PAYMENT, proof="TKX0000001")
    assert await books(tenant, shop) == before
    await require_sound_books(tenant)


async def test_money_for_a_closed_balance_waits_in_suspense(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    first, item = await pend(tenant, shop)
    await call_back(tenant, shop, item, checkout_id(first))
    async with tenant.transaction() as session:
        await session.execute(
            update(LedgerAccount).where(LedgerAccount.code.like("store:%")).values(closed_at=utc_now())
        )
    second, second_item = await pend(tenant, shop)

    await call_back(tenant, shop, second_item, checkout_id(second), Paid(AMOUNT, "TKX0000002"))

    after = await read(tenant, second.id)
    assert (after.status, after.needs_review) == ("succeeded", True)
    assert await books(tenant, shop) == Books(300_000, 150_000, 150_000)


async def test_a_confirmation_that_tells_another_amount_than_its_callback_goes_to_review(
    tenant: Tenant,
) -> None:
    shop = await make_shop(tenant)
    payment, item = await pend(tenant, shop)
    await call_back(tenant, shop, item, checkout_id(payment))

    verdict = await confirm(tenant, told_of(shop, payment, amount=Money(100, Currency.KES)))

    assert verdict.verdict is Verdict.QUARANTINED
    assert (await read(tenant, payment.id)).needs_review
    assert await books(tenant, shop) == CREDITED


async def test_a_confirmation_for_a_channel_that_was_never_written_is_set_aside(tenant: Tenant) -> None:
    shop = await make_shop(tenant)

    verdict = await confirm(tenant, told_of(shop, channel_id=new_id()))

    assert verdict.verdict is Verdict.QUARANTINED
    assert await confirmations(tenant) == []
