"""Payments at any point of their life, on a channel that collects, and the books they leave."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID

from sqlalchemy import select

from core.clock import utc_now
from core.currency import Currency
from core.ids import Kind, new_id, outside
from core.money import Money
from core.phone import Phone
from tenancy.sessions import Tenant
from tenant_db.channels.machine import ChannelKind, ChannelStatus
from tenant_db.channels.models import Channel
from tenant_db.credentials.models import ProviderAccount
from tenant_db.ledger.models import LedgerAccount
from tenant_db.payments import submitting
from tenant_db.payments.initiating import NewPayment, initiate_payment
from tenant_db.payments.models import Confirmation, Payment, PaymentEvent
from tenant_db.stores.models import Store

PHONE: Final = Phone("+254700000001")
AMOUNT: Final = Money(150_000, Currency.KES)
TOKEN: Final = b"the secret part of a callback's address"


@dataclass(frozen=True, slots=True)
class Shop:
    """A store with one channel."""

    store_id: UUID
    channel_id: UUID
    provider_account_id: UUID
    short_code: str


async def make_shop(
    tenant: Tenant,
    *,
    kind: ChannelKind = ChannelKind.PAYBILL,
    status: ChannelStatus = ChannelStatus.ACTIVE,
    short_code: str = "174379",
    head_office_code: str | None = None,
) -> Shop:
    store = Store(id=new_id(), name="Mama Njeri", code=new_id().hex, time_zone="Africa/Nairobi")
    account = ProviderAccount(
        id=new_id(),
        provider="mpesa",
        name="Our PayBill",
        environment="sandbox",
        currencies=["KES"],
        configuration={},
    )
    channel = Channel(
        id=new_id(),
        provider_account_id=account.id,
        store_id=store.id,
        name="Counter",
        kind=kind.value,
        environment="sandbox",
        short_code=short_code,
        head_office_code=head_office_code,
        status=status.value,
    )
    async with tenant.transaction() as session:
        session.add_all([store, account])
        await session.flush()
        session.add(channel)
    return Shop(store.id, channel.id, account.id, short_code)


def new_payment(shop: Shop, **changes: object) -> NewPayment:
    """An ordinary order, but for what the test is about."""
    values: dict[str, object] = {
        "channel_id": shop.channel_id,
        "amount": AMOUNT,
        "phone": PHONE,
        "description": "Order 1042",
        **changes,
    }
    return NewPayment(**values)  # type: ignore[arg-type]  # the names are checked when it is made


async def initiate(tenant: Tenant, shop: Shop, *, now: datetime | None = None, **changes: object) -> Payment:
    async with tenant.transaction() as session:
        return await initiate_payment(session, new_payment(shop, **changes), now or utc_now())


async def submit(tenant: Tenant, payment: Payment, *, now: datetime | None = None) -> bytes:
    """Claim it as a job does, right before the call; returns the hash of its callback's address."""
    item_hash = sha256(TOKEN + payment.id.bytes).digest()
    async with tenant.transaction() as session:
        claimed = await submitting.claim(session, payment.id, item_hash, now or utc_now())
    assert isinstance(claimed, submitting.Claim)
    return item_hash


async def pend(
    tenant: Tenant, shop: Shop, *, now: datetime | None = None, **changes: object
) -> tuple[Payment, bytes]:
    """A payment whose prompt was accepted, and the hash of its callback's address."""
    payment = await initiate(tenant, shop, now=now, **changes)
    item_hash = await submit(tenant, payment, now=now)
    async with tenant.transaction() as session:
        await submitting.confirm(session, payment.id, checkout_id(payment), "1111-aaaa-0001")
    return await read(tenant, payment.id), item_hash


def checkout_id(payment: Payment) -> str:
    return f"ws_CO_{payment.id.hex}"


async def read(tenant: Tenant, payment_id: UUID) -> Payment:
    async with tenant.reading() as session:
        return await session.get_one(Payment, payment_id)


async def events_of(tenant: Tenant, payment_id: UUID) -> list[PaymentEvent]:
    async with tenant.reading() as session:
        found = await session.scalars(
            select(PaymentEvent).where(PaymentEvent.payment_id == payment_id).order_by(PaymentEvent.version)
        )
        return list(found)


async def confirmations(tenant: Tenant) -> list[Confirmation]:
    async with tenant.reading() as session:
        return list(await session.scalars(select(Confirmation).order_by(Confirmation.id)))


@dataclass(frozen=True, slots=True)
class Books:
    """The balances of one channel, in minor units."""

    holding: int
    store: int
    suspense: int


async def books(tenant: Tenant, shop: Shop) -> Books:
    place = outside(Kind.CHANNEL, shop.channel_id)
    store = outside(Kind.STORE, shop.store_id)
    async with tenant.reading() as session:
        found = await session.scalars(select(LedgerAccount))
        balances: Counter[str] = Counter()
        for account in found:
            # A split account has a row for each shard.
            balances[account.code] += _balance(account)
    return Books(
        balances[f"holding:{place}"],
        balances[f"store:{store}:available:{place}"],
        balances[f"suspense:{place}"],
    )


def _balance(account: LedgerAccount) -> int:
    net = account.posted_credits_minor - account.posted_debits_minor
    return net if account.normal_side == "credit" else -net


LATER: Final = timedelta(minutes=10)
"""Past every window."""
