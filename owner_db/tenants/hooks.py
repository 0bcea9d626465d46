"""Callback URLs: which tenant, channel or provider account the secret part of a path belongs to."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update

from owner_db.tenants.models import HookEndpoint
from tenancy.sessions import OwnerSession


async def register_endpoint(
    session: OwnerSession,
    tenant_id: UUID,
    token_hash: bytes,
    *,
    provider: str,
    purpose: str,
    channel_id: UUID | None = None,
    provider_account_id: UUID | None = None,
) -> None:
    """Let callbacks in at `/hooks/{token}`. `token_hash` is the SHA-256 of the token's text in ASCII."""
    session.add(
        HookEndpoint(
            token_hash=token_hash,
            tenant_id=tenant_id,
            provider=provider,
            purpose=purpose,
            channel_id=channel_id,
            provider_account_id=provider_account_id,
        )
    )
    await session.flush()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Whom a callback URL belongs to, and what arrives there."""

    tenant_id: UUID
    provider: str
    purpose: str
    """`stk`, `c2b_confirmation` or `c2b_validation` of a channel; `webhook` of a provider account."""
    channel_id: UUID | None
    provider_account_id: UUID | None = None


async def find_endpoint(session: OwnerSession, token_hash: bytes) -> Endpoint | None:
    """The endpoint whose token has this SHA-256; None where nobody was given it, or it was revoked."""
    found = await session.execute(
        select(
            HookEndpoint.tenant_id,
            HookEndpoint.provider,
            HookEndpoint.purpose,
            HookEndpoint.channel_id,
            HookEndpoint.provider_account_id,
        ).where(HookEndpoint.token_hash == token_hash, HookEndpoint.revoked_at.is_(None))
    )
    row = found.one_or_none()
    return None if row is None else Endpoint(*row)


async def revoke_endpoints(
    session: OwnerSession, tenant_id: UUID, provider_account_ids: Collection[UUID], now: datetime
) -> None:
    """Let nothing more in for provider accounts that are gone."""
    await session.execute(
        update(HookEndpoint)
        .where(
            HookEndpoint.tenant_id == tenant_id,
            HookEndpoint.provider_account_id.in_(provider_account_ids),
            HookEndpoint.revoked_at.is_(None),
        )
        .values(revoked_at=now)
        .execution_options(synchronize_session=False)
    )
