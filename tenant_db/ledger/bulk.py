"""Bulk posting: up to a thousand independent transfers in one transaction, an answer for each."""

from collections.abc import Sequence

from core.errors import DomainError
from tenancy.sessions import TenantSession
from tenant_db.ledger.book import Book
from tenant_db.ledger.commands import NewTransfer, require_people
from tenant_db.ledger.errors import TooManyPostings
from tenant_db.ledger.limits import POSTINGS_MAX
from tenant_db.ledger.locking import lock_accounts, transfers_by_key
from tenant_db.ledger.recording import record
from tenant_db.ledger.results import Posted
from tenant_db.ledger.rules import Origin


async def post_many(
    session: TenantSession, news: Sequence[NewTransfer], *, origin: Origin = Origin.SYSTEM
) -> list[Posted | DomainError]:
    """Post each transfer, or refuse it and leave its neighbours alone; the answers are in their order.

    The caller owns the transaction. A transfer's key works once, within the call too: who repeats it
    gets the earlier transfer. A later one may spend what an earlier one brought. A refusal is an
    answer, and is not stored: the same key may be tried again. The keys of people come from
    `commands.of_people`. Three statements.

    Raises:
        TooManyPostings: there are more than POSTINGS_MAX.
        TransactionInterrupted: a rival used one of the keys for other accounts at this moment, or a
            deadlock; do it again.
    """
    if len(news) > POSTINGS_MAX:
        raise TooManyPostings(POSTINGS_MAX)
    if origin is Origin.PEOPLE:
        require_people(new.idempotency_key for new in news)
    if not news:
        return []
    ids = {new.source_id for new in news} | {new.destination_id for new in news}
    accounts = await lock_accounts(session, ids)
    # Looked up under the locks: by now a rival with the same keys has committed.
    book = Book(
        accounts, await transfers_by_key(session, [new.idempotency_key for new in news]), origin=origin
    )
    answers = [_answer(book, new) for new in news]
    if book.is_changed:
        await record(session, book)
    return answers


def _answer(book: Book, new: NewTransfer) -> Posted | DomainError:
    try:
        return book.post((new,))[0]
    except DomainError as refusal:
        return refusal
