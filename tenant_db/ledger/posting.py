"""Posting: moves money between ledger accounts, each idempotency key once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select

from core.ids import new_id
from core.money import Money
from tenancy.idempotency import IdempotencyKeyReused
from tenancy.sessions import TenantSession
from tenant_db.ledger.accounts import lock_accounts
from tenant_db.ledger.errors import AmountNotPositive, SameAccount
from tenant_db.ledger.models import Transfer
from tenant_db.ledger.recording import record
from tenant_db.ledger.rules import Movement, Overdraft, TransferKind, carry_out


@dataclass(frozen=True, slots=True)
class NewTransfer:
    """The command to move one amount from one ledger account to another."""

    source_id: UUID
    """Is debited. A sale goes from `holding:…` to `store:…:available:…`, and both balances grow."""
    destination_id: UUID
    """Is credited."""
    amount: Money
    kind: TransferKind
    reference: str
    """What it is about: a payment's TypeID, or the caller's own reference."""
    idempotency_key: str
    """`sale:{payment}`: one effect, one key."""
    effective_at: datetime | None = None
    """When it counts; None is now."""
    reverses_id: UUID | None = None
    overdraft: Overdraft = Overdraft.REFUSED
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.amount.minor <= 0:
            raise AmountNotPositive
        if self.source_id == self.destination_id:
            raise SameAccount

    def matches(self, earlier: Transfer) -> bool:
        """Whether `earlier` is what this command would make."""
        return (
            earlier.source_id == self.source_id
            and earlier.destination_id == self.destination_id
            and earlier.amount_minor == self.amount.minor
            and earlier.currency is self.amount.currency
            and earlier.kind == self.kind
            and earlier.reference == self.reference
            and earlier.reverses_id == self.reverses_id
            and earlier.details == self.details
            and self.effective_at in {None, earlier.effective_at}
        )


async def post(session: TenantSession, new: NewTransfer) -> Transfer:
    """Move money from one ledger account to another, at most once per idempotency key.

    The caller owns the transaction; both accounts stay locked until it ends. Three statements.

    Raises:
        AccountUnknown: an id names no account here.
        CurrencyMismatch: an account holds a currency other than the transfer's.
        IdempotencyKeyReused: the key already stands for a different transfer.
        AccountClosed: an account takes no entries any more.
        InsufficientFunds: an account would fall below its floor; pending holds count as spent.
        CeilingExceeded: an account would rise above its ceiling.
    """
    return (await post_linked(session, [new]))[0]


async def post_linked(session: TenantSession, news: Sequence[NewTransfer]) -> list[Transfer]:
    """Post several transfers that succeed or fail together, in order, as `post` does one.

    Their keys differ. A later one may spend what an earlier one brought.

    Raises:
        What `post` raises, for the first transfer that is refused; then nothing was written.
    """
    keys = [new.idempotency_key for new in news]
    if len(set(keys)) != len(keys):
        raise ValueError("two linked transfers share an idempotency key")
    accounts = await lock_accounts(
        session, {id_ for new in news for id_ in (new.source_id, new.destination_id)}
    )
    # Looked up under the locks: by now a rival with the same key has committed.
    earlier = await _transfers_by_key(session, keys)
    fresh = [new for new in news if not _is_repeat(new, earlier)]
    if fresh:
        outcome = carry_out(accounts, [_movement(new) for new in fresh])
        made = [_transfer(new) for new in fresh]
        await record(session, made, outcome)
        earlier.update({transfer.idempotency_key: transfer for transfer in made})
    return [earlier[key] for key in keys]


async def _transfers_by_key(session: TenantSession, keys: Sequence[str]) -> dict[str, Transfer]:
    found = await session.scalars(select(Transfer).where(Transfer.idempotency_key.in_(keys)))
    return {transfer.idempotency_key: transfer for transfer in found}


def _is_repeat(new: NewTransfer, earlier: Mapping[str, Transfer]) -> bool:
    known = earlier.get(new.idempotency_key)
    if known is not None and not new.matches(known):
        raise IdempotencyKeyReused
    return known is not None


def _movement(new: NewTransfer) -> Movement:
    return Movement(new.source_id, new.destination_id, new.amount, new.overdraft)


def _transfer(new: NewTransfer) -> Transfer:
    return Transfer(
        id=new_id(),
        source_id=new.source_id,
        destination_id=new.destination_id,
        amount_minor=new.amount.minor,
        currency=new.amount.currency,
        kind=new.kind.value,
        reference=new.reference,
        idempotency_key=new.idempotency_key,
        effective_at=new.effective_at,
        reverses_id=new.reverses_id,
        details=dict(new.details),
    )
