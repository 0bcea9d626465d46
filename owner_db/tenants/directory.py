"""The registry as the rest of the platform reads it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, func, select
from sqlalchemy.dialects.postgresql import insert

from core.clock import utc_now
from core.errors import InvalidInput
from core.ids import Kind, inside
from core.tenant import TenantStatus
from owner_db.tenants.errors import TenantNotFound
from owner_db.tenants.models import DatabaseServer, DirtyTenant, Tenant
from owner_db.tenants.rules import parse_code
from owner_db.tenants.servers import Servers
from owner_db.tiers.models import Tier
from tenancy.sessions import OwnerDatabase
from tenancy.tenant_ref import TenantRef


async def load_tenant(owner: OwnerDatabase, servers: Servers, tenant_id: UUID) -> TenantRef | None:
    """One tenant as it is now, whatever its status; None where there is none."""
    return await _load(owner, servers, Tenant.id == tenant_id)


async def load_tenant_by_slug(owner: OwnerDatabase, servers: Servers, slug: str) -> TenantRef | None:
    """As `load_tenant`, by the subdomain."""
    return await _load(owner, servers, Tenant.slug == slug)


async def find_named(owner: OwnerDatabase, name: str) -> Tenant:
    """A tenant by what a person types: its code, slug or id.

    Raises:
        TenantNotFound: no tenant is called that.
    """
    async with owner.reading() as session:
        tenant = await session.scalar(select(Tenant).where(_called(name)))
    if tenant is None:
        raise TenantNotFound(name)
    return tenant


async def mark_dirty(owner: OwnerDatabase, tenant_id: UUID, at: datetime | None = None) -> None:
    """Have the sweeps visit a tenant: its outbox may soon hold what no wake-up tells of."""
    now = at or utc_now()
    async with owner.transaction() as session:
        await session.execute(
            insert(DirtyTenant)
            .values(tenant_id=tenant_id, marked_at=now)
            .on_conflict_do_update(
                index_elements=["tenant_id"], set_={"marked_at": func.greatest(DirtyTenant.marked_at, now)}
            )
        )


def _called(name: str) -> ColumnElement[bool]:
    try:
        return Tenant.id == inside(Kind.TENANT, name)
    except InvalidInput:
        pass
    try:
        return Tenant.code == parse_code(name)
    except InvalidInput:
        return Tenant.slug == name


async def _load(owner: OwnerDatabase, servers: Servers, which: ColumnElement[bool]) -> TenantRef | None:
    async with owner.reading() as session:
        row = (await session.execute(_reference().where(which))).one_or_none()
    return None if row is None else _ref(row, servers)


def _reference() -> Select[UUID, str, str, str, str, str | None, int, str, str]:
    return (
        select(
            Tenant.id,
            Tenant.code,
            Tenant.slug,
            Tenant.status,
            Tenant.database,
            Tenant.revision,
            Tenant.epoch,
            DatabaseServer.tenant_url,
            Tier.code.label("tier"),
        )
        .join(DatabaseServer, DatabaseServer.id == Tenant.server_id)
        .join(Tier, Tier.id == Tenant.tier_id)
    )


def _ref(row: Row[UUID, str, str, str, str, str | None, int, str, str], servers: Servers) -> TenantRef:
    return TenantRef(
        id=row.id,
        code=row.code,
        slug=row.slug,
        status=TenantStatus(row.status),
        database_url=servers.url(row.tenant_url),
        database=row.database,
        revision=row.revision or "",
        epoch=row.epoch,
        tier=row.tier,
    )
