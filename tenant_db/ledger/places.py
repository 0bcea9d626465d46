"""Places where money can be, by their TypeIDs: whose provider each of them is."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import select

from core.ids import Kind, outside, parse
from tenancy.sessions import TenantSession
from tenant_db.channels.models import Channel
from tenant_db.credentials.models import ProviderAccount


async def providers_of(session: TenantSession, places: Iterable[str]) -> dict[str, str]:
    """The catalog's code of each place's provider; places that are not known here are left out."""
    by_kind: dict[Kind, list[UUID]] = {}
    for place in places:
        kind, id_ = parse(place)
        by_kind.setdefault(kind, []).append(id_)
    channels = await session.execute(
        select(Channel.id, ProviderAccount.provider)
        .join(ProviderAccount, ProviderAccount.id == Channel.provider_account_id)
        .where(Channel.id.in_(by_kind.get(Kind.CHANNEL, [])))
    )
    accounts = await session.execute(
        select(ProviderAccount.id, ProviderAccount.provider).where(
            ProviderAccount.id.in_(by_kind.get(Kind.PROVIDER_ACCOUNT, []))
        )
    )
    return {outside(Kind.CHANNEL, id_): provider for id_, provider in channels} | {
        outside(Kind.PROVIDER_ACCOUNT, id_): provider for id_, provider in accounts
    }
