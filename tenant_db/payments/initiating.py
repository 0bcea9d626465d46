"""Writes a new payment; the provider is asked later, by a job."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, bindparam, or_, select

from core.collecting import CaptureMode, Method
from core.currency import Currency
from core.errors import InvalidInput, NotFound
from core.ids import Kind, new_id, outside
from core.money import Money
from core.offers import Offer
from core.phone import Phone
from tenancy.metrics import PAYMENTS
from tenancy.sessions import TenantSession
from tenant_db.channels.machine import ChannelStatus
from tenant_db.orders.machine import OrderStatus
from tenant_db.orders.models import Order
from tenant_db.orders.paying import order_to_pay
from tenant_db.payments import rules
from tenant_db.payments.errors import (
    AccountNotEnabled,
    ChannelNotActive,
    OrderAlreadyPaid,
    PaymentInProgress,
    StoreClosed,
    WrongCurrency,
)
from tenant_db.payments.initiating_statements import (
    ACCOUNT_PLACE,
    PLACE,
    WRITE,
    WRITE_UNNAMED,
    WRITTEN,
    Place,
)
from tenant_db.payments.locking import lock_order
from tenant_db.payments.machine import PaymentStatus
from tenant_db.payments.models import Payment
from tenant_db.payments.stepping import tell


@dataclass(frozen=True, slots=True)
class NewPayment:
    """What a shop asks to collect, on a channel or on a provider account."""

    channel_id: UUID | None
    amount: Money
    phone: Phone | None
    """Who is asked to pay; needed for mobile money only."""
    description: str
    provider_account_id: UUID | None = None
    """Used where `channel_id` is None."""
    method: Method = Method.MOBILE_MONEY
    capture: CaptureMode = CaptureMode.AUTOMATIC
    return_url: str | None = None
    store_id: UUID | None = None
    """Whose balance grows; None is the channel's own store."""
    order_reference: str | None = None
    order_id: UUID | None = None
    customer_name: str | None = None
    customer_email: str | None = None
    offers: Mapping[str, Offer] = field(default_factory=dict, compare=False)
    """What each provider collects by the catalog; one that is missing has its published limits."""
    routed_by_us: bool = False
    """Whether we chose where it goes, and may choose again."""
    id: UUID = field(default_factory=new_id)
    """Known before it is written, so that an idempotency key can stand for it."""


async def initiate_payment(session: TenantSession, new: NewPayment, now: datetime) -> Payment:
    """Write the payment in `created` with its first event, and the payer as a customer.

    The caller announces `submit_payment` and owns the transaction. The row comes back detached:
    read it, change nothing on it. While the transaction lasts, no other one can start an attempt
    for the same order reference.

    Raises:
        NotFound: no such channel, provider account or store.
        ChannelNotActive, AccountNotEnabled, StoreClosed: nothing may be collected there now.
        WrongCurrency, AmountNotWhole, AmountOutOfRange, MethodNotOffered: it can't be collected there.
        PhoneNotServed: the phone is no number of the provider's network.
        TextNotUsable: the description, the order reference, or the payer's
            name or e-mail address is empty or too long.
        InvalidInput: what this method needs is missing.
        OrderNotOpen, AmountNotDue: the order of this reference is not to be paid, or not with this.
        PaymentInProgress: another attempt for this order may still be paid.
        OrderAlreadyPaid: an attempt for this order has succeeded.
    """
    require_texts(new)
    order = None
    if new.order_reference is not None:
        await lock_order(session, new.order_reference)
        order = await order_to_pay(session, new.order_reference, new.amount, new.store_id, now)
    if order is not None:
        new = replace(new, order_id=order.id, store_id=order.store_id)
    place = await _place(session, new)
    require_open(place, new)
    if new.order_reference is not None:
        await _refuse_second_attempt(session, new.order_reference, order, now)
    return await _write(session, new, place, now)


def require_texts(new: NewPayment) -> None:
    """Raises TextNotUsable or InvalidInput."""
    rules.require_text("description", new.description, rules.DESCRIPTION_CHARACTERS_MAX)
    if new.customer_name is not None:
        rules.require_text("customerName", new.customer_name, rules.CUSTOMER_NAME_CHARACTERS_MAX)
    if new.customer_email is not None:
        rules.require_text("customerEmail", new.customer_email, rules.CUSTOMER_EMAIL_CHARACTERS_MAX)
    if new.order_reference is not None:
        rules.require_text("orderReference", new.order_reference, rules.ORDER_REFERENCE_CHARACTERS_MAX)
    if new.return_url is not None:
        rules.require_return_url(new.return_url)
    if new.phone is None and new.method is Method.MOBILE_MONEY:
        raise InvalidInput("phone", "Mobile money needs the payer's phone, such as +254700000001.")


async def _place(session: TenantSession, new: NewPayment) -> Place:
    """The channel, its account and the store, in one look-up."""
    if new.channel_id is None:
        return await place_of_account(session, new.provider_account_id, new.store_id, new.amount)
    rows = await session.execute(PLACE, {"channel": new.channel_id, "store": new.store_id})
    found = rows.one_or_none()
    if found is None:
        raise NotFound("channel")
    place = Place._make(found)
    if place.store_id is None:
        raise NotFound("store")
    return place


