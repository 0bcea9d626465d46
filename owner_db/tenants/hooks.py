"""Callback URLs: which tenant and channel the secret part of a path belongs to."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from owner_db.tenants.models import HookEndpoint
from tenancy.sessions import OwnerSession


async def register_endpoint(
    session: OwnerSession,
    tenant_id: UUID,
    token_hash: bytes,
    *,
    provider: str,
    purpose: str,
    channel_id: UUID | None,
) -> None:
    """Let callbacks in at `/hooks/{token}`. `token_hash` is the SHA-256 of the token's text in ASCII."""
    session.add(
        HookEndpoint(
            token_hash=token_hash,
            tenant_id=tenant_id,
            provider=provider,
            purpose=purpose,
            channel_id=channel_id,
        )
    )
    await session.flush()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Whom a callback URL belongs to, and what arrives there."""

    tenant_id: UUID
    provider: str
    purpose: str
    """`stk`, `c2b_confirmation` or `c2b_validation`."""
    channel_id: UUID | None


async def find_endpoint(session: OwnerSession, token_hash: bytes) -> Endpoint | None:
    """The endpoint whose token has this SHA-256; None where nobody was given it, or it was revoked."""
    found = await session.execute(
        select(
            HookEndpoint.tenant_id, HookEndpoint.provider, HookEndpoint.purpose, HookEndpoint.channel_id
        ).where(HookEndpoint.token_hash == token_hash, HookEndpoint.revoked_at.is_(None))
    )
    row = found.one_or_none()
    return None if row is None else Endpoint(row.tenant_id, row.provider, row.purpose, row.channel_id)
