"""Takes back a payment: at once where nothing was sent, else by telling the provider to take no money."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final
from uuid import UUID

from core.collecting import Feature
from core.offers import Offer
from tenancy.outbox import announce
from tenancy.sessions import TenantSession
from tenant_db.payments.errors import PaymentAlreadySent
from tenant_db.payments.locking import find_and_lock, lock_payment
from tenant_db.payments.machine import AUTHORIZED, CANCELLED, CREATED, ENDED, PENDING
from tenant_db.payments.models import Payment
from tenant_db.payments.rules import Cause, SubStatus
from tenant_db.payments.stepping import remark, step

NOTHING: Final[Mapping[str, Offer]] = MappingProxyType({})


async def cancel_payment(
    session: TenantSession, payment_id: UUID, now: datetime, offers: Mapping[str, Offer] = NOTHING
) -> Payment:
    """Cancel under the row's lock; the job that was to send it finds it cancelled. Again changes nothing.

    What was sent is left to a job, where `offers` say that its provider takes cancellations: it stays
    open until the provider says that no money will come, or that it has come.

    Raises:
        NotFound: no such payment.
        PaymentAlreadySent: the payer may have been asked, and its provider can't be told.
    """
    payment = await find_and_lock(session, payment_id)
    if payment.state is CANCELLED or payment.sub_status == SubStatus.CANCELLING:
        return payment
    if payment.state is CREATED:
        payment.settled_at = now
        step(session, payment, CANCELLED, Cause.API)
        return payment
    offer = offers.get(payment.provider)
    can_be_told = offer is not None and Feature.CANCEL.value in offer.features
    is_open = payment.state in {PENDING, AUTHORIZED} and payment.sub_status != SubStatus.CAPTURING
    if not can_be_told or not is_open or payment.provider_reference is None:
        raise PaymentAlreadySent(payment.status)
    payment.sub_status = SubStatus.CANCELLING.value
    remark(session, payment, Cause.API, cancel="asked")
    announce(session, "cancel_payment", queue="payments", payment_id=str(payment.id))
    return payment


async def refuse_cancel(session: TenantSession, payment_id: UUID, why: str) -> None:
    """The provider would not give it up, or would not yet: it goes on as before."""
    payment = await lock_payment(session, payment_id)
    if payment.state not in ENDED and payment.sub_status == SubStatus.CANCELLING:
        payment.sub_status = SubStatus.AUTHORIZED.value if payment.state is AUTHORIZED else None
        remark(session, payment, Cause.JOB, refused=why)
