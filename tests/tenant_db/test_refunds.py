"""Refunds: set aside when asked for, booked when final, never more than was paid."""

from collections.abc import Sequence
from functools import partial
from typing import Final
from uuid import UUID

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
from tenant_db.refunds import submitting
from tenant_db.refunds.errors import (
    PartialRefundNotOffered,
    PaymentNotCaptured,
    PaymentNotRefundable,
    RefundNotOffered,
    RefundTooMuch,
)
from tenant_db.refunds.machine import NEXT, RefundStatus
from tenant_db.refunds.models import Refund
from tenant_db.refunds.requesting import NewRefund
from tenant_db.refunds.rules import (
    Done,
    NotDone,
    Offer,
    RefundState,
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


async def test_a_refusal_of_a_second_call_leaves_what_the_first_one_did(
    tenant: Tenant, shop: Shop, paid: Payment
) -> None:
    refusal = NotDone("invalid_amount", "Nothing is left.")

    async def rejected(refund_id: UUID) -> RefundStatus:
        async with tenant.transaction() as session:
            return await submitting.reject(session, refund_id, refusal, utc_now())

    first, second = await request(tenant, paid.id, 30_000), await request(tenant, paid.id, 20_000)
    for refund in (first, second):
        claim = await send(tenant, refund.id)
        assert claim.order.sent_at == (await read(tenant, refund.id)).submitted_at
    await tell(tenant, first.id, Done("re_1", kes(30_000)))

    assert await rejected(first.id) is S.SUCCEEDED
    assert await rejected(second.id) is S.FAILED
    assert await store_money(tenant, shop) == (70_000, 0)


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


NOT_OFFERED: Final[Sequence[tuple[int | None, Offer, type[DomainError]]]] = [
    (100_001, ANY, RefundTooMuch),
    (1, Offer(refunds=True, parts=False), PartialRefundNotOffered),
    (None, Offer(refunds=False, parts=False), RefundNotOffered),
    (0, ANY, AmountNotPositive),
]
NOT_THERE: Final[Sequence[tuple[dict[str, object], type[DomainError]]]] = [
    ({"currency": Currency.USD}, CurrencyMismatch),
    ({"currency": Currency.KES, "receipt": None}, PaymentNotRefundable),
    ({"status": "pending"}, PaymentNotRefundable),
    ({"status": "authorized"}, PaymentNotCaptured),
]


async def test_what_the_provider_or_the_payment_does_not_allow_is_refused(
    tenant: Tenant, paid: Payment
) -> None:
    for amount_minor, offer, refusal in NOT_OFFERED:
        with pytest.raises(refusal):
            await request(tenant, paid.id, amount_minor, offer=offer)
    for values, refusal in NOT_THERE:
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
