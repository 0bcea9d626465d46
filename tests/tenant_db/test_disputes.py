"""Disputes: what a bank takes and gives back is booked once, in whatever order it is told."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from itertools import permutations
from typing import Final

import pytest
from sqlalchemy import select, update

from core.clock import utc_now
from core.currency import Currency
from core.errors import InvalidInput, NotFound
from core.ids import new_id
from core.money import Money
from tenancy.sessions import Tenant
from tenant_db.alerts.models import Alert
from tenant_db.disputes.answering import submit_evidence
from tenant_db.disputes.errors import DisputeClosed
from tenant_db.disputes.models import Dispute
from tenant_db.disputes.rules import EVIDENCE_CHARACTERS_MAX, DisputeState, DisputeStatus, dispute_state
from tenant_db.disputes.telling import ToldDispute, tell_dispute
from tenant_db.ledger.models import LedgerAccount, Transfer
from tenant_db.payments.models import Payment
from tenant_db.refunds.errors import RefundTooMuch
from tenant_db.reviews.models import Review
from tests.factories.ledger import NOW, require_sound_books
from tests.factories.payments import Books, Shop, books, make_shop
from tests.factories.refunds import kes, make_paid, request, store_money
from tests.racing import race

S: Final = DisputeStatus
OPENED: Final = (S.NEEDS_RESPONSE, None)
WITHDRAWN: Final = (S.NEEDS_RESPONSE, True)
WON: Final = (S.WON, None)
REINSTATED: Final = (S.WON, False)
LOST: Final = (S.LOST, None)

Step = tuple[DisputeStatus, bool | None]


@pytest.fixture
async def shop(tenant: Tenant) -> Shop:
    return await make_shop(tenant)


async def tell(
    tenant: Tenant,
    payment: Payment,
    step: Step,
    *,
    reference: str = "dp_1",
    amount: Money | None = None,
    fees: tuple[Money | None, Money | None] = (None, None),
) -> Dispute:
    told = ToldDispute(payment.id, reference, amount, "fraudulent", step[0], None, step[1], *fees)
    async with tenant.transaction() as session:
        return await tell_dispute(session, told, utc_now())


async def alerts(tenant: Tenant) -> list[str]:
    async with tenant.reading() as session:
        return sorted(await session.scalars(select(Alert.kind)))


@pytest.mark.parametrize(
    ("steps", "status", "left"),
    [
        ((OPENED, WITHDRAWN, WON, REINSTATED), "won", 100_000),
        ((OPENED, WITHDRAWN, LOST), "lost", 0),
    ],
    ids=["won", "lost"],
)
async def test_whatever_the_order_each_effect_is_booked_once(
    tenant: Tenant, shop: Shop, steps: Sequence[Step], status: str, left: int
) -> None:
    bank = 0
    for number, order in enumerate(permutations(steps)):
        payment = await make_paid(tenant, shop)
        bank += left
        for step in (*order, *order):
            dispute = await tell(tenant, payment, step, reference=f"dp_{number}")

        assert dispute.status == status, order
        assert await store_money(tenant, shop) == (bank, 0), order
        assert (dispute.reinstatement_id is not None) is (status == "won")
    await require_sound_books(tenant)


async def test_the_fee_of_a_dispute_is_the_stores_until_the_provider_returns_it(
    tenant: Tenant, shop: Shop
) -> None:
    payment = await make_paid(tenant, shop)
    fee = kes(1_500)
    for _ in range(2):
        await tell(tenant, payment, WITHDRAWN, fees=(fee, None))
    assert await books(tenant, shop) == Books(-1_500, -1_500, 0)

    for step in (REINSTATED, WON, WITHDRAWN):
        await tell(tenant, payment, step, fees=(fee, fee if step is not WITHDRAWN else None))

    assert await books(tenant, shop) == Books(100_000, 100_000, 0)
    async with tenant.reading() as session:
        kinds = sorted(await session.scalars(select(Transfer.kind).where(Transfer.amount_minor == 1_500)))
        assert kinds == ["fee", "reversal", "reversal", "transfer"]
        assert list(await session.scalars(select(Review))) == []
    await tell(tenant, payment, WON, fees=(kes(2_000), None))
    async with tenant.reading() as session:
        (review,) = await session.scalars(select(Review))
    assert (review.cause, await store_money(tenant, shop)) == ("dispute", (100_000, 0))
    await require_sound_books(tenant)


async def test_rivals_that_tell_the_same_take_the_money_once(tenant: Tenant, shop: Shop) -> None:
    payment = await make_paid(tenant, shop)
    barrier = select(Payment.id).where(Payment.id == payment.id).with_for_update()

    found = await race(tenant, barrier, [partial(tell, tenant, payment, WITHDRAWN)] * 3)

    assert len({each.id for each in found if isinstance(each, Dispute)}) == 1
    assert await store_money(tenant, shop) == (0, 0)


async def test_a_chargeback_is_taken_from_a_store_that_has_not_that_much(tenant: Tenant, shop: Shop) -> None:
    payment = await make_paid(tenant, shop)
    await request(tenant, payment.id, 60_000)

    dispute = await tell(tenant, payment, WITHDRAWN)

    assert await store_money(tenant, shop) == (0, 60_000)
    assert await alerts(tenant) == ["dispute_opened", "overdraft"]
    async with tenant.reading() as session:
        taken = await session.get_one(Transfer, dispute.withdrawal_id)
    assert (taken.kind, taken.amount_minor) == ("adjustment", 100_000)


async def test_money_that_a_dispute_took_can_t_be_refunded(tenant: Tenant, shop: Shop) -> None:
    await make_paid(tenant, shop)
    payment = await make_paid(tenant, shop)
    await tell(tenant, payment, WITHDRAWN, amount=kes(70_000))
    with pytest.raises(RefundTooMuch):
        await request(tenant, payment.id, 30_001)

    await tell(tenant, payment, REINSTATED)

    assert (await request(tenant, payment.id)).amount == kes(100_000)


async def test_a_decision_that_contradicts_another_asks_a_person(tenant: Tenant, shop: Shop) -> None:
    payment = await make_paid(tenant, shop)
    await tell(tenant, payment, LOST)

    assert (await tell(tenant, payment, WON)).status == "lost"

    async with tenant.reading() as session:
        (review,) = await session.scalars(select(Review))
    assert (review.cause, review.payment_id) == ("dispute", payment.id)
    assert "dispute_lost" in await alerts(tenant)


@pytest.mark.parametrize("first", [None, kes(100_000)], ids=["unsaid", "all"])
async def test_what_is_taken_is_what_was_told_last_and_a_later_difference_asks_a_person(
    tenant: Tenant, shop: Shop, first: Money | None
) -> None:
    payment = await make_paid(tenant, shop)
    opened = await tell(tenant, payment, OPENED, amount=first)
    in_review = await tell(tenant, payment, (S.UNDER_REVIEW, None), amount=kes(4_000))
    # Told late, and by now only history.
    await tell(tenant, payment, OPENED, amount=kes(100_000))

    lost = await tell(tenant, payment, LOST)
    await tell(tenant, payment, OPENED, amount=kes(100_000))

    assert (opened.amount, lost.amount) == (kes(100_000), kes(4_000))
    assert in_review.version == 2
    assert await store_money(tenant, shop) == (96_000, 0)
    async with tenant.reading() as session:
        assert list(await session.scalars(select(Review))) == []
    await tell(tenant, payment, LOST, amount=kes(5_000))
    async with tenant.reading() as session:
        (review,) = await session.scalars(select(Review))
    assert (review.cause, await store_money(tenant, shop)) == ("dispute", (96_000, 0))


async def test_a_dispute_settled_for_nothing_keeps_its_amount(tenant: Tenant, shop: Shop) -> None:
    payment = await make_paid(tenant, shop)
    await tell(tenant, payment, OPENED, amount=kes(4_000))

    assert (await tell(tenant, payment, WON, amount=kes(0))).amount == kes(4_000)


async def test_a_dispute_in_another_currency_leaves_the_books_alone(tenant: Tenant, shop: Shop) -> None:
    payment = await make_paid(tenant, shop)

    fees = (Money(1_500, Currency.USD), Money(1_500, Currency.USD))
    dispute = await tell(tenant, payment, WITHDRAWN, amount=Money(100, Currency.USD), fees=fees)
    # The money of another one is taken, though its fee can't be booked; told again, nobody is asked again.
    for _ in range(2):
        other = await tell(tenant, payment, LOST, reference="dp_2", amount=kes(4_000), fees=fees)

    assert (dispute.withdrawal_id, other.status) == (None, "lost")
    assert await store_money(tenant, shop) == (96_000, 0)
    async with tenant.reading() as session:
        (review,) = await session.scalars(select(Review))
    left = "of a payment of KES 1000.00{}; the books were left alone."
    assert review.notes == [
        f"Dispute dp_1 took USD 1.00 {left.format(' that is succeeded here')}",
        f"The fee of dispute dp_1 is USD 15.00, {left.format(' here')}",
        f"The fee of dispute dp_2 is USD 15.00, {left.format(' here')}",
    ]
    await require_sound_books(tenant)


async def test_a_closed_account_has_suspense_bear_the_chargeback(tenant: Tenant, shop: Shop) -> None:
    payment = await make_paid(tenant, shop)
    async with tenant.transaction() as session:
        await session.execute(
            update(LedgerAccount).where(LedgerAccount.store_id == shop.store_id).values(closed_at=utc_now())
        )
    await tell(tenant, payment, WITHDRAWN)
    assert (await books(tenant, shop)).suspense == -100_000

    await tell(tenant, payment, REINSTATED)

    assert (await books(tenant, shop)).suspense == 0


async def test_evidence_is_kept_piece_by_piece_until_the_bank_has_decided(tenant: Tenant, shop: Shop) -> None:
    payment = await make_paid(tenant, shop)
    dispute = await tell(tenant, payment, OPENED)

    async def submit(**evidence: str) -> Dispute:
        async with tenant.transaction() as session:
            return await submit_evidence(session, dispute.id, evidence, NOW)

    await submit(explanation="It was delivered.", receipt="R-1")
    kept = await submit(receipt=" R-2 ")

    assert kept.evidence == {"explanation": "It was delivered.", "receipt": "R-2"}
    assert kept.evidence_submitted_at == NOW
    for wrong in ({}, {"receipt": " "}, {"receipt": "x" * (EVIDENCE_CHARACTERS_MAX + 1)}):
        with pytest.raises(InvalidInput):
            await submit(**wrong)
    await tell(tenant, payment, LOST)
    with pytest.raises(DisputeClosed):
        await submit(receipt="R-3")
    async with tenant.transaction() as session:
        with pytest.raises(NotFound):
            await submit_evidence(session, new_id(), {"receipt": "R"}, NOW)


async def test_the_last_day_for_evidence_is_told_with_the_alert(tenant: Tenant, shop: Shop) -> None:
    payment = await make_paid(tenant, shop)
    due = NOW + timedelta(days=7)
    told = ToldDispute(payment.id, "dp_1", kes(5_000), "fraudulent", S.NEEDS_RESPONSE, due, None)
    async with tenant.transaction() as session:
        dispute = await tell_dispute(session, told, NOW)

    assert (dispute.evidence_due_at, dispute.version) == (due, 1)
    async with tenant.reading() as session:
        message = await session.scalar(select(Alert.message))
    assert message == "A payer disputes KES 50.00: fraudulent. Answer by 2026-11-28 09:00 UTC."


@pytest.mark.parametrize(
    ("statuses", "state"),
    [
        ([], DisputeState.NONE),
        ([S.WON], DisputeState.WON),
        ([S.WON, S.LOST], DisputeState.LOST),
        ([S.LOST, S.UNDER_REVIEW], DisputeState.OPEN),
    ],
)
def test_the_disputes_of_a_payment_stand_together(statuses: list[DisputeStatus], state: DisputeState) -> None:
    assert dispute_state(statuses) is state
