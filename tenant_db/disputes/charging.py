"""Books what a provider charges for a dispute, and what it gives back of that, each once."""

from sqlalchemy import select

from core.ids import Kind, outside
from core.money import Money
from tenancy.sessions import TenantSession
from tenant_db.disputes.models import Dispute
from tenant_db.ledger.errors import LedgerRefusal
from tenant_db.ledger.models import Transfer
from tenant_db.ledger.reversing import reverse
from tenant_db.ledger.rules import Overdraft
from tenant_db.payments.crediting import post_fee
from tenant_db.payments.models import Payment

FEE_RETURNED = "The provider gave the fee of the dispute back."


async def charge_dispute_fee(
    session: TenantSession, payment: Payment, dispute: Dispute, fee: Money
) -> str | None:
    """Post a dispute's fee under the payment's lock, whatever the store's balance is; gives what is odd.

    The first that was told counts. It leaves what lies at the provider, and is the store's to bear.
    """
    booked = await _booked(session, dispute)
    if booked:
        told = Money(booked[0].amount_minor, booked[0].currency)
        return None if told == fee else f"The fee of the dispute was {told}, and is now {fee}."
    details = {"dispute": outside(Kind.DISPUTE, dispute.id)}
    try:
        await post_fee(session, payment, fee, _keys(dispute), details)
    except LedgerRefusal as refusal:
        return f"The fee of the dispute, {fee}, is not booked: {refusal.message}"
    return None


async def return_dispute_fee(session: TenantSession, dispute: Dispute, returned: Money) -> str | None:
    """Undo the booked fee, once; gives what is odd. What was never booked is not undone."""
    booked = await _booked(session, dispute)
    if not booked or Money(booked[0].amount_minor, booked[0].currency) != returned:
        return f"The provider gave back {returned} of the dispute's fee; what was booked differs."
    try:
        for transfer in booked:
            await reverse(session, transfer.id, FEE_RETURNED, Overdraft.ALLOWED)
    except LedgerRefusal as refusal:
        return f"The returned fee of the dispute, {returned}, is not booked: {refusal.message}"
    return None


async def _booked(session: TenantSession, dispute: Dispute) -> list[Transfer]:
    found = await session.scalars(
        select(Transfer).where(Transfer.idempotency_key.in_(_keys(dispute))).order_by(Transfer.id.desc())
    )
    return list(found)


def _keys(dispute: Dispute) -> tuple[str, str]:
    return f"dispute-fee:{dispute.id}", f"dispute-fee-kept:{dispute.id}"
