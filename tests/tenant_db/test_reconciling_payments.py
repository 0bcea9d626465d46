"""Payments, refunds and payouts that the books do not tell as they were are found, each by its name."""

import pytest
from sqlalchemy import text

from core.currency import Currency
from core.ids import Kind, new_id, outside
from core.money import Money
from tenancy.sessions import Tenant
from tenant_db.ledger.reversing import reverse
from tenant_db.ledger.rules import TransferKind
from tenant_db.refunds.models import Refund
from tenant_db.refunds.rules import Done
from tests.databases import PostgresServer
from tests.factories.payments import AMOUNT, Shop, books, make_shop
from tests.factories.reconciliation import check, findings_of, kinds_of, move, pay, tamper
from tests.factories.refunds import request, send, tell

STORE = "code LIKE 'store:%'"


@pytest.fixture
async def shop(tenant: Tenant) -> Shop:
    """A shop that sold twice."""
    shop = await make_shop(tenant)
    await pay(tenant, shop, "TKX0000001")
    await pay(tenant, shop, "TKX0000002")
    return shop


async def test_a_payment_that_was_never_credited_is_found(
    tenant: Tenant, shop: Shop, postgres: PostgresServer
) -> None:
    payment = await pay(tenant, shop, "TKX0000003")
    await tamper(
        postgres,
        tenant,
        f"UPDATE ledger_transfers SET idempotency_key = 'x' WHERE idempotency_key = 'sale:{payment.id}'",  # noqa: S608 - ours
    )

    await check(tenant, shop.store_id)

    missing, unfounded = await findings_of(tenant, "open")
    assert (missing.kind, unfounded.kind) == ("sale_missing", "sale_unfounded")
    assert (missing.payment_id, missing.subject) == (payment.id, outside(Kind.PAYMENT, payment.id))
    assert missing.difference == Money(-AMOUNT.minor, AMOUNT.currency)
    assert unfounded.difference == AMOUNT


async def test_a_payment_set_aside_for_a_closed_account_says_so(tenant: Tenant, shop: Shop) -> None:
    async with tenant.transaction() as session:
        await session.execute(text(f"UPDATE ledger_accounts SET closed_at = now() WHERE {STORE}"))  # noqa: S608 - ours
    payment = await pay(tenant, shop, "TKX0000003")

    await check(tenant, shop.store_id)
    await check(tenant, None)

    (finding,) = await findings_of(tenant, "open")
    assert (finding.kind, finding.payment_id) == ("sale_set_aside", payment.id)
    assert (await books(tenant, shop)).suspense == AMOUNT.minor


async def test_a_credit_of_another_amount_than_was_paid_is_found(
    tenant: Tenant, shop: Shop, postgres: PostgresServer
) -> None:
    payment = await pay(tenant, shop, "TKX0000003")
    await tamper(
        postgres,
        tenant,
        f"UPDATE payments SET amount_minor = amount_minor - 100 WHERE id = '{payment.id}'",  # noqa: S608 - ours
    )

    await check(tenant, shop.store_id)

    (finding,) = await findings_of(tenant, "open")
    assert (finding.kind, finding.difference) == ("sale_wrong", Money(100, Currency.KES))


async def test_a_payment_credited_twice_is_found_until_the_second_is_reversed(
    tenant: Tenant, shop: Shop
) -> None:
    payment = await pay(tenant, shop, "TKX0000003")
    reference = outside(Kind.PAYMENT, payment.id)
    await move(tenant, shop, "place", "store", TransferKind.SALE, reference, minor=AMOUNT.minor)
    await check(tenant, shop.store_id)
    (finding,) = await findings_of(tenant, "open")
    assert (finding.kind, finding.payment_id) == ("sale_duplicate", payment.id)
    assert finding.transfer_id is not None

    async with tenant.transaction() as session:
        await reverse(session, finding.transfer_id, "posted twice")
    await check(tenant, shop.store_id)

    (finding,) = await findings_of(tenant)
    assert finding.state == "vanished"


async def test_a_sale_without_a_payment_is_found(tenant: Tenant, shop: Shop) -> None:
    await move(tenant, shop, "place", "store", TransferKind.SALE, "by hand")
    await move(tenant, shop, "place", "store", TransferKind.SALE, outside(Kind.PAYMENT, new_id()))

    await check(tenant, shop.store_id)

    assert await kinds_of(tenant) == ["sale_unfounded", "sale_unfounded"]


async def test_a_refund_that_is_not_booked_as_it_was_made_is_found(tenant: Tenant, shop: Shop) -> None:
    payment = await pay(tenant, shop, "TKX0000003")
    refunds = [await request(tenant, payment.id, 100) for _ in range(3)]
    for number, refund in enumerate(refunds[:2]):
        await send(tenant, refund.id)
        await tell(tenant, refund.id, Done(f"re_{number}", refund.amount))
    await check(tenant, shop.store_id)
    assert await kinds_of(tenant) == []
    async with tenant.transaction() as session:
        lost, unmade = [await session.get_one(Refund, refund.id) for refund in refunds[:2]]
        lost.transfer_id = None
        unmade.status = "pending"

    await check(tenant, shop.store_id)

    found = {finding.subject: finding for finding in await findings_of(tenant)}
    assert {finding.kind for finding in found.values()} == {"refund_wrong"}
    differences = {
        subject: finding.difference.minor for subject, finding in found.items() if finding.difference
    }
    assert differences == {
        outside(Kind.REFUND, refunds[0].id): -100,
        outside(Kind.REFUND, refunds[1].id): 100,
    }


async def test_more_refunded_than_paid_is_found(tenant: Tenant, shop: Shop) -> None:
    payment = await pay(tenant, shop, "TKX0000003")
    reference = outside(Kind.PAYMENT, payment.id)
    await move(tenant, shop, "store", "place", TransferKind.REFUND, reference, minor=AMOUNT.minor)
    await check(tenant, shop.store_id)
    assert await kinds_of(tenant) == []

    await move(tenant, shop, "store", "place", TransferKind.REFUND, reference, minor=700)
    await check(tenant, shop.store_id)

    (finding,) = await findings_of(tenant, "open")
    assert (finding.kind, finding.payment_id) == ("refund_excess", payment.id)
    assert finding.difference == Money(700, Currency.KES)


async def test_a_payout_taken_twice_is_found(tenant: Tenant, shop: Shop) -> None:
    await move(tenant, shop, "store", "place", TransferKind.PAYOUT, "po_1")
    await check(tenant, shop.store_id)
    assert await kinds_of(tenant) == []

    await move(tenant, shop, "store", "place", TransferKind.PAYOUT, "po_1")
    await check(tenant, shop.store_id)

    (finding,) = await findings_of(tenant, "open")
    assert (finding.kind, finding.subject) == ("payout_duplicate", "po_1")
