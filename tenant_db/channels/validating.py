"""Whether a payment by hand is welcome, asked before the money moves; nothing is written.

Source: M-Pesa Daraja, section 3, validation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from uuid import UUID

from sqlalchemy import exists, select

from core.money import Money
from tenancy.sessions import TenantSession
from tenant_db.channels.machine import ChannelKind, ChannelStatus
from tenant_db.channels.mapping import best_fit
from tenant_db.channels.models import Channel, ChannelAccount
from tenant_db.orders.matching import open_order_by_reference
from tenant_db.payments.models import Payment
from tenant_db.stores.models import Store

TURNED_AWAY = (ChannelStatus.SUSPENDED, ChannelStatus.INACTIVE)
"""A channel whose new keys are not proven yet still takes what is paid by hand."""


class Unwelcome(Enum):
    """Why a payment by hand is turned away."""

    ACCOUNT = auto()
    AMOUNT = auto()
    SHORT_CODE = auto()
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class ByHand:
    """What a payer is about to pay."""

    short_code: str
    account: str
    """What the payer typed; empty for a till."""
    amount: Money


@dataclass(frozen=True, slots=True)
class Rules:
    """What a channel takes, as it stood a moment ago."""

    channel: Channel
    accounts: Sequence[ChannelAccount]
    closed_stores: frozenset[UUID]

    def judge(self, asked: ByHand) -> Unwelcome | None:
        """Why it is turned away by what is known here; None where nothing speaks against it.

        An account that nothing fits may still be a reference of ours: see `names_something`.
        """
        channel = self.channel
        if asked.short_code not in channel.numbers or channel.status in TURNED_AWAY:
            return Unwelcome.SHORT_CODE
        if channel.least_minor is not None and asked.amount.minor < channel.least_minor:
            return Unwelcome.AMOUNT
        if channel.most_minor is not None and asked.amount.minor > channel.most_minor:
            return Unwelcome.AMOUNT
        entry = best_fit(self.accounts, asked.account)
        store_id = channel.store_id if entry is None else entry.store_id
        if store_id in self.closed_stores:
            return Unwelcome.OTHER
        return Unwelcome.ACCOUNT if entry is None and self._wants_accounts else None

    @property
    def _wants_accounts(self) -> bool:
        return self.channel.refuses_unknown_accounts and self.channel.kind == ChannelKind.PAYBILL


async def rules_of(session: TenantSession, channel_id: UUID) -> Rules | None:
    """The rules of a channel; None where it was never written."""
    channel = await session.get(Channel, channel_id)
    if channel is None:
        return None
    accounts = (
        await session.scalars(select(ChannelAccount).where(ChannelAccount.channel_id == channel_id))
    ).all()
    stores = {channel.store_id, *(entry.store_id for entry in accounts)}
    closed = await session.scalars(select(Store.id).where(Store.id.in_(stores), Store.closed_at.is_not(None)))
    return Rules(channel, accounts, frozenset(closed.all()))


async def names_something(session: TenantSession, channel_id: UUID, asked: ByHand) -> bool:
    """Whether an account is the reference of a payment of the channel, or of an open order."""
    typed = asked.account.strip().upper()
    if not typed:
        return False
    payment = exists().where(Payment.channel_id == channel_id, Payment.reference == typed)
    if await session.scalar(select(payment)):
        return True
    return await open_order_by_reference(session, typed, asked.amount) is not None
