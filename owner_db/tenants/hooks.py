"""Callback URLs: which tenant and channel the secret part of a path belongs to."""

from uuid import UUID

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
