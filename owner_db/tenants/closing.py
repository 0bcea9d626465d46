"""Closing a tenant: its requests end, its data stays for the retention time."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select

from core.ids import Kind, outside
from core.tenant import TenantStatus
from owner_db.tenants.errors import StepNotPossible, TenantHasOpenMatters
from owner_db.tenants.models import DatabaseServer, Tenant
from owner_db.tenants.provisioning import Invalidate
from owner_db.tenants.servers import Servers
from owner_db.tenants.suspending import advance, locked
from tenancy.audit import Actor, record_audit
from tenancy.sessions import OwnerDatabase

RETENTION: Final = timedelta(days=30)
"""How long a closed tenant's database is kept before it may be dropped."""

OpenMatters = Callable[[str], Awaitable[Sequence[str]]]
"""Says what is still open in a tenant's database, given its URL for the migrator: one line a matter."""


async def close_tenant(
    owner: OwnerDatabase,
    servers: Servers,
    tenant_id: UUID,
    *,
    actor: Actor,
    reason: str,
    now: datetime,
    open_matters: OpenMatters,
    invalidate: Invalidate,
) -> Tenant:
    """End the tenant's requests for good; jobs still settle what comes late.

    Its requests are refused first and what is open is looked for after, so that nothing new comes
    up unseen; a tenant with something open goes on as before.

    Raises:
        TenantNotFound: there is no such tenant.
        StepNotPossible: it is not active, suspended or closing.
        TenantHasOpenMatters: a balance, hold, payment or payout is open.
        ServerUnreachable: its database did not answer; run it again.
    """
    tenant, before = await _begin(owner, tenant_id, actor, reason, now)
    await invalidate(tenant_id)
    matters = await open_matters(await migrator_url(owner, servers, tenant))
    if not matters:
        return tenant
    if before is not TenantStatus.CLOSING:
        async with owner.transaction() as session:
            advance(await locked(session, tenant_id), before, reason=None)
        await invalidate(tenant_id)
    raise TenantHasOpenMatters(tenant.code, matters)


async def migrator_url(owner: OwnerDatabase, servers: Servers, tenant: Tenant) -> str:
    """The URL of a tenant's database for the migrator."""
    async with owner.reading() as session:
        server = await session.get_one(DatabaseServer, tenant.server_id)
    return servers.url(server.migrator_url, tenant.database)


async def past_retention(owner: OwnerDatabase, now: datetime, *, limit: int) -> Sequence[UUID]:
    """Closed tenants whose databases may be dropped, the longest closed first."""
    async with owner.reading() as session:
        found = await session.scalars(
            select(Tenant.id)
            .where(Tenant.status == TenantStatus.CLOSING, Tenant.closing_at <= now - RETENTION)
            .order_by(Tenant.closing_at)
            .limit(limit)
        )
        return found.all()


async def _begin(
    owner: OwnerDatabase, tenant_id: UUID, actor: Actor, reason: str, now: datetime
) -> tuple[Tenant, TenantStatus]:
    async with owner.transaction() as session:
        tenant = await locked(session, tenant_id)
        before = TenantStatus(tenant.status)
        if before not in {TenantStatus.ACTIVE, TenantStatus.SUSPENDED, TenantStatus.CLOSING}:
            raise StepNotPossible(tenant.code, tenant.status, TenantStatus.CLOSING)
        if before is not TenantStatus.CLOSING:
            advance(tenant, TenantStatus.CLOSING, reason=reason, now=now)
            record_audit(
                session, actor, "close_tenant", subject=outside(Kind.TENANT, tenant_id), reason=reason
            )
    return tenant, before
