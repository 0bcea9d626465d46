"""The locks under which a payment is decided: the receipt's, then the payment's row, then its order's."""

from uuid import UUID

from sqlalchemy import func, select

from core.errors import NotFound
from core.money import Money
from tenancy.sessions import TenantSession
from tenant_db.payments.models import Payment


async def lock_receipt(session: TenantSession, environment: str, receipt: str) -> None:
    """Let one transaction at a time decide what this receipt paid, whichever short code it is told of.

    A callback and a confirmation tell of the same money in any order, and the confirmation of a
    till may fit no payment, so the payment's row alone would not keep the two apart.
    """
    name = f"receipt:{environment}:{receipt}"
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))


async def lock_account_receipt(session: TenantSession, account_id: UUID | None, receipt: str) -> None:
    """As `lock_receipt`, of a provider account that has no short code."""
    name = f"receipt:{account_id}:{receipt}"
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))


async def lock_money(session: TenantSession, environment: str, amount: Money) -> None:
    """Let one transaction at a time decide about money of this amount whose receipt nobody has told.

    After the lock of a receipt, if there is one, and before a payment's row.
    """
    name = f"money:{environment}:{amount.currency.value}:{amount.minor}"
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))


async def lock_order(session: TenantSession, order_reference: str) -> None:
    """Let one transaction at a time start an attempt for this order, or find one of them paid."""
    name = f"order:{order_reference}"
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))


async def lock_payment(session: TenantSession, payment_id: UUID) -> Payment:
    """Lock the payment and read it as the last holder of the lock left it.

    Jobs name payments that exist; one that does not is a bug.
    """
    found = await session.scalar(
        select(Payment)
        .where(Payment.id == payment_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise ValueError(f"no payment {payment_id} in this tenant")
    return found


async def find_and_lock(session: TenantSession, payment_id: UUID) -> Payment:
    """As `lock_payment`, of a payment that people name. Raises NotFound."""
    found = await session.scalar(
        select(Payment)
        .where(Payment.id == payment_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound("payment")
    return found
