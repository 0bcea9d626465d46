"""Makes a payment of money that came in without our asking: paid by hand, to an account we know."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from core.ids import new_id
from core.money import Money
from tenancy.sessions import TenantSession
from tenant_db.channels.machine import ChannelKind
from tenant_db.channels.mapping import accounts_of, best_fit
from tenant_db.channels.models import Channel
from tenant_db.orders.matching import order_typed
from tenant_db.payments.ending import succeed
from tenant_db.payments.models import Payment, PaymentEvent
from tenant_db.payments.rules import MPESA, Cause, make_reference
from tenant_db.payments.stepping import tell

BY_HAND: Final = "c2b_received"
"""The sub-status of a payment that nobody was prompted for."""
DESCRIPTION: Final = "Paid by hand"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose money it is."""

    store_id: UUID
    description: str
    order_reference: str | None = None


async def owner_of(session: TenantSession, channel: Channel, account: str, amount: Money) -> Owner | None:
    """Whose money was typed to an account of a channel; None where nobody can say.

    An order of that reference first, wherever it stands: what it does not wait for shows as overpaid.
    Then the channel's account mapping. What is paid to a till, where nothing is typed, is its store's.
    """
    order = await order_typed(session, account)
    if order is not None and order.currency is amount.currency:
        return Owner(order.store_id, f"{DESCRIPTION} for {order.reference}"[:100], order.reference)
    entry = best_fit(await accounts_of(session, channel.id), account)
    if entry is not None:
        label = entry.label or account.strip() or DESCRIPTION
        return Owner(entry.store_id, f"{DESCRIPTION}: {label}"[:100])
    if channel.kind != ChannelKind.PAYBILL and not account.strip():
        return Owner(channel.store_id, DESCRIPTION)
    return None


async def receive(
    session: TenantSession, channel: Channel, owner: Owner, now: datetime, *, receipt: str, amount: Money
) -> Payment:
    """Write a payment of its own, settled and credited, under the receipt's lock.

    The receipt must be free. The payer's number is told masked at best, so the payment has none.
    """
    payment = _payment(channel, owner, amount, now)
    session.add(payment)
    await session.flush()
    session.add(
        PaymentEvent(
            payment_id=payment.id,
            version=1,
            from_status=None,
            to_status=payment.status,
            sub_status=None,
            cause=Cause.CONFIRMATION.value,
            details={"receipt": receipt},
        )
    )
    tell(session, payment)
    await succeed(session, payment, receipt, Cause.CONFIRMATION, now)
    payment.sub_status = BY_HAND
    await session.flush()
    return payment


def _payment(channel: Channel, owner: Owner, amount: Money, now: datetime) -> Payment:
    return Payment(
        id=new_id(),
        created_at=now,
        store_id=owner.store_id,
        channel_id=channel.id,
        provider_account_id=channel.provider_account_id,
        provider=MPESA,
        environment=channel.environment,
        short_code=channel.short_code,
        amount_minor=amount.minor,
        currency=amount.currency,
        phone=None,
        reference=make_reference(),
        order_reference=owner.order_reference,
        description=owner.description,
        status="created",
        version=1,
        expires_at=now,
        submitted_at=now,
    )
