"""API keys of a business."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from core.ids import Kind, outside
from owner_db.users import api_keys
from owner_db.users.granting import scopes_now, take_turn
from owner_db.users.models import ApiKey
from resolvers.reasons import required_reason
from tenancy.audit import acting, record_audit
from tenancy.context import TenantContext
from tenancy.roles import Scope

LISTED_MAX = 500


async def list_api_keys(context: TenantContext) -> Sequence[ApiKey]:
    """The newest first, revoked ones too. Needs keys:read."""
    context.require(Scope.KEYS_READ)
    async with context.services.owner.reading() as session:
        found = await session.scalars(
            select(ApiKey)
            .where(ApiKey.tenant_id == context.tenant.id)
            .order_by(ApiKey.id.desc())
            .limit(LISTED_MAX)
        )
        return found.all()


async def create_api_key(
    context: TenantContext, name: str, scopes: Collection[Scope], expires_at: datetime | None
) -> tuple[ApiKey, str]:
    """Make a key; its text is the second value, shown this once. Needs keys:write.

    Raises:
        InvalidInput: no name or no scope.
        ScopeTooWide: the caller lacks one of the scopes.
    """
    principal = context.require(Scope.KEYS_WRITE)
    services = context.services
    async with services.owner.transaction() as session:
        key, secret = await api_keys.create_api_key(
            session,
            tenant_id=context.tenant.id,
            name=name,
            scopes=scopes,
            granter_scopes=await scopes_now(session, principal),
            created_by=principal.id,
            environment=services.policy.environment,
            expires_at=expires_at,
        )
        record_audit(
            session,
            acting(context),
            "create_api_key",
            subject=outside(Kind.API_KEY, key.id),
            details={"tenant": outside(Kind.TENANT, context.tenant.id), "scopes": key.scopes},
        )
    return key, secret.text


async def revoke_api_key(context: TenantContext, key_id: UUID, reason: str) -> ApiKey:
    """End a key and those it made; requests and sockets that use them stop within 10 s. Needs keys:write.

    Raises:
        NotFound: this business has no such key.
    """
    context.require(Scope.KEYS_WRITE)
    services = context.services
    async with services.owner.transaction() as session:
        # One that it makes at this moment would outlive it.
        await take_turn(session, context.tenant.id)
        key = await api_keys.revoke_api_key(session, key_id, context.tenant.id, services.clock())
        record_audit(
            session,
            acting(context),
            "revoke_api_key",
            subject=outside(Kind.API_KEY, key_id),
            reason=required_reason(reason),
            details={"tenant": outside(Kind.TENANT, context.tenant.id)},
        )
    return key
