"""Writes a new payment; the provider is asked later, by a job."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple, cast
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Table, and_, bindparam, func, null, or_, select
from sqlalchemy.dialects.postgresql import insert

from core.currency import Currency
from core.errors import NotFound
from core.ids import Kind, new_id, outside
from core.money import Money
from core.phone import Phone
from tenancy.metrics import PAYMENTS
from tenancy.sessions import TenantSession
from tenant_db.channels.machine import ChannelStatus
from tenant_db.channels.models import Channel
from tenant_db.credentials.models import ProviderAccount
from tenant_db.customers.models import Customer
from tenant_db.payments import rules
from tenant_db.payments.errors import (
    ChannelNotActive,
    OrderAlreadyPaid,
    PaymentInProgress,
    StoreClosed,
    WrongCurrency,
)
from tenant_db.payments.locking import lock_order
from tenant_db.payments.machine import PaymentStatus
from tenant_db.payments.models import Payment, PaymentEvent
from tenant_db.payments.stepping import tell
from tenant_db.stores.models import Store


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


class Place(NamedTuple):
    """Where the money is to go, as one look-up finds it."""

    channel_id: UUID
    status: str
    currency: Currency
    environment: str
    short_code: str
    provider_account_id: UUID
    provider: str
    is_enabled: bool
    store_id: UUID | None
    closed_at: datetime | None


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
    rules.require_text("description", new.description, rules.DESCRIPTION_CHARACTERS_MAX)
    if new.customer_name is not None:
        rules.require_text("customerName", new.customer_name, rules.CUSTOMER_NAME_CHARACTERS_MAX)
    if new.customer_email is not None:
        rules.require_text("customerEmail", new.customer_email, rules.CUSTOMER_EMAIL_CHARACTERS_MAX)
    if new.order_reference is not None:
        rules.require_text("orderReference", new.order_reference, rules.ORDER_REFERENCE_CHARACTERS_MAX)
        await lock_order(session, new.order_reference)
    place = await _place(session, new)
    _require_open(place, new)
    if new.order_reference is not None:
        await _refuse_second_attempt(session, new.order_reference, now)
    return await _write(session, new, place, now)


async def _place(session: TenantSession, new: NewPayment) -> Place:
    """The channel, its account and the store, in one look-up."""
    rows = await session.execute(_PLACE, {"channel": new.channel_id, "store": new.store_id})
    found = rows.one_or_none()
    if found is None:
        raise NotFound("channel")
    place = Place._make(found)
    if place.store_id is None:
        raise NotFound("store")
    return place


def _require_open(place: Place, new: NewPayment) -> None:
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
    payment = _fresh(new, place, now)
    values = {name: getattr(payment, name) for name in _PAYMENT_COLUMNS if name != "customer_id"}
    values |= {
        "event_id": new_id(),
        "new_customer_id": new_id(),
        "customer_name": new.customer_name,
        "customer_email": new.customer_email,
    }
    payment.customer_id = await session.scalar(_WRITE, values)
    PAYMENTS.labels(payment.provider, payment.status).inc()
    tell(session, payment)
    return payment


def _fresh(new: NewPayment, place: Place, now: datetime) -> Payment:
    return Payment(
        id=new.id,
        created_at=now,
        store_id=place.store_id,
        channel_id=place.channel_id,
        provider_account_id=place.provider_account_id,
        customer_id=None,
        provider=place.provider,
        environment=place.environment,
        short_code=place.short_code,
        amount_minor=new.amount.minor,
        currency=new.amount.currency,
        phone=new.phone.e164,
        reference=rules.make_reference(),
        order_reference=new.order_reference,
        description=new.description,
        status=PaymentStatus.CREATED.value,
        sub_status=None,
        failure_code=None,
        failure_message=None,
        version=1,
        item_hash=None,
        provider_reference=None,
        request_reference=None,
        receipt=None,
        needs_review=False,
        review_note=None,
        polls=0,
        expires_at=now + rules.SEND_WINDOW,
        submitted_at=None,
        settled_at=None,
    )


_ACCOUNTS: Final = cast("Table", ProviderAccount.__table__)
_CHANNELS: Final = cast("Table", Channel.__table__)
_CUSTOMERS: Final = cast("Table", Customer.__table__)
_PAYMENTS: Final = cast("Table", Payment.__table__)
_EVENTS: Final = cast("Table", PaymentEvent.__table__)
_STORES: Final = cast("Table", Store.__table__)

# Columns of tables, not of models: every payment asks this, and the ORM has nothing to add to it.
_PLACE: Final = (
    select(
        _CHANNELS.c.id.label("channel_id"),
        _CHANNELS.c.status,
        _CHANNELS.c.currency,
        _CHANNELS.c.environment,
        _CHANNELS.c.short_code,
        _ACCOUNTS.c.id.label("provider_account_id"),
        _ACCOUNTS.c.provider,
        _ACCOUNTS.c.is_enabled,
        _STORES.c.id.label("store_id"),
        _STORES.c.closed_at,
    )
    .join(_ACCOUNTS, _ACCOUNTS.c.id == _CHANNELS.c.provider_account_id)
    # Outer, so that a store that is missing can be told from a channel that is.
    .outerjoin(
        _STORES,
        _STORES.c.id == func.coalesce(bindparam("store", type_=_STORES.c.id.type), _CHANNELS.c.store_id),
    )
    .where(_CHANNELS.c.id == bindparam("channel"))
)

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


def _write_statement() -> Select[tuple[UUID]]:
    new_customer = insert(_CUSTOMERS).values(
        id=bindparam("new_customer_id"),
        created_at=bindparam("created_at"),
        phone=bindparam("phone"),
        name=bindparam("customer_name"),
        email=bindparam("customer_email"),
    )
    told = new_customer.excluded
    payer = (
        new_customer.on_conflict_do_update(
            index_elements=["phone"],
            set_={
                "name": func.coalesce(told.name, _CUSTOMERS.c.name),
                "email": func.coalesce(told.email, _CUSTOMERS.c.email),
            },
        )
        .returning(_CUSTOMERS.c.id)
        .cte("payer")
    )
    columns: dict[str, Any] = {name: bindparam(name) for name in _PAYMENT_COLUMNS}
    columns["customer_id"] = select(payer.c.id).scalar_subquery()
    payment = insert(_PAYMENTS).values(columns).cte("payment")
    event = (
        insert(_EVENTS)
        .values(
            id=bindparam("event_id"),
            created_at=bindparam("created_at"),
            payment_id=bindparam("id"),
            version=bindparam("version"),
            from_status=null(),
            to_status=bindparam("status"),
            sub_status=null(),
            cause=rules.Cause.API.value,
            details={},
        )
        .cte("event")
    )
    return select(payer.c.id).add_cte(payment, event)


_PAYMENT_COLUMNS: Final = tuple(column.name for column in _PAYMENTS.columns)
_WRITE: Final = _write_statement()
