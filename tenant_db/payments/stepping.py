"""Writes a payment's step: its event, and the notices that wake subscribers after the commit."""

from functools import partial
from uuid import UUID

from sqlalchemy import update

from core.clock import utc_now
from tenancy.metrics import PAYMENTS
from tenancy.sessions import Notice, TenantSession
from tenant_db.orders.telling import tell_of
from tenant_db.outbox.models import TenantOutbox
from tenant_db.payments.machine import ENDED, PaymentStatus
from tenant_db.payments.models import Payment
from tenant_db.payments.rules import Cause
from tenant_db.payments.telling import tell_of_step


def step(
    session: TenantSession, payment: Payment, to: PaymentStatus, cause: Cause, **details: str | int
) -> None:
    """Advance a locked payment through the machine."""
    session.add(payment.advance(to, cause, dict(details)))
    # Counted before the commit: what is rolled back counts too, which a gauge of trends can bear.
    PAYMENTS.labels(payment.provider, payment.status).inc()
    tell(session, payment)
    tell_of_step(session, payment, to)
    if to in ENDED:
        session.at_end.append(partial(_ask_no_more, payment.id))


async def _ask_no_more(id: UUID, session: TenantSession) -> None:
    """End the ladder of a payment that has ended: else a job would find that out at each next rung."""
    await session.execute(
        update(TenantOutbox)
        .where(TenantOutbox.id == id, TenantOutbox.kind == "poll_payment", TenantOutbox.state == "pending")
        .values(state="done", finished_at=utc_now(), leased_until=None)
        .execution_options(synchronize_session=False)
    )


def remark(session: TenantSession, payment: Payment, cause: Cause, **details: str | int) -> None:
    """Record what was learnt of a locked payment without a step."""
    session.add(payment.remark(cause, dict(details)))
    tell(session, payment)


def tell(session: TenantSession, payment: Payment) -> None:
    """Publish after the commit that the payment, and with it its order, has a new version."""
    session.after.notices += notices_of(payment.id, payment.version, payment.status, payment.store_id)
    if payment.order_id is not None:
        tell_of(session, payment.order_id)


def notices_of(id: UUID, version: int, status: str, store_id: UUID | None = None) -> list[Notice]:
    """What subscribers of the payment, and of all payments, are told of a version.

    The store spares those who watch another one a look; who does not know it may leave it out.
    """
    payload = {"id": str(id), "version": version, "status": status}
    if store_id is not None:
        payload["store_id"] = str(store_id)
    return [Notice(f"payment:{id}", payload), Notice("payments", payload)]
