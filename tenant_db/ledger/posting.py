"""Posting: moves money between ledger accounts, each idempotency key once."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from uuid import UUID

from tenancy.sessions import TenantSession
from tenant_db.ledger.book import Book
from tenant_db.ledger.commands import NewTransfer
from tenant_db.ledger.locking import lock_known_accounts, transfers_by_key
from tenant_db.ledger.overdrawing import alert_overdrafts
from tenant_db.ledger.recording import record
from tenant_db.ledger.results import Posted
from tenant_db.ledger.rules import Overdraft

__all__ = ["NewTransfer", "post", "post_linked"]


async def post(
    session: TenantSession, new: NewTransfer, *, also_locking: AbstractSet[UUID] = frozenset()
) -> Posted:
    """Move money from one ledger account to another, at most once per idempotency key.

    The caller owns the transaction; both accounts stay locked until it ends, and with them
    `also_locking`: what the same transaction may post to next. Three statements.

    Raises:
        AccountUnknown: an id names no account here.
        CurrencyMismatch: an account holds a currency other than the transfer's.
        IdempotencyKeyReused: the key already stands for a different transfer.
        AccountClosed: an account takes no entries any more.
        AmountTooLarge: an account's counters would have more than 38 digits.
        InsufficientFunds: an account would fall below its floor; pending holds count as spent.
        CeilingExceeded: an account would rise above its ceiling.
        TransactionInterrupted: a rival used the key for other accounts at this moment; do it again.
    """
    return (await post_linked(session, [new], also_locking=also_locking))[0]


async def post_linked(
    session: TenantSession, news: Sequence[NewTransfer], *, also_locking: AbstractSet[UUID] = frozenset()
) -> list[Posted]:
    """Post several transfers that succeed or fail together, in order, as `post` does one.

    Their keys differ. A later one may spend what an earlier one brought.

    Raises:
        What `post` raises, for the first transfer that is refused; then nothing was written.
    """
    keys = [new.idempotency_key for new in news]
    if len(set(keys)) != len(keys):
        raise ValueError("two linked transfers share an idempotency key")
    accounts = await lock_known_accounts(
        session, {id_ for new in news for id_ in (new.source_id, new.destination_id)} | also_locking
    )
    # Looked up under the locks: by now a rival with the same key has committed.
    book = Book(accounts, await transfers_by_key(session, keys))
    posted = book.post(news)
    if book.is_changed:
        await record(session, book)
        if any(new.overdraft is Overdraft.ALLOWED for new in news):
            await alert_overdrafts(session, book)
    return posted
