"""Dropping a closed tenant's database, and destroying the key to its copies."""

from datetime import datetime
from uuid import UUID

import asyncpg
from sqlalchemy import delete, update

from core.ids import Kind, outside
from core.tenant import TenantStatus
from owner_db.tenants.closing import RETENTION, OpenMatters
from owner_db.tenants.errors import RetentionNotOver, ServerUnreachable, StepNotPossible, TenantHasOpenMatters
from owner_db.tenants.models import DatabaseServer, DirtyTenant, HookEndpoint, ShortCode, Tenant, TenantKey
from owner_db.tenants.provisioning import Invalidate
from owner_db.tenants.servers import UNREACHABLE, Servers
from owner_db.tenants.suspending import advance, locked
from owner_db.users.models import ApiKey, Invitation, Membership
from tenancy.audit import Actor, record_audit
from tenancy.sessions import OwnerDatabase, OwnerSession


def require_retention_over(tenant: Tenant, now: datetime) -> None:
    """Raises RetentionNotOver where a closed tenant's database must still be kept."""
    until = (tenant.closing_at or now) + RETENTION
    if now < until:
        raise RetentionNotOver(tenant.code, until)


async def purge_tenant(
    owner: OwnerDatabase,
    servers: Servers,
    tenant_id: UUID,
    *,
    actor: Actor,
    reason: str,
    now: datetime,
    open_matters: OpenMatters,
    invalidate: Invalidate,
) -> None:
    """Drop a closed tenant's database for good; every step is safe to repeat.

    The application's role is shut out before the last look at what is open, so that no late
    payment can slip in between. The data key goes before the database: copies of it in backups
    can't be read from then on.

    Raises:
        TenantNotFound: there is no such tenant.
        StepNotPossible: it was not closed first.
        TenantHasOpenMatters: something came up since it was closed; it stays closed.
        ServerUnreachable: its server did not answer; run it again.
    """
    tenant, server = await _closed(owner, tenant_id)
    async with servers.connect(server.migrator_url) as admin:
        try:
            if await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", tenant.database):
                await _shut(admin, tenant.database)
                matters = await open_matters(servers.url(server.migrator_url, tenant.database))
                if matters:
                    await admin.execute(f'GRANT CONNECT ON DATABASE "{tenant.database}" TO hazina_tenant')
                    raise TenantHasOpenMatters(tenant.code, matters)
            await _shred(owner, tenant_id)
            await admin.execute(f'DROP DATABASE IF EXISTS "{tenant.database}" WITH (FORCE)')
        except UNREACHABLE as error:
            raise ServerUnreachable(server.name, str(error)) from error
    await _finish(owner, tenant_id, actor, reason, now)
    await invalidate(tenant_id)


async def _closed(owner: OwnerDatabase, tenant_id: UUID) -> tuple[Tenant, DatabaseServer]:
    async with owner.transaction() as session:
        tenant = await locked(session, tenant_id)
        if tenant.status not in {TenantStatus.CLOSING, TenantStatus.FAILED}:
            raise StepNotPossible(tenant.code, tenant.status, TenantStatus.DELETED)
        server = await session.get_one(DatabaseServer, tenant.server_id)
    return tenant, server


async def _shut(admin: asyncpg.Connection, database: str) -> None:
    await admin.execute(f'REVOKE CONNECT ON DATABASE "{database}" FROM hazina_tenant')
    await admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = $1 AND usename = 'hazina_tenant'",
        database,
    )


async def _shred(owner: OwnerDatabase, tenant_id: UUID) -> None:
    async with owner.transaction() as session:
        await session.execute(delete(TenantKey).where(TenantKey.tenant_id == tenant_id))


async def _finish(owner: OwnerDatabase, tenant_id: UUID, actor: Actor, reason: str, now: datetime) -> None:
    async with owner.transaction() as session:
        tenant = await locked(session, tenant_id)
        if tenant.status == TenantStatus.DELETED:
            return
        closed_at = tenant.closing_at
        advance(tenant, TenantStatus.DELETED, reason=reason, now=closed_at)
        await _let_go(session, tenant_id, now)
        record_audit(session, actor, "purge_tenant", subject=outside(Kind.TENANT, tenant_id), reason=reason)


async def _let_go(session: OwnerSession, tenant_id: UUID, now: datetime) -> None:
    """End what others hold of the tenant: keys, callbacks, invitations, short codes, memberships."""
    for model in (ApiKey, HookEndpoint, Invitation):
        await session.execute(
            update(model)
            .where(model.tenant_id == tenant_id, model.revoked_at.is_(None))
            .values(revoked_at=now)
            .execution_options(synchronize_session=False)
        )
    for held in (ShortCode, Membership, DirtyTenant):
        await session.execute(
            delete(held).where(held.tenant_id == tenant_id).execution_options(synchronize_session=False)
        )
