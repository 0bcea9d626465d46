"""What a payer paid beyond a payment's amount: set aside when it came in, and given to who gives it back."""

from typing import Final
from uuid import UUID

from sqlalchemy import func, select

from core.ids import Kind, outside
from core.money import Money
from tenancy.sessions import TenantSession
from tenant_db.ledger.accounts import available, holding, open_accounts, suspense
from tenant_db.ledger.models import Transfer
from tenant_db.ledger.posting import NewTransfer, post
from tenant_db.ledger.rules import TransferKind
from tenant_db.payments.crediting import place_of
from tenant_db.payments.models import Payment
from tenant_db.refunds.machine import SUCCEEDED
from tenant_db.refunds.models import Refund

SET_ASIDE: Final = "excess"
RELEASED: Final = "excess-released"
SALE: Final = "sale"


async def excess_of(session: TenantSession, payment: Payment) -> Money:
    """What came in beyond the payment's amount, wherever it lies now."""
    booked = await _booked(session, payment)
    return Money(booked.get(SET_ASIDE, 0), payment.currency)


async def waiting_excess(session: TenantSession, payment: Payment) -> Money | None:
    """What of it still waits in suspense; None where nothing does."""
    booked = await _booked(session, payment)
    if SET_ASIDE not in booked or RELEASED in booked:
        return None
    return Money(booked[SET_ASIDE], payment.currency)


async def release_excess(session: TenantSession, payment: Payment) -> UUID | None:
    """Move what waits to the store that has the payment, once, under the payment's lock.

    Gives the transfer's id; None where nothing waits, or where the payment's own money is in suspense too.

    Raises:
        LedgerRefusal: the store's account takes it not.
    """
    booked = await _booked(session, payment)
    if SET_ASIDE not in booked or RELEASED in booked or SALE not in booked:
        return None
    place = place_of(payment)
    waiting, store, target = await open_accounts(
        session,
        suspense(place, payment.currency),
        available(payment.store_id, place, payment.currency),
        holding(place, payment.currency),
        spread=payment.id,
    )
    released = NewTransfer(
        source_id=waiting,
        destination_id=store,
        amount=Money(booked[SET_ASIDE], payment.currency),
        kind=TransferKind.ADJUSTMENT,
        reference=outside(Kind.PAYMENT, payment.id),
        idempotency_key=f"{RELEASED}:{payment.id}",
    )
    # A refund follows in the same transaction, so what it needs is locked in its turn now.
    return (await post(session, released, also_locking={target})).id


async def share_of_order(session: TenantSession, payment: Payment, refund: Refund) -> Money:
    """What of a refund goes back of the order's own money: the excess, which it never counted, goes first."""
    excess = (await excess_of(session, payment)).minor
    if not excess:
        return refund.amount
    others = await session.scalar(
        select(func.coalesce(func.sum(Refund.amount_minor), 0)).where(
            Refund.payment_id == payment.id, Refund.status == SUCCEEDED, Refund.id != refund.id
        )
    )
    before = int(others or 0) - excess
    return Money(max(0, before + refund.amount_minor) - max(0, before), payment.currency)


async def _booked(session: TenantSession, payment: Payment) -> dict[str, int]:
    """Amounts by what they are for, in minor units."""
    keys = [f"{each}:{payment.id}" for each in (SALE, SET_ASIDE, RELEASED)]
    found = await session.execute(
        select(Transfer.idempotency_key, Transfer.amount_minor).where(Transfer.idempotency_key.in_(keys))
    )
    return {key.split(":", 1)[0]: int(minor) for key, minor in found}
