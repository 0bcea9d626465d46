"""The locks of what reviews are about, where no other area has them by id."""

from uuid import UUID

from tenancy.sessions import TenantSession
from tenant_db.payments.locking import lock_account_receipt, lock_money, lock_receipt
from tenant_db.payments.models import Confirmation, Payment
from tenant_db.reviews.rules import receipt_as_told


async def lock_receipt_of(session: TenantSession, payment_id: UUID, proof: str) -> None:
    """Let one transaction at a time decide what a receipt paid, at the place where a payment collects.

    And about money of its amount, where a query may settle another without a receipt.
    """
    payment = await session.get_one(Payment, payment_id)
    receipt = receipt_as_told(payment.provider, proof)
    if payment.short_code is None:
        await lock_account_receipt(session, payment.provider_account_id, receipt)
    else:
        await lock_receipt(session, payment.environment, receipt)
        await lock_money(session, payment.environment, payment.amount)


async def lock_confirmation(session: TenantSession, confirmation_id: UUID) -> Confirmation:
    """Lock a confirmation under its receipt, as whoever matches it does, and money of its amount."""
    unlocked = await session.get_one(Confirmation, confirmation_id)
    await lock_receipt(session, unlocked.environment, unlocked.receipt)
    await lock_money(session, unlocked.environment, unlocked.amount)
    return await session.get_one(Confirmation, confirmation_id, with_for_update=True, populate_existing=True)
