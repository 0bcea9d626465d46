"""Tenants for tests: a reference to a database, and its row in the registry."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select

from core.clock import utc_now
from core.ids import new_id
from core.tenant import TenantKind, TenantStatus
from owner_db.tenants.models import DatabaseServer
from owner_db.tenants.models import Tenant as TenantRow
from owner_db.tiers.models import Tier
from tenancy.revisions import Which, head
from tenancy.sessions import OwnerDatabase
from tenancy.tenant_ref import TenantRef

REVISION: Final = head(Which.TENANT)


def tenant_ref(
    database_url: str,
    database: str,
    *,
    id: UUID | None = None,
    status: TenantStatus = TenantStatus.ACTIVE,
    revision: str = REVISION,
    epoch: int = 1,
) -> TenantRef:
    """What the directory would say of a tenant in `database`."""
    tenant_id = id or new_id()
    slug = f"shop-{tenant_id.hex[-12:]}"
    return TenantRef(
        id=tenant_id,
        code=f"HZ-{tenant_id.hex[-6:].upper()}",
        slug=slug,
        status=status,
        database_url=database_url,
        database=database,
        revision=revision,
        epoch=epoch,
        tier="free",
    )


async def register(owner: OwnerDatabase, ref: TenantRef, *, migrator_url: str = "unused") -> TenantRow:
    """Write the registry's row of a tenant whose database exists already, with its server and tier."""
    async with owner.transaction() as session:
        tier = await session.scalar(select(Tier).where(Tier.code == ref.tier))
        if tier is None:
            tier = Tier(
                code=ref.tier,
                name="Free",
                request_units_capacity=5_000,
                request_units_per_s=500,
                sockets_max=20,
            )
            session.add(tier)
        server = await session.scalar(select(DatabaseServer).where(DatabaseServer.name == "primary"))
        if server is None:
            server = DatabaseServer(
                name="primary", tenant_url=ref.database_url, migrator_url=migrator_url, capacity=500
            )
            session.add(server)
        await session.flush()
        row = TenantRow(
            id=ref.id,
            code=ref.code,
            slug=ref.slug,
            name="Mama Njeri's Shop",
            kind=TenantKind.SMALL_BUSINESS,
            country="KE",
            status=ref.status,
            tier_id=tier.id,
            server_id=server.id,
            database=ref.database,
            revision=ref.revision,
            epoch=ref.epoch,
            activated_at=utc_now() - timedelta(days=1),
        )
        session.add(row)
    return row
