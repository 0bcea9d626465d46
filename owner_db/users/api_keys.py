"""API keys of a tenant."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from core.errors import InvalidInput, NotFound
from core.ids import new_id
from owner_db.users.errors import ScopeTooWide
from owner_db.users.models import ApiKey
from tenancy.roles import Scope
from tenancy.sessions import OwnerSession
from tenancy.tokens import NewApiKey, new_api_key


async def create_api_key(
    session: OwnerSession,
    *,
    tenant_id: UUID,
    name: str,
    scopes: Collection[Scope],
    granter_scopes: Collection[Scope],
    created_by: UUID,
    environment: str,
    expires_at: datetime | None,
) -> tuple[ApiKey, NewApiKey]:
    """Add a key; its text is in the second value, once.

    Raises:
        InvalidInput: no name or no scope.
        ScopeTooWide: the granter lacks one of the scopes.
    """
    if not 1 <= len(name.strip()) <= 100:  # noqa: PLR2004 - what a list shows on one line
        raise InvalidInput("name", "Give the key a name of 1 to 100 characters.")
    if not scopes:
        raise InvalidInput("scopes", "Name at least one scope.")
    for scope in sorted(scopes):
        if scope not in granter_scopes:
            raise ScopeTooWide(scope)
    secret = new_api_key(environment, new_id())
    key = ApiKey(
        id=secret.id,
        tenant_id=tenant_id,
        name=name.strip(),
        secret_hash=secret.secret_hash,
        hint=secret.hint,
        scopes=sorted(scope.value for scope in scopes),
        created_by=created_by,
        expires_at=expires_at,
    )
    session.add(key)
    await session.flush()
    return key, secret


async def revoke_api_key(session: OwnerSession, key_id: UUID, tenant_id: UUID, now: datetime) -> ApiKey:
    """End a key, and the keys that it made. Raises NotFound where this tenant has no such key."""
    key = await session.get(ApiKey, key_id, with_for_update=True)
    if key is None or key.tenant_id != tenant_id:
        raise NotFound("API key")
    key.revoked_at = key.revoked_at or now
    await revoke_keys_of(session, key.id, tenant_id, now)
    return key


async def revoke_keys_of(
    session: OwnerSession, maker: UUID, tenant_id: UUID, now: datetime, keep: Collection[Scope] = ()
) -> None:
    """End the keys that a member or a key made, and those made by them; not what stays within `keep`."""
    found = await session.scalars(
        select(ApiKey)
        .where(ApiKey.tenant_id == tenant_id, ApiKey.created_by == maker, ApiKey.revoked_at.is_(None))
        .with_for_update()
    )
    for key in found.all():
        if not set(key.scopes) <= set(keep):
            key.revoked_at = now
            await revoke_keys_of(session, key.id, tenant_id, now)
