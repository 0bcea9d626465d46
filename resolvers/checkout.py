"""The page where an order is paid, for whoever holds a link to it: what it shows, and paying."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import func, select

from core.collecting import CaptureMode, Method
from core.errors import InvalidInput
from core.ids import Kind, new_id, outside
from core.money import Money
from core.phone import Phone
from resolvers.checkout_facts import facts_of
from resolvers.idempotency import run_once
from resolvers.orders import newest_payments
from resolvers.prompts import spare_the_phone
from tenancy.acts import Act, Job, record_act
from tenancy.audit import Actor
from tenancy.checkout_tokens import CheckoutToken
from tenancy.context import PAYER, Principal, TenantContext
from tenancy.idempotency import Once
from tenancy.limits import Window
from tenancy.sessions import TenantSession
from tenant_db.channels.machine import ChannelKind, UrlsState
from tenant_db.channels.models import Channel
from tenant_db.orders.errors import MethodNotAvailable
from tenant_db.orders.linking import linked_order
from tenant_db.orders.machine import OPEN, OrderStatus
from tenant_db.orders.models import Order, OrderItem
from tenant_db.orders.rules import require_email
from tenant_db.orders.wording import Way, way
from tenant_db.payments import initiating
from tenant_db.payments.initiating import NewPayment, attempts_in_the_way
from tenant_db.payments.machine import SUCCEEDED
from tenant_db.payments.models import Payment
from tenant_db.payments.rerouting import needs
from tenant_db.routing.choosing import Candidate, Wanted, candidates, decide
from tenant_db.stores.models import Store

TRIES_PER_ORDER_MAX: Final = 20
"""In TRIES_WINDOW_S; a phone is spared sooner."""
TRIES_PER_ADDRESS_MAX: Final = 60
TRIES_WINDOW_S: Final = 3_600
SHOWN_MAX: Final = 20
"""Attempts looked at for the one that is shown."""
TYPED_CHARACTERS_MAX: Final = 20
"""An account that is typed on a phone: M-Pesa takes no more."""


@dataclass(frozen=True, slots=True)
class ByHand:
    """How to pay from the phone's own menu, without being asked."""

    short_code: str
    account: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Checkout:
    """An order as its payer sees it."""

    business: str
    store: str
    order: Order
    items: Sequence[OrderItem]
    ways: Sequence[Way]
    """Empty where nothing can be begun now."""
    by_hand: ByHand | None
    attempt: Payment | None
    """The one that paid it, else the newest."""
    is_waiting: bool
    """An attempt may still be paid, so no other one can begin."""
    version: int
    """Grows with every change of the order and its payments."""
    now: datetime

    @property
    def status(self) -> OrderStatus:
        """As it is at this moment: the job that writes an expiry down may come some seconds later."""
        order = self.order
        is_over = order.state is OPEN and self.now >= order.expires_at and not self.is_waiting
        return OrderStatus.EXPIRED if is_over else order.state


@dataclass(frozen=True, slots=True)
class WantedWay:
    """How a payer wants to pay."""

    method: Method
    phone: Phone | None
    email: str | None


class _Standing(NamedTuple):
    order: Order
    payments: Sequence[Payment]
    version: int
    is_waiting: bool


async def checkout(context: TenantContext) -> Checkout:
    """The order of the caller's link as it is now.

    Raises:
        NotSignedIn: the caller holds no link, or one that was revoked.
        NotFound: the order is gone.
    """
    tenant, payer = context.paying()
    facts, now = await facts_of(context.services, tenant.id), context.services.clock()
    async with tenant.reading() as session:
        standing = await _standing(session, payer, now)
        order = standing.order
        lines = select(OrderItem).where(OrderItem.order_id == order.id).order_by(OrderItem.position)
        items = (await session.scalars(lines)).all()
        store = await session.get_one(Store, order.store_id)
        choices = await _choices(context, session, standing, now)
        by_hand = await _by_hand(session, order, choices)
    return Checkout(
        business=facts.business,
        store=store.name,
        order=order,
        items=items,
        ways=[
            way(method, chosen.provider, facts.offers[chosen.provider].name)
            for method, chosen in choices.items()
        ],
        by_hand=by_hand,
        attempt=_shown(standing.payments),
        is_waiting=standing.is_waiting,
        version=standing.version,
        now=now,
    )


async def pay_checkout(context: TenantContext, wanted: WantedWay, key: str) -> Checkout:
    """Begin to pay what is due, on the account that routing chooses. The same key begins one attempt.

    Raises:
        NotSignedIn: the caller holds no link, or one that was revoked.
        InvalidInput: the phone or the e-mail address that this way needs is missing or none.
        MethodNotAvailable: nobody collects this order like that now.
        RateLimited: this order, address or phone was tried too often.
        What `initiating.initiate_payment` and `run_once` raise.
    """
    tenant, payer = context.paying()
    _require_given(wanted)
    asked = _asked(payer.id, wanted, key)
    now = context.services.clock()
    new = await _new_payment(context, wanted, asked, now)

    async def effect(session: TenantSession) -> None:
        await initiating.initiate_payment(session, new, now)
        # Counted once nothing else can refuse it; a refusal here undoes the rest.
        await _spare(context, new, asked)
        act = Act(_actor(context), "pay_checkout", outside(Kind.PAYMENT, new.id))
        await record_act(session, act, Job("submit_payment", "payments", {"payment_id": str(new.id)}))

    async def reload(_session: TenantSession, _ids: Mapping[str, UUID]) -> None:
        """The page is read again anyway."""

    await run_once(tenant.transaction, asked, effect, reload)
    return await checkout(context)


