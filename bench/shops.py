"""A shop with payments, as a tenant's database would hold them after some days."""

from datetime import timedelta
from uuid import UUID

import tenant_db.models  # noqa: F401 - completes the metadata
from core.clock import utc_now
from core.currency import Currency
from core.ids import new_id
from tenancy.sessions import TenantSession
from tenant_db.channels.machine import ChannelKind, ChannelStatus
from tenant_db.channels.models import Channel
from tenant_db.credentials.models import ProviderAccount
from tenant_db.payments.machine import PaymentStatus
from tenant_db.payments.models import Payment
from tenant_db.payments.rules import make_reference
from tenant_db.stores.models import Store

SHORT_CODE = "600999"


async def add_shop(session: TenantSession, payments_count: int) -> Channel:
    """A store, an active PayBill, and settled payments a minute apart; the caller commits."""
    store = Store(id=new_id(), name="Mama Njeri", code=new_id().hex[-8:], time_zone="Africa/Nairobi")
    account = ProviderAccount(
        id=new_id(),
        provider="mpesa",
        name="Our PayBill",
        environment="sandbox",
        currencies=["KES"],
        configuration={},
    )
    session.add_all([store, account])
    await session.flush()
    channel = Channel(
        id=new_id(),
        provider_account_id=account.id,
        store_id=store.id,
        name="Counter",
        kind=ChannelKind.PAYBILL.value,
        environment="sandbox",
        short_code=SHORT_CODE,
        status=ChannelStatus.ACTIVE.value,
    )
    session.add(channel)
    await session.flush()
    await add_payments(session, channel.id, payments_count)
    return channel


async def add_payments(session: TenantSession, channel_id: UUID, count: int) -> None:
    """Settled payments on a channel, a minute apart, the newest now; the caller commits."""
    channel = await session.get_one(Channel, channel_id)
    session.add_all(_payment(channel, number) for number in range(count))


def _payment(channel: Channel, number: int) -> Payment:
    at = utc_now() - timedelta(minutes=number)
    return Payment(
        id=new_id(),
        created_at=at,
        store_id=channel.store_id,
        channel_id=channel.id,
        provider_account_id=channel.provider_account_id,
        provider="mpesa",
        environment=channel.environment,
        short_code=channel.short_code,
        amount_minor=100 * (number + 1),
        currency=Currency.KES,
        phone=f"+2547{number % 100_000_000:08d}",
        reference=make_reference(),
        order_reference=f"order-{number}",
        description=f"Order {number}",
        status=PaymentStatus.SUCCEEDED.value,
        sub_status="stk_success",
        receipt=f"BNCH{number:06d}",
        expires_at=at + timedelta(minutes=2),
        submitted_at=at,
        settled_at=at,
    )
