"""The business that the caller works for."""

from datetime import datetime
from uuid import UUID

import strawberry
from strawberry.types import Info

from core.ids import Kind, outside
from core.tenant import TenantKind, TenantStatus
from resolvers import current_tenant
from resolvers.current_tenant import CurrentTenant
from schema.connections import Node
from tenancy.context import TenantContext


@strawberry.type(description="One business with a database of its own.")
class Tenant(Node):
    code: str = strawberry.field(description="Short and unique, such as HZ-4F7K2M; for invoices and support.")
    slug: str = strawberry.field(description="Its part of web addresses.")
    name: str = strawberry.field(description="What people call it.")
    kind: TenantKind = strawberry.field(description="What sort of business it is.")
    country: str = strawberry.field(description="ISO 3166 alpha-2.")
    status: TenantStatus = strawberry.field(description="Where it is in its life.")
    tier: str = strawberry.field(description="The code of its tier, such as `free`.")
    tier_name: str = strawberry.field(description="What people call the tier.")
    created_at: datetime = strawberry.field(description="When it was registered.")
    activated_at: datetime | None = strawberry.field(description="When it first served requests.")

    @classmethod
    def of(cls, found: CurrentTenant) -> "Tenant":
        return cls(
            id=strawberry.ID(outside(Kind.TENANT, found.id)),
            code=found.code,
            slug=found.slug,
            name=found.name,
            kind=TenantKind(found.kind),
            country=found.country,
            status=TenantStatus(found.status),
            tier=found.tier,
            tier_name=found.tier_name,
            created_at=found.created_at,
            activated_at=found.activated_at,
        )


async def tenant_node(context: TenantContext, id: UUID) -> Tenant | None:
    """The caller's own business; None for every other."""
    if id != context.tenant.id:
        return None
    return Tenant.of(await current_tenant.current_tenant(context))


@strawberry.type(description="The business you work for.")
class CurrentTenantQueries:
    @strawberry.field(description="The business that your token or API key names.")
    async def tenant(self, info: Info[TenantContext, None]) -> Tenant:
        return Tenant.of(await current_tenant.current_tenant(info.context))
