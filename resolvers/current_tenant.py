"""The business that the caller works for."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from owner_db.tenants.models import Tenant
from owner_db.tiers.models import Tier
from tenancy.context import TenantContext


@dataclass(frozen=True, slots=True)
class CurrentTenant:
    """What the registry says of a business."""

    id: UUID
    code: str
    slug: str
    name: str
    kind: str
    country: str
    status: str
    tier: str
    tier_name: str
    created_at: datetime
    activated_at: datetime | None


async def current_tenant(context: TenantContext) -> CurrentTenant:
    """Raises NotSignedIn, or NoTenant where the token names no business."""
    tenant_id = context.tenant.id
    async with context.services.owner.reading() as session:
        found = await session.execute(
            select(
                Tenant.id,
                Tenant.code,
                Tenant.slug,
                Tenant.name,
                Tenant.kind,
                Tenant.country,
                Tenant.status,
                Tier.code,
                Tier.name,
                Tenant.created_at,
                Tenant.activated_at,
            )
            .join(Tier, Tier.id == Tenant.tier_id)
            .where(Tenant.id == tenant_id)
        )
        return CurrentTenant(*found.one())
