"""Paid payments, and refunds of them at any point of their life."""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select

from core.clock import utc_now
from core.currency import Currency
from core.ids import Kind, new_id, outside
from core.money import Money
from tenancy.sessions import Tenant
from tenant_db.ledger.models import LedgerAccount
from tenant_db.payments.ending import succeed
from tenant_db.payments.locking import lock_payment
from tenant_db.payments.models import Payment
from tenant_db.payments.rules import Cause
from tenant_db.refunds import submitting
from tenant_db.refunds.machine import RefundStatus
from tenant_db.refunds.models import Refund, RefundEvent
from tenant_db.refunds.requesting import NewRefund, request_refund
from tenant_db.refunds.rules import Offer, RefundCause, Told
from tenant_db.refunds.settling import settle_refund
from tests.factories.payments import Shop, pend

ANY: Final = Offer(refunds=True, parts=True)


def kes(minor: int) -> Money:
    return Money(minor, Currency.KES)


async def make_paid(tenant: Tenant, shop: Shop, amount_minor: int = 100_000) -> Payment:
    """A payment whose store has its money."""
    payment, _ = await pend(tenant, shop, amount=kes(amount_minor))
    async with tenant.transaction() as session:
        locked = await lock_payment(session, payment.id)
        await succeed(session, locked, f"R{new_id().hex[-10:].upper()}", Cause.CALLBACK, utc_now())
    return locked


async def request(
    tenant: Tenant,
    payment_id: UUID,
    amount_minor: int | None = None,
    *,
    offer: Offer = ANY,
    reason: str = "Out of stock.",
    now: datetime | None = None,
) -> Refund:
    amount = None if amount_minor is None else kes(amount_minor)
    new = NewRefund(payment_id, amount, reason, "user:1")
    async with tenant.transaction() as session:
        return await request_refund(session, new, offer, now or utc_now())


async def send(tenant: Tenant, refund_id: UUID, *, now: datetime | None = None) -> submitting.Claim:
    """Claim it as a job does, right before the call."""
    async with tenant.transaction() as session:
        claimed = await submitting.claim(session, refund_id, None, now or utc_now())
    assert isinstance(claimed, submitting.Claim)
    return claimed


async def tell(
    tenant: Tenant, refund_id: UUID, told: Told, *, cause: RefundCause = RefundCause.QUERY
) -> RefundStatus:
    async with tenant.transaction() as session:
        return await settle_refund(session, refund_id, told, cause, utc_now())


async def read(tenant: Tenant, refund_id: UUID) -> Refund:
    async with tenant.reading() as session:
        return await session.get_one(Refund, refund_id)


async def events_of(tenant: Tenant, refund_id: UUID) -> list[RefundEvent]:
    async with tenant.reading() as session:
        found = await session.scalars(
            select(RefundEvent).where(RefundEvent.refund_id == refund_id).order_by(RefundEvent.version)
        )
        return list(found)


async def store_money(tenant: Tenant, shop: Shop) -> tuple[int, int]:
    """What the store has on its channel, and what of it is set aside, in minor units."""
    code = f"store:{outside(Kind.STORE, shop.store_id)}:available:{outside(Kind.CHANNEL, shop.channel_id)}"
    async with tenant.reading() as session:
        account = await session.scalar(select(LedgerAccount).where(LedgerAccount.code == code))
    if account is None:
        return 0, 0
    return account.posted_credits_minor - account.posted_debits_minor, account.pending_debits_minor