async def _new_payment(context: TenantContext, wanted: WantedWay, asked: Once, now: datetime) -> NewPayment:
    tenant, payer = context.paying()
    facts = await facts_of(context.services, tenant.id)
    async with tenant.reading() as session:
        order = await linked_order(session, payer.id, payer.link)
        found = await _chosen(context, session, order, [wanted.method])
    if wanted.method not in found:
        raise MethodNotAvailable
    chosen = found[wanted.method]
    token = CheckoutToken.written(tenant.id, order.id, payer.expires_at or now, order.link_key)
    return NewPayment(
        id=asked.ids["payment"],
        channel_id=None if chosen.channel is None else chosen.channel.id,
        provider_account_id=chosen.account_id,
        amount=order.sums.due,
        phone=wanted.phone,
        method=wanted.method,
        description=order.description,
        return_url=f"{context.services.policy.public_url}/pay/{token}",
        order_reference=order.reference,
        customer_name=order.customer_name,
        customer_email=wanted.email or order.customer_email,
        offers=facts.offers,
        routed_by_us=True,
    )


async def _standing(session: TenantSession, payer: Principal, now: datetime) -> _Standing:
    order = await linked_order(session, payer.id, payer.link)
    payments = await newest_payments(session, [order.reference], SHOWN_MAX)
    versions = select(func.sum(Payment.version)).where(Payment.order_reference == order.reference)
    in_the_way = await attempts_in_the_way(session, order.reference, now)
    return _Standing(
        order,
        payments,
        order.version + int(await session.scalar(versions) or 0),
        any(attempt.status != SUCCEEDED for attempt in in_the_way),
    )


def _shown(payments: Sequence[Payment]) -> Payment | None:
    paid = [payment for payment in payments if payment.state is SUCCEEDED]
    return next(iter([*paid, *payments]), None)


async def _choices(
    context: TenantContext, session: TenantSession, standing: _Standing, now: datetime
) -> Mapping[Method, Candidate]:
    """Who would collect the order in each way there is; nothing where no attempt can begin."""
    order = standing.order
    if order.state is not OPEN or now >= order.expires_at or standing.is_waiting:
        return {}
    return await _chosen(context, session, order, list(Method))


async def _chosen(
    context: TenantContext, session: TenantSession, order: Order, methods: Sequence[Method]
) -> Mapping[Method, Candidate]:
    """Who would collect what is due, in each of these ways; a way that nobody collects is left out."""
    offers = (await facts_of(context.services, session.tenant_id)).offers
    found = await candidates(session)
    open_ones = await context.services.circuits.open_ones(
        session.tenant_id, [candidate.account_id for candidate in found]
    )
    chosen = {method: decide(_wanted(order, method), found, offers, open_ones).chosen for method in methods}
    return {method: candidate for method, candidate in chosen.items() if candidate is not None}


def _wanted(order: Order, method: Method) -> Wanted:
    return Wanted(order.sums.due, method, order.store_id, needs=needs(CaptureMode.AUTOMATIC))


async def _by_hand(
    session: TenantSession, order: Order, choices: Mapping[Method, Candidate]
) -> ByHand | None:
    """Where M-Pesa tells us of money that nobody was asked for, the payer may pay from the phone's menu."""
    chosen = choices.get(Method.MOBILE_MONEY)
    if chosen is None or chosen.channel is None or len(order.reference) > TYPED_CHARACTERS_MAX:
        return None
    channel = await session.get_one(Channel, chosen.channel.id)
    if channel.kind != ChannelKind.PAYBILL or channel.urls_state != UrlsState.REGISTERED:
        return None
    return ByHand(channel.short_code, order.reference, order.sums.due)


def _require_given(wanted: WantedWay) -> None:
    if wanted.method is Method.MOBILE_MONEY:
        if wanted.phone is None:
            raise InvalidInput("phone", "Type the phone that is to pay, such as 0700 000 001.")
        return
    if wanted.email is None:
        raise InvalidInput("email", "Type your e-mail address: the receipt goes there.")
    require_email(wanted.email)


def _asked(order_id: UUID, wanted: WantedWay, key: str) -> Once:
    """The key is the payer's own, so it counts within the order alone."""
    return Once(
        operation="pay_checkout",
        key=f"{order_id.hex}:{key}",
        actor=f"{PAYER}:{order_id}",
        input={
            "method": wanted.method.value,
            "phone": None if wanted.phone is None else wanted.phone.e164,
            "email": wanted.email,
        },
        ids={"payment": new_id()},
    )


async def _spare(context: TenantContext, new: NewPayment, asked: Once) -> None:
    """Raises RateLimited."""
    tenant, payer = context.paying()
    await context.services.limits.hit_all(
        Window("pay_order", str(payer.id), TRIES_PER_ORDER_MAX, TRIES_WINDOW_S, tenant_id=tenant.id),
        Window("pay_address", context.request.network, TRIES_PER_ADDRESS_MAX, TRIES_WINDOW_S),
        act=f"{tenant.id}:{asked.operation}:{asked.key}",
    )
    await spare_the_phone(context.services, tenant.id, new, asked)


def _actor(context: TenantContext) -> Actor:
    _, payer = context.paying()
    request = context.request
    return Actor(PAYER, payer.id, request.ip, request.user_agent, request.id)
