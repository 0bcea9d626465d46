"""The locks under which a refund is decided: its payment's row, then its own."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select

from core.errors import NotFound
from tenancy.sessions import TenantSession
from tenant_db.disputes.models import Dispute
from tenant_db.payments.locking import lock_payment
from tenant_db.payments.models import Payment
from tenant_db.refunds.excess import excess_of
from tenant_db.refunds.machine import COUNTED
from tenant_db.refunds.models import Refund


@dataclass(frozen=True, slots=True)
class Locked:
    """A refund and its payment, both ours until the transaction ends."""

    payment: Payment
    refund: Refund


async def lock_refund(session: TenantSession, refund_id: UUID) -> Locked:
    """Lock both, and read them as the last holder left them. Jobs name refunds that exist.

    Raises:
        NotFound: no such refund.
    """
    payment_id = await session.scalar(select(Refund.payment_id).where(Refund.id == refund_id))
    if payment_id is None:
        raise NotFound("refund")
    payment = await lock_payment(session, payment_id)
    refund = await session.get_one(Refund, refund_id, with_for_update=True, populate_existing=True)
    return Locked(payment, refund)


async def left_minor(session: TenantSession, payment: Payment) -> int:
    """What can still be given back of a locked payment, with what was paid beyond its amount.

    Refunds that are made or under way are taken off, and so is what disputes have taken and not returned.
    """
    given = select(func.coalesce(func.sum(Refund.amount_minor), 0)).where(
        Refund.payment_id == payment.id, Refund.status.in_(COUNTED)
    )
    taken = select(func.coalesce(func.sum(Dispute.amount_minor), 0)).where(
        Dispute.payment_id == payment.id,
        Dispute.withdrawal_id.is_not(None),
        Dispute.reinstatement_id.is_(None),
    )
    gone = await session.execute(select(given.scalar_subquery(), taken.scalar_subquery()))
    refunded, disputed = gone.one()
    return await received_minor(session, payment) - int(refunded) - int(disputed)


async def received_minor(session: TenantSession, payment: Payment) -> int:
    """All that a paid payment brought, in minor units."""
    return payment.due.minor + (await excess_of(session, payment)).minor
