"""Chooses the provider account that collects a payment."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final
from uuid import UUID

from sqlalchemy import exists, select

from core.currency import Currency
from core.offers import Offer
from tenancy.sessions import TenantSession
from tenant_db.channels.machine import ChannelStatus, Environment
from tenant_db.channels.models import Channel
from tenant_db.credentials.models import ProviderAccount
from tenant_db.payments.machine import SUCCEEDED
from tenant_db.payments.models import Payment
from tenant_db.routing.rules import Candidate, Choice, Considered, OfChannel, RoutingReason, Wanted, decide

__all__ = ["Candidate", "Choice", "Considered", "RoutingReason", "Wanted", "candidates", "choose", "decide"]

CANDIDATES_MAX: Final = 1_000
"""Accounts looked at for one payment: the default and those with the best priority first."""


async def choose(
    session: TenantSession, wanted: Wanted, offers: Mapping[str, Offer], open_circuits: AbstractSet[UUID]
) -> Choice:
    """Choose among all accounts of the tenant; locks nothing and changes nothing.

    `offers` is by the provider's code. Whoever sends to the chosen account asks `Circuits.allow` right
    before, and where that is refused chooses again with the account excluded.
    """
    return decide(wanted, await candidates(session), offers, open_circuits)


async def candidates(session: TenantSession) -> Sequence[Candidate]:
    """Every provider account of the tenant, with the channel it belongs to."""
    rows = await session.execute(_CANDIDATES)
    return [_candidate(*row) for row in rows]


def _candidate(account: ProviderAccount, channel: Channel | None, has_collected: bool) -> Candidate:  # noqa: FBT001 - a column
    return Candidate(
        account_id=account.id,
        provider=account.provider,
        name=account.name,
        is_production=account.environment == Environment.PRODUCTION,
        is_enabled=account.is_enabled,
        is_default=account.is_default,
        priority=account.priority,
        currencies=frozenset(currency for currency in Currency if currency in account.currencies),
        created_at=account.created_at,
        channel=None if channel is None else _of_channel(channel),
        has_collected=has_collected,
    )


def _of_channel(channel: Channel) -> OfChannel:
    is_active = channel.status == ChannelStatus.ACTIVE
    return OfChannel(channel.id, channel.store_id, is_active=is_active, is_primary=channel.is_primary)


_CANDIDATES: Final = (
    select(
        ProviderAccount,
        Channel,
        exists().where(Payment.provider_account_id == ProviderAccount.id, Payment.status == SUCCEEDED),
    )
    .outerjoin(Channel, Channel.provider_account_id == ProviderAccount.id)
    .order_by(
        ProviderAccount.is_default.desc(),
        ProviderAccount.is_enabled.desc(),
        ProviderAccount.priority,
        ProviderAccount.id,
    )
    .limit(CANDIDATES_MAX)
)
