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
        tenant = await step(session, tenant_id, TenantStatus.SUSPENDED, reason=reason)
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
        tenant = await locked(session, tenant_id)
        # Closing also leads back to active, but only by its own way.
        if tenant.status != TenantStatus.SUSPENDED:
            raise StepNotPossible(tenant.code, tenant.status, TenantStatus.ACTIVE)
        advance(tenant, TenantStatus.ACTIVE, reason=None)
        _record(session, actor, "resume_tenant", tenant, reason)
    await invalidate(tenant_id)
    return tenant


async def step(session: OwnerSession, tenant_id: UUID, to: TenantStatus, *, reason: str | None) -> Tenant:
    """Lock the tenant and take one step of its machine.

    Raises:
        TenantNotFound: there is no such tenant.
        StepNotPossible: the machine has no such step.
    """
    tenant = await locked(session, tenant_id)
    advance(tenant, to, reason=reason)
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


def _record(session: OwnerSession, actor: Actor, action: str, tenant: Tenant, reason: str) -> None:
    record_audit(session, actor, action, subject=outside(Kind.TENANT, tenant.id), reason=reason)
