"""Keeps what a payer entered, sealed, until a job has handed it on: an OTP, a PIN, a payment method."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import delete, select

from core.ids import new_id
from tenancy.keyring import Keyring, Place
from tenancy.outbox import announce
from tenancy.sessions import TenantSession
from tenant_db.payments.errors import NotWaiting
from tenant_db.payments.locking import find_and_lock, lock_payment
from tenant_db.payments.machine import PENDING
from tenant_db.payments.models import PayerStep, Payment
from tenant_db.payments.rules import Cause
from tenant_db.payments.stepping import remark

TABLE: Final = PayerStep.__tablename__
COLUMN: Final = "sealed"
SENDS_AWAY: Final = "payment_method"
"""The one value whose provider may send the payer to their bank."""
KEPT_FOR: Final = timedelta(minutes=15)
"""A code that was not handed on by then is of no use any more."""


async def keep_step(
    session: TenantSession, keyring: Keyring, payment_id: UUID, values: Mapping[str, str], now: datetime
) -> Payment:
    """Seal what the payer entered, and leave it to a job; what was entered before and is left is dropped.

    Raises:
        NotFound: no such payment.
        NotWaiting: it is not open, or its payer has nothing to do.
    """
    payment = await find_and_lock(session, payment_id)
    if payment.state is not PENDING or payment.next_action is None:
        raise NotWaiting(payment.status, "for a step of the payer")
    await session.execute(delete(PayerStep).where(PayerStep.payment_id == payment_id))
    step_id = new_id()
    sealed = await keyring.seal(session.tenant_id, Place(TABLE, COLUMN, step_id), json.dumps(dict(values)))
    session.add(PayerStep(id=step_id, created_at=now, payment_id=payment_id, sealed=sealed))
    remark(session, payment, Cause.API, entered=", ".join(sorted(values)))
    announce(session, "confirm_payment", queue="payments", payment_id=str(payment_id), step_id=str(step_id))
    return payment


async def take_step(
    session: TenantSession, keyring: Keyring, step_id: UUID, now: datetime
) -> Mapping[str, str] | None:
    """Open what the payer entered, for this call alone: with the commit it is gone. None where it is gone.

    With it comes the `return_url` of the payment, for a payer whom the step sends away.
    """
    # Rivals wait for each other at the row, and only one of them finds it.
    taken = await session.execute(
        delete(PayerStep)
        .where(PayerStep.id == step_id)
        .returning(PayerStep.sealed, PayerStep.created_at, PayerStep.payment_id)
        .execution_options(synchronize_session=False)
    )
    row = taken.one_or_none()
    if row is None or now - row.created_at > KEPT_FOR:
        return None
    secret = await keyring.open(session.tenant_id, Place(TABLE, COLUMN, step_id), row.sealed)
    values: dict[str, str] = json.loads(secret.reveal())
    if SENDS_AWAY in values:
        back = await session.scalar(select(Payment.return_url).where(Payment.id == row.payment_id))
        values |= {} if back is None else {"return_url": back}
    return values


async def drop_old_steps(session: TenantSession, now: datetime) -> None:
    """Forget what no job came for."""
    await session.execute(delete(PayerStep).where(PayerStep.created_at < now - KEPT_FOR))


async def lose_step(session: TenantSession, payment_id: UUID, why: str) -> None:
    """Say that what the payer entered was not taken: it is to be entered again."""
    payment = await lock_payment(session, payment_id)
    if payment.state is PENDING:
        remark(session, payment, Cause.JOB, refused=why)
