"""Reversals of M-Pesa that each go another way, and where each refund has ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import select

from tenancy.outbox import announce
from tenancy.sessions import Tenant
from tenant_db.channels.mapping import AccountPattern, NewAccount, map_account
from tenant_db.payments.models import Payment
from tenant_db.refunds.models import Refund
from tenant_db.reviews.models import Review
from tests.factories import refunds
from tests.factories.journeys import Journey
from tests.factories.ledger import require_sound_books
from tests.factories.outcomes import A_DAY, STRIDE, pass_time
from tests.factories.payments import AMOUNT, PHONE, Books, Shop, books
from tests.factories.refunds import store_money

Way = str | dict[str, Any]
LOOKED_UP_WITHIN: Final = timedelta(hours=3)
"""Past the half hour in which a reversal may wait at M-Pesa, and the question after it."""


@dataclass(frozen=True, slots=True)
class End:
    """Where a refund stands a day later."""

    status: str
    failure: str | None = None
    """Its code."""
    review: str | None = None
    """Why people are asked about it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One reversal's way, and where it should lead."""

    end: End
    way: tuple[Way, ...]
    """Of each time it is sent; after these it succeeds."""
    statuses: tuple[Way, ...] = ()
    """How the questions about it go; after these they are answered truly."""
    is_silent: bool = False
    """M-Pesa tells no more of the reversal than the way says."""


GIVEN_BACK: Final = End("succeeded")
LOST: Final = End("unknown", review="refund_unknown")


def failed(code: str) -> End:
    return End("failed", code)


def told(end: End, *way: Way) -> Row:
    return Row(end, way)


def looked_up(end: End, way: Way, *statuses: Way) -> Row:
    """Nothing is told of the reversal, so all that is known comes from questions."""
    return Row(end, (way,), statuses, is_silent=True)


async def require_ends(journey: Journey, tenant: Tenant, shop: Shop, rows: Mapping[str, Row]) -> None:
    """Give a payment back each way, and require where its refund stands and what the books hold.

    What the sandbox's book calls given back has left the books, or people are asked; nothing else has.
    """
    payments = await _paid(journey, tenant, shop, len(rows))
    names = list(rows)
    # Those that fail alike stand together; in a row they would open the account's circuit.
    shuffled = [name for first in range(STRIDE) for name in names[first::STRIDE]]
    paid = dict(zip(shuffled, payments, strict=True))
    given = {name: await _sent(journey, tenant, paid[name], rows[name]) for name in shuffled}
    for name in names:
        if not rows[name].is_silent:
            await journey.sandbox.release(reference=str(paid[name].receipt))
    await pass_time(journey, tenant, LOOKED_UP_WITHIN, steps=12)
    await pass_time(journey, tenant, A_DAY, steps=8)

    found = {name: await _end(tenant, refund) for name, refund in given.items()}
    different = {name: end for name, end in found.items() if end != rows[name].end}
    assert different == {}, different
    back = {paid[name].receipt for name, end in found.items() if end.status == "succeeded"}
    shown = {paid[name].receipt for name, end in found.items() if end.review is not None}
    returned = [entry["receipt"] for entry in (await journey.sandbox.book())["refunded"]]
    assert len(returned) == len(set(returned))
    assert back <= set(returned) <= back | shown
    left = (len(rows) - len(back)) * AMOUNT.minor
    assert await books(tenant, shop) == Books(left, left, 0)
    aside = sum(AMOUNT.minor for end in found.values() if end.status == "unknown")
    assert await store_money(tenant, shop) == (left, aside)
    await require_sound_books(tenant)


async def _paid(journey: Journey, tenant: Tenant, shop: Shop, count: int) -> list[Payment]:
    """Payments by hand: they cost one message each."""
    async with tenant.transaction() as session:
        await map_account(session, shop.channel_id, NewAccount(AccountPattern.of("*"), shop.store_id))
    receipts = []
    for _ in range(count):
        told = await journey.sandbox.pay_by_hand(shop.short_code, "1500.00", PHONE.digits, "TABLE 4")
        receipts.append(told["receipt"])
    await journey.run(tenant)
    async with tenant.reading() as session:
        found = await session.scalars(select(Payment).where(Payment.receipt.in_(receipts)))
        return list(found)


async def _sent(journey: Journey, tenant: Tenant, payment: Payment, row: Row) -> Refund:
    receipt = payment.receipt
    if row.way:
        await journey.sandbox.plan("mpesa", *row.way, operation="reversal", subject=receipt)
    if row.statuses:
        await journey.sandbox.plan("mpesa", *row.statuses, operation="transaction_status", subject=receipt)
    refund = await refunds.request(tenant, payment.id, None, now=journey.clock())
    async with tenant.transaction() as session:
        announce(session, "submit_refund", queue="payments", refund_id=str(refund.id))
    await journey.run(tenant)
    return refund


async def _end(tenant: Tenant, refund: Refund) -> End:
    after = await refunds.read(tenant, refund.id)
    async with tenant.reading() as session:
        review = await session.scalar(select(Review.cause).where(Review.refund_id == refund.id))
    return End(after.status, after.failure_code, review)
