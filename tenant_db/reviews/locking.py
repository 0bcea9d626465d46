"""The locks of what reviews are about, where no other area has them by id."""

from uuid import UUID

from sqlalchemy import select

from tenancy.sessions import TenantSession
from tenant_db.payments.locking import lock_account_receipt, lock_receipt
from tenant_db.payments.models import Confirmation, Payment


async def lock_receipt_of(session: TenantSession, payment_id: UUID, receipt: str) -> None:
    """Let one transaction at a time decide what a receipt paid, at the place where a payment collects."""
    rows = await session.execute(
        select(Payment.environment, Payment.short_code, Payment.provider_account_id).where(
            Payment.id == payment_id
        )
    )
    environment, short_code, account_id = rows.one()
    if short_code is None:
        await lock_account_receipt(session, account_id, receipt)
    else:
        await lock_receipt(session, environment, receipt)


async def lock_confirmation(session: TenantSession, confirmation_id: UUID) -> Confirmation:
    """Lock a confirmation under its receipt, as whoever matches it does."""
    unlocked = await session.get_one(Confirmation, confirmation_id)
    await lock_receipt(session, unlocked.environment, unlocked.receipt)
    return await session.get_one(Confirmation, confirmation_id, with_for_update=True, populate_existing=True)
