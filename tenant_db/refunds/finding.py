"""Finds what a provider's words are about: a payment of a provider account, or a refund of one."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import or_, select

from core.errors import InvalidInput
from core.ids import Kind, inside
from tenancy.sessions import TenantSession
from tenant_db.payments.models import Payment
from tenant_db.refunds.models import Refund


async def payment_named(
    session: TenantSession, account_id: UUID, reference: str | None, receipt: str | None = None
) -> UUID | None:
    """The payment of this account with the provider's id or receipt; None where there is none, or several.

    `reference` is any of its ids: Flutterwave names a refund's payment by what is our receipt.
    """
    named = []
    if reference:
        ids_of_it = (Payment.provider_reference, Payment.request_reference, Payment.receipt)
        named += [column == reference for column in ids_of_it]
    if receipt:
        named.append(Payment.receipt == receipt)
    if not named:
        return None
    found = await session.scalars(
        select(Payment.id).where(Payment.provider_account_id == account_id, or_(*named)).limit(2)
    )
    ids = found.all()
    return ids[0] if len(ids) == 1 else None


async def refund_named(
    session: TenantSession, account_id: UUID, reference: str | None, refund_id: str | None
) -> UUID | None:
    """The refund of this account with our id, as providers carry it, or with the provider's own."""
    try:
        ours = None if not refund_id else inside(Kind.REFUND, refund_id)
    except InvalidInput:
        ours = None
    for condition in (
        None if ours is None else Refund.id == ours,
        None if not reference else Refund.provider_reference == reference,
    ):
        if condition is not None:
            found = await session.scalar(
                select(Refund.id).where(Refund.provider_account_id == account_id, condition)
            )
            if found is not None:
                return found
    return None


async def undecided_of(session: TenantSession, payment_id: UUID) -> Sequence[UUID]:
    """The refunds of a payment that the provider may tell something new about."""
    found = await session.scalars(
        select(Refund.id)
        .where(Refund.payment_id == payment_id, Refund.status.not_in(("requested", "reversed")))
        .order_by(Refund.id)
    )
    return found.all()
