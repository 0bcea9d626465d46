"""Sums over periods: what was sold, taken and given back, where and when."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from core.clock import utc_now
from core.currency import Currency
from core.ids import new_id
from core.money import Money
from core.periods import Period
from tenancy.sessions import Tenant
from tenant_db.ledger.accounts import Holding, open_accounts, payouts_in_flight, suspense
from tenant_db.ledger.commands import NewHold, NewTransfer
from tenant_db.ledger.holding import place_hold
from tenant_db.ledger.reports import Takings, payouts_pending, takings_by_place, takings_of_store
from tenant_db.ledger.reversing import reverse
from tenant_db.ledger.rules import Overdraft, TransferKind
from tests.factories.payments import make_shop
from tests.factories.stores import make_store
from tests.factories.trading import Stall, make_stall, trade

KES, USD = Currency.KES, Currency.USD
ALWAYS = Period(utc_now() - timedelta(days=1), utc_now() + timedelta(days=1))
A_WEEK_AGO = utc_now() - timedelta(days=7)


def takings(count: int, gross: int, fees: int = 0, refunds: int = 0, currency: Currency = KES) -> Takings:
    return Takings(count, Money(gross, currency), Money(fees, currency), Money(refunds, currency))


@pytest.fixture
async def stall(tenant: Tenant) -> Stall:
    return await make_stall(tenant, (await make_store(tenant)).id, new_id())


async def of_store(tenant: Tenant, store_id: UUID, period: Period = ALWAYS) -> list[Takings]:
    async with tenant.reading() as session:
        return await takings_of_store(session, store_id, period)


async def test_what_is_left_is_sales_less_fees_and_refunds(tenant: Tenant, stall: Stall) -> None:
    await trade(tenant, stall.sale(1_000), stall.sale(500), stall.fee(30), stall.refund(200))
    await trade(tenant, stall.payout(100))

    (found,) = await of_store(tenant, stall.store_id)

    assert (found, found.net) == (takings(2, 1_500, fees=30, refunds=200), Money(1_270, KES))


async def test_a_reversal_takes_away_from_what_it_undoes(tenant: Tenant, stall: Stall) -> None:
    sale, _, fee, refund = await trade(
        tenant, stall.sale(1_000), stall.sale(500), stall.fee(30), stall.refund(200)
    )
    for undone in (sale, fee, refund):
        async with tenant.transaction() as session:
            await reverse(session, undone.id, "mistake", Overdraft.ALLOWED)

    assert await of_store(tenant, stall.store_id) == [takings(1, 500)]


async def test_what_was_recorded_outside_of_the_period_does_not_count(tenant: Tenant, stall: Stall) -> None:
    (first,) = await trade(tenant, stall.sale(1))
    (second,) = await trade(tenant, stall.sale(10))
    (third,) = await trade(tenant, stall.sale(100))

    period = Period(second.created_at, third.created_at)

    assert first.created_at < second.created_at
    assert await of_store(tenant, stall.store_id, period) == [takings(1, 10)]


async def test_a_sale_between_places_of_no_store_is_no_store_s(tenant: Tenant, stall: Stall) -> None:
    other = await make_stall(tenant, (await make_store(tenant, "other")).id, stall.place.id)
    async with tenant.transaction() as session:
        (waiting,) = await open_accounts(session, suspense(stall.place, KES))
    parked = NewTransfer(stall.holding_id, waiting, Money(7, KES), TransferKind.SALE, "pay_9", "parked")
    await trade(tenant, stall.sale(100), other.sale(20), parked)

    async with tenant.reading() as session:
        (line,) = await takings_by_place(session, ALWAYS)

    assert line.takings == takings(2, 120)
    assert await of_store(tenant, other.store_id) == [takings(1, 20)]


async def test_a_report_tells_places_providers_and_currencies_apart(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    known = await make_stall(tenant, shop.store_id, shop.channel_id)
    dollars = await make_stall(tenant, shop.store_id, shop.channel_id, USD)
    unknown = await make_stall(tenant, shop.store_id, new_id())
    await trade(tenant, known.sale(100), unknown.sale(10))
    await trade(tenant, dollars.sale(1), dollars.fee(1))

    async with tenant.reading() as session:
        lines = await takings_by_place(session, ALWAYS, shop.store_id)

    assert {(line.place, line.provider, line.takings.gross.currency): line.takings for line in lines} == {
        (known.place.name, "mpesa", KES): takings(1, 100),
        (unknown.place.name, None, KES): takings(1, 10),
        (known.place.name, "mpesa", USD): takings(1, 1, fees=1, currency=USD),
    }


async def test_the_providers_own_fee_counts_at_the_place_that_paid_it(tenant: Tenant, stall: Stall) -> None:
    fee = NewTransfer(stall.fees_id, stall.holding_id, Money(5, KES), TransferKind.FEE, "pay_1", "fee:1")
    await trade(tenant, stall.sale(100), fee)

    async with tenant.reading() as session:
        (line,) = await takings_by_place(session, ALWAYS)

    assert (line.place, line.takings) == (stall.place.name, takings(1, 100, fees=5))


async def test_payouts_are_pending_from_the_hold_until_they_are_final(tenant: Tenant, stall: Stall) -> None:
    async with tenant.transaction() as session:
        (way,) = await open_accounts(session, payouts_in_flight(stall.place, KES))
        other_way = payouts_in_flight(Holding.of_channel(new_id()), KES)
        await open_accounts(session, other_way)
    await trade(tenant, stall.sale(1_000))
    held = NewHold(stall.available_id, way, Money(300, KES), TransferKind.PAYOUT, "po_1", "po_1")
    unlike = NewHold(stall.available_id, way, Money(50, KES), TransferKind.REFUND, "ref_1", "ref_1")
    async with tenant.transaction() as session:
        await place_hold(session, held, utc_now())
        await place_hold(session, unlike, utc_now())
    sent = [
        NewTransfer(stall.available_id, way, Money(minor, KES), TransferKind.PAYOUT, name, name)
        for name, minor in (("po_2", 200), ("po_3", 100))
    ]
    final = NewTransfer(way, stall.holding_id, Money(200, KES), TransferKind.PAYOUT, "po_2", "final")
    await trade(tenant, *sent, final)

    async with tenant.reading() as session:
        assert list(await payouts_pending(session, stall.store_id, A_WEEK_AGO)) == [Money(400, KES)]
        assert list(await payouts_pending(session, new_id(), A_WEEK_AGO)) == []
        # What was sent before the window is taken for final.
        later = (await session.execute(text("SELECT clock_timestamp()"))).scalar_one()
        assert list(await payouts_pending(session, stall.store_id, later)) == [Money(300, KES)]
