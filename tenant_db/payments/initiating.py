"""Writes a new payment; the provider is asked later, by a job."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, bindparam, or_, select

from core.errors import NotFound
from core.ids import Kind, new_id, outside
from core.money import Money
from core.phone import Phone
from tenancy.metrics import PAYMENTS
from tenancy.sessions import TenantSession
from tenant_db.channels.machine import ChannelStatus
from tenant_db.payments import rules
from tenant_db.payments.errors import (
    ChannelNotActive,
    OrderAlreadyPaid,
    PaymentInProgress,
    StoreClosed,
    WrongCurrency,
)
from tenant_db.payments.initiating_statements import PAYMENT_COLUMNS, PLACE, WRITE, Place
from tenant_db.payments.locking import lock_order
from tenant_db.payments.machine import PaymentStatus
from tenant_db.payments.models import Payment
from tenant_db.payments.stepping import tell


@dataclass(frozen=True, slots=True)
class NewPayment:
    """What a shop asks to collect."""

    channel_id: UUID
    amount: Money
    phone: Phone
    description: str
    store_id: UUID | None = None
    """Whose balance grows; None is the channel's own store."""
    order_reference: str | None = None
    customer_name: str | None = None
    customer_email: str | None = None
    range: rules.AmountRange | None = None
    """The catalog's limits of one payment; None takes the provider's published ones."""
    id: UUID = field(default_factory=new_id)
    """Known before it is written, so that an idempotency key can stand for it."""


async def initiate_payment(session: TenantSession, new: NewPayment, now: datetime) -> Payment:
    """Write the payment in `created` with its first event, and the payer as a customer.

    The caller announces `submit_payment` and owns the transaction. The row comes back detached:
    read it, change nothing on it. While the transaction lasts, no other one can start an attempt
    for the same order reference.

    Raises:
        NotFound: no such channel or store.
        ChannelNotActive, StoreClosed: nothing may be collected there now.
        WrongCurrency, AmountNotWhole, AmountOutOfRange: the amount can't be collected there.
        PhoneNotServed: the phone is no number of the provider's network.
        TextNotUsable: the description, the order reference, or the payer's
            name or e-mail address is empty or too long.
        PaymentInProgress: another attempt for this order may still be paid.
        OrderAlreadyPaid: an attempt for this order has succeeded.
    """
    require_texts(new)
    if new.order_reference is not None:
        await lock_order(session, new.order_reference)
    place = await _place(session, new)
    require_open(place, new)
    if new.order_reference is not None:
        await _refuse_second_attempt(session, new.order_reference, now)
    return await _write(session, new, place, now)


def require_texts(new: NewPayment) -> None:
    """Raises TextNotUsable."""
    rules.require_text("description", new.description, rules.DESCRIPTION_CHARACTERS_MAX)
    if new.customer_name is not None:
        rules.require_text("customerName", new.customer_name, rules.CUSTOMER_NAME_CHARACTERS_MAX)
    if new.customer_email is not None:
        rules.require_text("customerEmail", new.customer_email, rules.CUSTOMER_EMAIL_CHARACTERS_MAX)
    if new.order_reference is not None:
        rules.require_text("orderReference", new.order_reference, rules.ORDER_REFERENCE_CHARACTERS_MAX)


async def _place(session: TenantSession, new: NewPayment) -> Place:
    """The channel, its account and the store, in one look-up."""
    rows = await session.execute(PLACE, {"channel": new.channel_id, "store": new.store_id})
    found = rows.one_or_none()
    if found is None:
        raise NotFound("channel")
    place = Place._make(found)
    if place.store_id is None:
        raise NotFound("store")
    return place


def require_open(place: Place, new: NewPayment) -> None:
    """Refuse what can't be collected there now.

    Raises:
        ChannelNotActive, StoreClosed, WrongCurrency, AmountNotWhole, AmountOutOfRange, PhoneNotServed.
    """
    if place.status != ChannelStatus.ACTIVE:
        raise ChannelNotActive(place.status)
    if not place.is_enabled:
        raise ChannelNotActive("disabled with its provider account")
    if place.closed_at is not None:
        raise StoreClosed
    if new.amount.currency is not place.currency:
        raise WrongCurrency(place.currency, new.amount.currency)
    rules.require_collectable(place.provider, new.amount, new.range)
    rules.require_served(place.provider, new.phone)


async def _refuse_second_attempt(session: TenantSession, order_reference: str, now: datetime) -> None:
    rows = await session.execute(
        _RIVALS, {"order": order_reference, "now": now, "unknown_since": now - rules.UNKNOWN_GUARD}
    )
    rivals = rows.all()
    for rival in rivals:
        if rival.status == PaymentStatus.SUCCEEDED:
            raise OrderAlreadyPaid(outside(Kind.PAYMENT, rival.id))
    if rivals:
        raise PaymentInProgress(outside(Kind.PAYMENT, rivals[0].id))


async def _write(session: TenantSession, new: NewPayment, place: Place, now: datetime) -> Payment:
    """Three rows in one statement: at hundreds of payments a second each round trip counts."""
    values = values_of(new, place, now)
    payment = Payment(**{name: values[name] for name in PAYMENT_COLUMNS if name != "customer_id"})
    payment.customer_id = await session.scalar(WRITE, values)
    PAYMENTS.labels(payment.provider, payment.status).inc()
    tell(session, payment)
    return payment


def values_of(new: NewPayment, place: Place, now: datetime) -> dict[str, Any]:
    """What `WRITE` writes."""
    return {
        **dict.fromkeys(PAYMENT_COLUMNS),
        "id": new.id,
        "created_at": now,
        "store_id": place.store_id,
        "channel_id": place.channel_id,
        "provider_account_id": place.provider_account_id,
        "provider": place.provider,
        "environment": place.environment,
        "short_code": place.short_code,
        "amount_minor": new.amount.minor,
        "currency": new.amount.currency,
        "phone": new.phone.e164,
        "reference": rules.make_reference(),
        "order_reference": new.order_reference,
        "description": new.description,
        "status": PaymentStatus.CREATED.value,
        "version": 1,
        "needs_review": False,
        "polls": 0,
        "expires_at": now + rules.SEND_WINDOW,
        "event_id": new_id(),
        "new_customer_id": new_id(),
        "customer_name": new.customer_name,
        "customer_email": new.customer_email,
    }


_BLOCKS: ColumnElement[bool] = or_(
    Payment.status == PaymentStatus.SUCCEEDED,
    and_(
        Payment.status.in_(
            [
                PaymentStatus.CREATED,
                PaymentStatus.SUBMITTING,
                PaymentStatus.PENDING,
                PaymentStatus.AUTHORIZED,
            ]
        ),
        Payment.expires_at > bindparam("now"),
    ),
    # What was surely sent may still be paid; but nobody waits at a counter for ever.
    and_(
        Payment.status.in_([PaymentStatus.SUBMITTING, PaymentStatus.UNKNOWN]),
        Payment.submitted_at > bindparam("unknown_since"),
    ),
)

_RIVALS: Final = (
    select(Payment.id, Payment.status)
    .where(Payment.order_reference == bindparam("order"), _BLOCKS)
    .order_by(Payment.id)
)
