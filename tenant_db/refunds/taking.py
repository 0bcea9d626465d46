"""Takes collected money back out of the books without being asked, and returns it: nobody here decides."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from core.ids import Kind, outside
from core.money import Money
from tenancy.sessions import TenantSession
from tenant_db.ledger.accounts import holding, open_accounts, suspense
from tenant_db.ledger.errors import LedgerRefusal
from tenant_db.ledger.models import Transfer
from tenant_db.ledger.posting import NewTransfer, post
from tenant_db.ledger.reversing import reverse
from tenant_db.ledger.rules import Overdraft, TransferKind
from tenant_db.payments.crediting import place_of
from tenant_db.payments.models import Payment


@dataclass(frozen=True, slots=True)
class TakenBack:
    """The command to book that money of a payment has gone."""

    amount: Money
    kind: TransferKind
    key: str
    """One effect, one key."""
    details: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Booked:
    """The transfer, and why its store's account was not the one that bears it, if so."""

    transfer_id: UUID
    trouble: str | None = None


async def take_back(session: TenantSession, payment: Payment, taken: TakenBack) -> Booked:
    """Take the amount from who has the payment's money, whether it is still there or not, once per key.

    The caller holds the payment's lock. Where the store's account takes no entries any more, suspense
    bears it.
    """
    place = place_of(payment)
    target, waiting = await open_accounts(
        session, holding(place, payment.currency), suspense(place, payment.currency), spread=payment.id
    )
    source = await credited_account(session, payment) or waiting
    try:
        gone = await post(session, _gone(payment, taken, source, target, taken.key), also_locking={waiting})
    except LedgerRefusal as refusal:
        aside = _gone(payment, taken, waiting, target, f"{taken.key}:aside")
        posted = await post(session, aside)
        return Booked(
            posted.id, f"Its store's account refused the debit, so suspense bears it: {refusal.message}"
        )
    return Booked(gone.id)


async def give_back(
    session: TenantSession, payment: Payment, transfer_id: UUID, amount: Money, why: str
) -> Booked:
    """Undo what `take_back` or a refund has booked, once; in suspense where its store refuses it."""
    try:
        return Booked((await reverse(session, transfer_id, why, Overdraft.ALLOWED)).id)
    except LedgerRefusal as refusal:
        place = place_of(payment)
        source, waiting = await open_accounts(
            session, holding(place, payment.currency), suspense(place, payment.currency), spread=payment.id
        )
        aside = NewTransfer(
            source_id=source,
            destination_id=waiting,
            amount=amount,
            kind=TransferKind.TRANSFER,
            reference=outside(Kind.PAYMENT, payment.id),
            idempotency_key=f"returned:{transfer_id}",
        )
        posted = await post(session, aside)
        return Booked(
            posted.id,
            f"Its store's account refused the returned money, so it is in suspense: {refusal.message}",
        )


async def credited_account(session: TenantSession, payment: Payment) -> UUID | None:
    """The account that has the payment's money: its store's, or suspense. None: it was never booked."""
    keys = (f"sale:{payment.id}", f"sale-aside:{payment.id}")
    found = await session.execute(
        select(Transfer.idempotency_key, Transfer.destination_id).where(Transfer.idempotency_key.in_(keys))
    )
    accounts: dict[str, UUID] = dict(found.all())
    return accounts.get(keys[0]) or accounts.get(keys[1])


def _gone(payment: Payment, taken: TakenBack, source: UUID, target: UUID, key: str) -> NewTransfer:
    return NewTransfer(
        source_id=source,
        destination_id=target,
        amount=taken.amount,
        kind=taken.kind,
        reference=outside(Kind.PAYMENT, payment.id),
        idempotency_key=key,
        overdraft=Overdraft.ALLOWED,
        details=taken.details,
    )
