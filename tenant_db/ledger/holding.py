"""Holds: set an amount aside, and resolve it once by posting it, letting it go, or its time."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select

from core.ids import Kind, outside
from tenancy.outbox import announce
from tenancy.sessions import TenantSession
from tenant_db.ledger.book import Book
from tenant_db.ledger.commands import NewHold, PostHold, VoidHold
from tenant_db.ledger.errors import HoldUnknown
from tenant_db.ledger.limits import EXPIRING_MAX
from tenant_db.ledger.locking import (
    holds_by_id,
    holds_by_key,
    lock_accounts,
    lock_holds,
    lock_known_accounts,
)
from tenant_db.ledger.models import Hold
from tenant_db.ledger.recording import record
from tenant_db.ledger.results import PENDING, Held, Posted

EXPIRE_QUEUE: Final = "platform"


async def place_hold(session: TenantSession, new: NewHold, now: datetime) -> Held:
    """Set an amount aside on both accounts, at most once per key. A job lets it go when its time is over.

    The caller owns the transaction; both accounts stay locked until it ends.

    Raises:
        InvalidInput: it would have expired.
        What `post` raises.
    """
    accounts = await lock_known_accounts(session, {new.source_id, new.destination_id})
    # Looked up under the locks: by now a rival with the same key has committed.
    book = Book(accounts, holds=await holds_by_key(session, [new.idempotency_key]))
    held = book.place(new, now)
    if book.is_changed:
        await record(session, book)
        announce_expiry(session, held, now)
    return held


async def post_hold(session: TenantSession, command: PostHold, now: datetime) -> Posted:
    """Move what a hold has set aside, or a part of it; the rest is let go. It breaks no floor or ceiling.

    Raises:
        HoldUnknown: there is none with this id.
        HoldAlreadyResolved: it was posted or voided before.
        HoldExpired: its time is over at `now`, whether the job has come or not.
        HoldExceeded: the part is more than the hold.
        CurrencyMismatch: the part is in another currency.
    """
    book, holds = await _open(session, {command.hold_id})
    posted = book.post_hold(_known(holds, command.hold_id), command, now)
    await record(session, book)
    return posted


async def void_hold(session: TenantSession, command: VoidHold, now: datetime) -> Held:
    """Let go of what a hold has set aside.

    Raises:
        HoldUnknown: there is none with this id.
        HoldAlreadyResolved: it was posted or voided before.
        HoldExpired: its time is over at `now`.
    """
    book, holds = await _open(session, {command.hold_id})
    held = _known(holds, command.hold_id)
    book.void_hold(held, now)
    await record(session, book)
    return held


async def expire_due(session: TenantSession, now: datetime, limit: int = EXPIRING_MAX) -> int:
    """Let go of what is set aside by holds whose time is over, the oldest first; says how many it was.

    Where it is `limit`, there may be more.
    """
    due = await session.scalars(
        select(Hold.id)
        .where(Hold.state == PENDING, Hold.expires_at <= now)
        .order_by(Hold.expires_at)
        .limit(limit)
    )
    book, holds = await _open(session, set(due.all()))
    # Under the locks: a rival may have resolved some meanwhile.
    expired = [hold for hold in holds.values() if hold.state == PENDING]
    for hold in expired:
        book.expire_hold(hold)
    if expired:
        await record(session, book)
    return len(expired)


async def expires_at(session: TenantSession, hold_id: UUID) -> datetime | None:
    """When a pending hold's time is over; None where it is not pending any more, or never ends."""
    return await session.scalar(select(Hold.expires_at).where(Hold.id == hold_id, Hold.state == PENDING))


def announce_expiry(session: TenantSession, held: Held, now: datetime) -> None:
    """Leave the job that lets go of a hold when its time is over."""
    if held.expires_at is not None:
        after_s = (held.expires_at - now).total_seconds()
        announce(session, "expire_hold", queue=EXPIRE_QUEUE, after_s=after_s, hold_id=str(held.id))


async def _open(session: TenantSession, hold_ids: set[UUID]) -> tuple[Book, Mapping[UUID, Held]]:
    """Lock the accounts of holds, then the holds: everybody locks in this order."""
    if not hold_ids:
        return Book({}), {}
    unlocked = await holds_by_id(session, hold_ids)
    ends = {id_ for hold in unlocked.values() for id_ in (hold.source_id, hold.destination_id)}
    accounts = await lock_accounts(session, ends)
    return Book(accounts), await lock_holds(session, list(unlocked))


def _known(holds: Mapping[UUID, Held], hold_id: UUID) -> Held:
    found = holds.get(hold_id)
    if found is None:
        raise HoldUnknown(outside(Kind.HOLD, hold_id))
    return found
