"""Writes a refund and sets its money aside; the provider is asked later, by a job."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from core.errors import InvalidInput, NotFound
from core.ids import Kind, new_id, outside
from core.money import CurrencyMismatch, Money
from tenancy.sessions import TenantSession
from tenant_db.ledger.errors import AmountNotPositive
from tenant_db.payments.machine import AUTHORIZED, SUCCEEDED
from tenant_db.payments.models import Payment
from tenant_db.payments.rules import MPESA
from tenant_db.refunds.booking import set_aside
from tenant_db.refunds.errors import (
    PartialRefundNotOffered,
    PaymentNotCaptured,
    PaymentNotRefundable,
    RefundNotOffered,
    RefundTooMuch,
)
from tenant_db.refunds.locking import left_minor, received_minor
from tenant_db.refunds.machine import REQUESTED
from tenant_db.refunds.models import Refund, RefundEvent
from tenant_db.refunds.rules import REASON_CHARACTERS_MAX, Offer, RefundCause, RefundOrigin
from tenant_db.refunds.stepping import tell


@dataclass(frozen=True, slots=True)
class NewRefund:
    """The command to give money of one payment back.

    Raises:
        InvalidInput: the reason is empty or too long.
        AmountNotPositive: it would give nothing back.
    """

    payment_id: UUID
    amount: Money | None
    """None is all that is left."""
    reason: str
    requested_by: str = field(default="", compare=False)
    """`{kind}:{id}` of the actor."""
    origin: RefundOrigin = RefundOrigin.API
    id: UUID = field(default_factory=new_id, compare=False)

    def __post_init__(self) -> None:
        if not 1 <= len(self.reason.strip()) <= REASON_CHARACTERS_MAX or not self.reason.isprintable():
            raise InvalidInput("reason", f"Say why, in 1 to {REASON_CHARACTERS_MAX} printable characters.")
        if self.amount is not None and self.amount.minor <= 0:
            raise AmountNotPositive


async def request_refund(session: TenantSession, new: NewRefund, offer: Offer, now: datetime) -> Refund:
    """Set the money aside under the payment's lock; rivals for the same payment wait for each other.

    `offer` is what the payment's provider can do. The caller leaves the job that sends it.

    Raises:
        NotFound: no such payment.
        PaymentNotCaptured, PaymentNotRefundable: nothing was taken, or it can't be given back.
        RefundNotOffered, PartialRefundNotOffered: the provider can't.
        CurrencyMismatch: the payment is in another currency.
        RefundTooMuch: more than is left.
        LedgerRefusal: the store has not that much, or its account is closed.
    """
    payment = await session.get(Payment, new.payment_id, with_for_update=True, populate_existing=True)
    if payment is None:
        raise NotFound("payment")
    _guard_paid(payment)
    if not offer.refunds:
        raise RefundNotOffered(payment.provider)
    amount = await _amount(session, payment, new, offer)
    refund = _row(payment, new, amount)
    await set_aside(session, payment, refund, now)
    session.add(refund)
    await session.flush()
    session.add(
        RefundEvent(
            refund_id=refund.id,
            version=1,
            from_status=None,
            to_status=refund.status,
            cause=(RefundCause.REVIEW if new.origin is RefundOrigin.REVIEW else RefundCause.API).value,
            details={},
        )
    )
    tell(session, refund)
    return refund


def _guard_paid(payment: Payment) -> None:
    if payment.state is AUTHORIZED:
        raise PaymentNotCaptured(outside(Kind.PAYMENT, payment.id))
    if payment.state is not SUCCEEDED:
        raise PaymentNotRefundable(payment.status, "nothing was paid.")
    if payment.provider == MPESA and payment.receipt is None:
        raise PaymentNotRefundable(payment.status, "its receipt is not known yet, and M-Pesa asks for it.")
    if payment.provider_reference is None and payment.receipt is None:
        raise PaymentNotRefundable(payment.status, "its provider gave it no id.")


async def _amount(session: TenantSession, payment: Payment, new: NewRefund, offer: Offer) -> Money:
    left = Money(await left_minor(session, payment), payment.currency)
    amount = new.amount or left
    if amount.currency is not payment.currency:
        raise CurrencyMismatch(payment.currency, amount.currency)
    if amount.minor <= 0 or left < amount:
        raise RefundTooMuch(left)
    if not offer.parts and amount.minor != await received_minor(session, payment):
        raise PartialRefundNotOffered(payment.provider)
    return amount


def _row(payment: Payment, new: NewRefund, amount: Money) -> Refund:
    return Refund(
        id=new.id,
        payment_id=payment.id,
        store_id=payment.store_id,
        provider_account_id=payment.provider_account_id,
        provider=payment.provider,
        amount_minor=amount.minor,
        currency=amount.currency,
        reason=new.reason.strip(),
        origin=new.origin.value,
        requested_by=new.requested_by,
        status=REQUESTED.value,
        version=1,
        asks=0,
    )
