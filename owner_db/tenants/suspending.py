"""Stopping a tenant's requests, and letting them in again."""

from datetime import datetime
from uuid import UUID

from core.ids import Kind, outside
from core.tenant import TenantStatus
from owner_db.tenants.errors import StepNotPossible, TenantNotFound
from owner_db.tenants.machine import NEXT
from owner_db.tenants.models import Tenant
from owner_db.tenants.provisioning import Invalidate
from tenancy.audit import Actor, record_audit
from tenancy.sessions import OwnerDatabase, OwnerSession


async def suspend(
    owner: OwnerDatabase, tenant_id: UUID, *, actor: Actor, reason: str, invalidate: Invalidate
) -> Tenant:
    """Refuse the tenant's requests from now on; engines, sockets and jobs made before no longer count.

    Raises:
        TenantNotFound: there is no such tenant.
        StepNotPossible: it is not active.
    """
    async with owner.transaction() as session:
        tenant = await _step(session, tenant_id, TenantStatus.ACTIVE, TenantStatus.SUSPENDED, reason)
        _record(session, actor, "suspend_tenant", tenant, reason)
    await invalidate(tenant_id)
    return tenant


async def resume(
    owner: OwnerDatabase, tenant_id: UUID, *, actor: Actor, reason: str, invalidate: Invalidate
) -> Tenant:
    """Serve a suspended tenant again.

    Raises:
        TenantNotFound: there is no such tenant.
        StepNotPossible: it is not suspended.
    """
    async with owner.transaction() as session:
        tenant = await _step(session, tenant_id, TenantStatus.SUSPENDED, TenantStatus.ACTIVE, None)
        _record(session, actor, "resume_tenant", tenant, reason)
    await invalidate(tenant_id)
    return tenant


async def locked(session: OwnerSession, tenant_id: UUID) -> Tenant:
    """Raises TenantNotFound. The row stays locked until the transaction ends."""
    tenant = await session.get(Tenant, tenant_id, with_for_update=True, populate_existing=True)
    if tenant is None:
        raise TenantNotFound(str(tenant_id))
    return tenant


def advance(tenant: Tenant, to: TenantStatus, *, reason: str | None, now: datetime | None = None) -> None:
    """Take one step; the epoch grows, so that what was made before no longer counts.

    Raises:
        StepNotPossible: the machine has no such step.
    """
    if to not in NEXT[TenantStatus(tenant.status)]:
        raise StepNotPossible(tenant.code, tenant.status, to)
    tenant.status = to.value
    tenant.status_reason = reason
    tenant.closing_at = now
    tenant.epoch += 1


async def _step(
    session: OwnerSession, tenant_id: UUID, before: TenantStatus, after: TenantStatus, reason: str | None
) -> Tenant:
    tenant = await locked(session, tenant_id)
    # The machine also leads here from closing, but that is for closing alone to undo.
    if tenant.status != before:
        raise StepNotPossible(tenant.code, tenant.status, after)
    advance(tenant, after, reason=reason)
    return tenant


def _record(session: OwnerSession, actor: Actor, action: str, tenant: Tenant, reason: str) -> None:
    record_audit(session, actor, action, subject=outside(Kind.TENANT, tenant.id), reason=reason)
