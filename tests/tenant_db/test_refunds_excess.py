"""What was paid beyond a payment's amount: it goes back out of suspense, and never out of the store."""

from collections.abc import Mapping
from uuid import UUID

import pytest

from core.clock import utc_now
from core.ids import Kind, inside
from tenancy.sessions import Tenant
from tenant_db.orders.machine import OrderRefundStatus
from tenant_db.payments.crediting import put_excess_aside
from tenant_db.payments.locking import lock_payment
from tenant_db.payments.models import Payment
from tenant_db.refunds.errors import PartialRefundNotOffered
from tenant_db.refunds.noting import NotedRefund, note_refund
from tenant_db.refunds.rules import Done, NotDone, Offer
from tenant_db.reviews.commands import Decided
from tenant_db.reviews.deciding import decide_review
from tenant_db.reviews.errors import DecisionNotPossible
from tenant_db.reviews.opening import NewReview, open_review
from tenant_db.reviews.rules import ReviewCause, ReviewDecision, ReviewSubject
from tests.factories.ledger import require_sound_books
from tests.factories.orders import attempt, make_order, read_order, settle
from tests.factories.payments import AMOUNT, Books, Shop, books, make_shop
from tests.factories.reconciliation import check, kinds_of
from tests.factories.refunds import ANY, kes, make_paid, read, request, send, tell

WHOLE = Offer(refunds=True, parts=False)


@pytest.fixture
async def shop(tenant: Tenant) -> Shop:
    return await make_shop(tenant)


async def overpay(tenant: Tenant, payment: Payment) -> Payment:
    """KES 5 more came."""
    async with tenant.transaction() as session:
        locked = await lock_payment(session, payment.id)
        await put_excess_aside(session, locked, kes(500))
    return locked


async def decide(tenant: Tenant, payment: Payment, decision: ReviewDecision) -> Mapping[str, str]:
    async with tenant.transaction() as session:
        asked = NewReview(
            ReviewSubject.PAYMENT, payment.id, ReviewCause.DOUBLE_PAYMENT, "Shall it go back?", "More came."
        )
        decided = Decided(await open_review(session, asked), decision, "Yes.", "user:1", offer=ANY)
        return (await decide_review(session, decided, utc_now())).outcome


async def give(tenant: Tenant, refund_id: UUID, minor: int) -> None:
    await send(tenant, refund_id)
    await tell(tenant, refund_id, Done(f"re_{minor}", kes(minor)))


async def test_a_decision_gives_back_what_was_too_much_and_leaves_the_store_its_own(
    tenant: Tenant, shop: Shop
) -> None:
    paid = await overpay(tenant, await make_paid(tenant, shop))

    outcome = await decide(tenant, paid, ReviewDecision.REFUND)

    refund = await read(tenant, inside(Kind.REFUND, outcome["refund"]))
    assert refund.amount == kes(500)
    await give(tenant, refund.id, 500)
    assert await books(tenant, shop) == Books(100_000, 100_000, 0)
    assert (await request(tenant, paid.id)).amount == kes(100_000)
    await require_sound_books(tenant)


async def test_what_was_too_much_can_be_left_to_the_store_which_may_still_give_all_back(
    tenant: Tenant, shop: Shop
) -> None:
    paid = await overpay(tenant, await make_paid(tenant, shop))

    await decide(tenant, paid, ReviewDecision.CREDIT_STORE)

    assert await books(tenant, shop) == Books(100_500, 100_500, 0)
    with pytest.raises(DecisionNotPossible):
        await decide(tenant, paid, ReviewDecision.CREDIT_STORE)
    with pytest.raises(PartialRefundNotOffered):
        await request(tenant, paid.id, 100_000, offer=WHOLE)
    await give(tenant, (await request(tenant, paid.id, offer=WHOLE)).id, 100_500)
    assert await books(tenant, shop) == Books(0, 0, 0)
    await check(tenant, shop.store_id)
    assert await kinds_of(tenant) == []


async def test_what_was_given_back_at_the_provider_is_not_the_store_s(tenant: Tenant, shop: Shop) -> None:
    paid = await overpay(tenant, await make_paid(tenant, shop))
    told = NotedRefund(paid.id, "re_1", kes(500), Done("re_1", kes(500)))

    async with tenant.transaction() as session:
        await note_refund(session, told, utc_now())

    assert await books(tenant, shop) == Books(100_000, 100_000, 0)


async def test_an_order_never_counts_what_was_too_much(tenant: Tenant, shop: Shop) -> None:
    order = await make_order(tenant, shop)
    payment = await attempt(tenant, shop, order)
    await settle(tenant, payment, "TKX0000001")
    await overpay(tenant, payment)
    shown = []

    async def see() -> None:
        sums = (await read_order(tenant, order.id)).sums
        shown.append((sums.refund_status, sums.refunded.minor))

    await give(tenant, (await request(tenant, payment.id, 500)).id, 500)
    await see()
    rest = await request(tenant, payment.id)
    await give(tenant, rest.id, AMOUNT.minor)
    await see()
    await tell(tenant, rest.id, NotDone("closed", "It came back.", f"re_{AMOUNT.minor}"))
    await see()

    nothing = (OrderRefundStatus.NONE, 0)
    assert shown == [nothing, (OrderRefundStatus.REFUNDED, AMOUNT.minor), nothing]
