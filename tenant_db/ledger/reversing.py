"""Reversing: undoes a transfer with a second one that names it."""

from uuid import UUID

from tenancy.sessions import TenantSession
from tenant_db.ledger.book import Book, reversal_key
from tenant_db.ledger.commands import Reverse
from tenant_db.ledger.errors import TransferUnknown
from tenant_db.ledger.locking import lock_known_accounts, transfers_by_id, transfers_by_key
from tenant_db.ledger.overdrawing import alert_overdrafts
from tenant_db.ledger.recording import record
from tenant_db.ledger.results import Posted
from tenant_db.ledger.rules import Overdraft


async def reverse(
    session: TenantSession, transfer_id: UUID, reason: str, overdraft: Overdraft = Overdraft.REFUSED
) -> Posted:
    """Move the whole amount of a transfer back. The same again, with the same reason, changes nothing.

    `overdraft` is allowed where a provider took the money back whether it is still there or not.

    Raises:
        TransferUnknown: there is none with this id.
        NotReversible: it is a reversal.
        AlreadyReversed: it was reversed for another reason.
        InsufficientFunds: what it brought was spent since.
        AccountClosed: an account takes no entries any more.
    """
    command = Reverse(transfer_id, reason, overdraft)
    found = await transfers_by_id(session, [transfer_id])
    if not found:
        raise TransferUnknown
    (original,) = found
    accounts = await lock_known_accounts(session, {original.source_id, original.destination_id})
    book = Book(accounts, await transfers_by_key(session, [reversal_key(transfer_id)]))
    posted = book.reverse(original, command)
    if book.is_changed:
        await record(session, book)
        if overdraft is Overdraft.ALLOWED:
            await alert_overdrafts(session, book)
    return posted
