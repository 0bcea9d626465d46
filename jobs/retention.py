"""Ends what nobody uses: tenants that were registered and left, and closed ones past their retention."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final
from uuid import UUID

import structlog

from core.errors import DomainError
from core.tenant import TenantStatus
from jobs.cron import Periodic
from owner_db.tenants.closing import close_tenant, past_retention
from owner_db.tenants.provisioning import give_up
from owner_db.tenants.purging import purge_tenant
from owner_db.tenants.reaping import unused_tenants
from owner_db.tenants.servers import Servers
from tenancy.audit import SYSTEM
from tenancy.context import Services
from tenant_db.matters import MatterKind, open_matters

REAP_EVERY_S: Final = 600.0
PURGE_EVERY_S: Final = 3_600.0
BATCH_MAX: Final = 20
"""Tenants ended in one run: dropping a database is heavy."""
UNUSED: Final = "registered and not used for a day"
RETENTION_OVER: Final = "closed, and past its retention"

log = structlog.get_logger()


def retention_schedule(services: Services, servers: Servers) -> Sequence[Periodic]:
    """What a worker does about tenants that have ended."""
    return (
        Periodic("reap_unused", REAP_EVERY_S, partial(reap_unused, services, servers)),
        Periodic("purge_closed", PURGE_EVERY_S, partial(purge_closed, services, servers)),
    )


async def reap_unused(services: Services, servers: Servers) -> None:
    """Close and drop tenants that nothing speaks for."""
    found = await unused_tenants(services.owner, services.clock(), limit=BATCH_MAX)
    await _each(found, partial(_reap, services, servers))


async def purge_closed(services: Services, servers: Servers) -> None:
    """Drop the databases of closed tenants whose retention is over."""
    found = await past_retention(services.owner, services.clock(), limit=BATCH_MAX)
    await _each(found, partial(_purge, services, servers, RETENTION_OVER))


async def _reap(services: Services, servers: Servers, tenant_id: UUID) -> None:
    tenant = await services.tenants.directory.find_now(tenant_id)
    if tenant.status is TenantStatus.REQUESTED:
        await give_up(services.owner, servers, tenant_id, UNUSED, invalidate=services.tenant_changed)
    else:
        await _close(services, servers, tenant_id)
    await _purge(services, servers, UNUSED, tenant_id)


async def _close(services: Services, servers: Servers, tenant_id: UUID) -> None:
    await close_tenant(
        services.owner,
        servers,
        tenant_id,
        actor=SYSTEM,
        reason=UNUSED,
        now=services.clock(),
        open_matters=_all_matters,
        invalidate=services.tenant_changed,
    )


async def _purge(services: Services, servers: Servers, reason: str, tenant_id: UUID) -> None:
    await purge_tenant(
        services.owner,
        servers,
        tenant_id,
        actor=SYSTEM,
        reason=reason,
        now=services.clock(),
        # Money in the tenant's own short codes was looked at when it was closed; it is theirs.
        open_matters=_matters_but_own_money,
        invalidate=services.tenant_changed,
    )


async def _each(tenant_ids: Sequence[UUID], end: Callable[[UUID], Awaitable[None]]) -> None:
    """One that can't be ended now must not keep the others: it comes again in the next run."""
    for tenant_id in tenant_ids:
        try:
            await end(tenant_id)
        except DomainError as refusal:
            log.warning("tenant_not_ended", tenant=str(tenant_id), code=refusal.code, why=refusal.message)
        else:
            log.info("tenant_ended", tenant=str(tenant_id))


async def _all_matters(url: str) -> Sequence[str]:
    return [matter.text for matter in await open_matters(url)]


async def _matters_but_own_money(url: str) -> Sequence[str]:
    return [matter.text for matter in await open_matters(url) if matter.kind is not MatterKind.OWN_BALANCE]
