"""Reversing: undoes a transfer with a second one that names it."""

from uuid import UUID

from sqlalchemy import select

from core.ids import Kind, outside
from core.money import Money
from tenancy.idempotency import IdempotencyKeyReused
from tenancy.sessions import TenantSession
from tenant_db.ledger.errors import AlreadyReversed, NotReversible, TransferUnknown
from tenant_db.ledger.models import Transfer
from tenant_db.ledger.posting import NewTransfer, post
from tenant_db.ledger.rules import Overdraft, TransferKind


async def reverse(
    session: TenantSession, transfer_id: UUID, reason: str, overdraft: Overdraft = Overdraft.REFUSED
) -> Transfer:
    """Move the whole amount of a transfer back. The same again, with the same reason, changes nothing.

    `overdraft` is allowed where a provider took the money back whether it is still there or not.

    Raises:
        TransferUnknown: there is none with this id.
        NotReversible: it is a reversal.
        AlreadyReversed: it was reversed for another reason.
        InsufficientFunds: what it brought was spent since.
        AccountClosed: an account takes no entries any more.
    """
    original = await session.scalar(select(Transfer).where(Transfer.id == transfer_id))
    if original is None:
        raise TransferUnknown
    if original.kind == TransferKind.REVERSAL:
        raise NotReversible(outside(Kind.TRANSFER, transfer_id))
    undoing = NewTransfer(
        source_id=original.destination_id,
        destination_id=original.source_id,
        amount=Money(original.amount_minor, original.currency),
        kind=TransferKind.REVERSAL,
        reference=original.reference,
        idempotency_key=f"reversal:{transfer_id}",
        reverses_id=transfer_id,
        overdraft=overdraft,
        details={"reason": reason},
    )
    try:
        return await post(session, undoing)
    except IdempotencyKeyReused as taken:
        raise AlreadyReversed(outside(Kind.TRANSFER, transfer_id)) from taken