async def place_of_account(
    session: TenantSession, account_id: UUID | None, store_id: UUID | None, amount: Money
) -> Place:
    """Where a provider account collects.

    Raises:
        NotFound: no such provider account or store.
        InvalidInput: it has no store of its own, and none was named.
        WrongCurrency: it does not collect this currency.
    """
    rows = await session.execute(ACCOUNT_PLACE, {"account": account_id, "store": store_id})
    found = rows.one_or_none()
    if found is None:
        raise NotFound("provider account")
    *parts, currencies = found
    place = Place._make(parts)
    if place.store_id is None:
        if store_id is None:
            raise InvalidInput("storeId", "Say whose balance grows: this provider account has no store.")
        raise NotFound("store")
    if place.channel_id is not None:
        return place
    if amount.currency.value not in currencies:
        raise WrongCurrency(_first(currencies, amount.currency), amount.currency)
    return place._replace(currency=amount.currency)


def _first(currencies: Sequence[str], fallback: Currency) -> Currency:
    return Currency(currencies[0]) if currencies else fallback


def require_open(place: Place, new: NewPayment) -> None:
    """Refuse what can't be collected there now.

    Raises:
        ChannelNotActive, AccountNotEnabled, StoreClosed, WrongCurrency, AmountNotWhole, AmountOutOfRange,
        MethodNotOffered, PhoneNotServed.
    """
    if place.status != ChannelStatus.ACTIVE:
        raise ChannelNotActive(place.status)
    if not place.is_enabled:
        if place.channel_id is None:
            raise AccountNotEnabled
        raise ChannelNotActive("disabled with its provider account")
    if place.closed_at is not None:
        raise StoreClosed
    if new.amount.currency is not place.currency:
        raise WrongCurrency(place.currency, new.amount.currency)
    offer = new.offers.get(place.provider)
    rules.require_collectable(place.provider, new.amount, offer)
    rules.require_offered(place.provider, new.method, new.capture, offer)
    if new.phone is not None:
        rules.require_served(place.provider, new.phone)


async def _refuse_second_attempt(
    session: TenantSession, order_reference: str, order: Order | None, now: datetime
) -> None:
    rivals = []
    for rival in await attempts_in_the_way(session, order_reference, now):
        if rival.status != PaymentStatus.SUCCEEDED:
            rivals.append(rival)
        # An order that is open still has paid only a part.
        elif order is None or order.state is not OrderStatus.OPEN:
            raise OrderAlreadyPaid(outside(Kind.PAYMENT, rival.id))
    if rivals:
        raise PaymentInProgress(outside(Kind.PAYMENT, rivals[0].id))


async def attempts_in_the_way(
    session: TenantSession, order_reference: str, now: datetime
) -> Sequence[Row[UUID, str]]:
    """The attempts for an order that were paid, or may still be; each with its status, oldest first."""
    given = {"order": order_reference, "now": now, "unknown_since": now - rules.UNKNOWN_GUARD}
    return (await session.execute(_RIVALS, given)).all()


async def _write(session: TenantSession, new: NewPayment, place: Place, now: datetime) -> Payment:
    """Three rows in one statement: at hundreds of payments a second each round trip counts."""
    values = values_of(new, place, now)
    payment = Payment(**{name: values[name] for name in WRITTEN if name != "customer_id"})
    payment.customer_id = await session.scalar(WRITE if new.phone is not None else WRITE_UNNAMED, values)
    PAYMENTS.labels(payment.provider, payment.status).inc()
    tell(session, payment)
    return payment


def values_of(new: NewPayment, place: Place, now: datetime) -> dict[str, Any]:
    """What `WRITE` writes."""
    return {
        "id": new.id,
        "created_at": now,
        "store_id": place.store_id,
        "channel_id": place.channel_id,
        "provider_account_id": place.provider_account_id,
        "customer_id": None,
        "order_id": new.order_id,
        "provider": place.provider,
        "environment": place.environment,
        "short_code": place.short_code,
        "method": new.method.value,
        "capture_mode": new.capture.value,
        "amount_minor": new.amount.minor,
        "currency": new.amount.currency,
        "phone": None if new.phone is None else new.phone.e164,
        "email": new.customer_email,
        "return_url": new.return_url,
        "reference": rules.make_reference(),
        "order_reference": new.order_reference,
        "description": new.description,
        "status": PaymentStatus.CREATED.value,
        "version": 1,
        "needs_review": False,
        "polls": 0,
        "attempt": 1,
        "routed_by_us": new.routed_by_us,
        "tried_account_ids": [],
        "expires_at": now + rules.SEND_WINDOW,
        "event_id": new_id(),
        "new_customer_id": new_id(),
        "customer_name": new.customer_name,
        "customer_email": new.customer_email,
    }


_BLOCKS: ColumnElement[bool] = or_(
    # What the payer's bank has promised may be captured at any time, whatever the payer's window is.
    Payment.status.in_([PaymentStatus.SUCCEEDED, PaymentStatus.AUTHORIZED]),
    and_(
        Payment.status.in_([PaymentStatus.CREATED, PaymentStatus.SUBMITTING, PaymentStatus.PENDING]),
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
