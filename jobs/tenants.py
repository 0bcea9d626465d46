"""Makes the databases of registered tenants."""

from typing import Final
from uuid import UUID

from jobs.work import Dead, Done, Handler, Later, Result, Work, backoff
from owner_db.tenants.errors import ProvisioningBusy, ProvisioningFailed, ServerUnreachable, TenantNotFound
from owner_db.tenants.provisioning import give_up, provision
from owner_db.tenants.servers import Servers

PROVISION_ATTEMPTS_MAX: Final = 40
BUSY_DELAY_MAX_S: Final = 2.0
"""Somebody watches their business become active: a turn that was missed is soon tried again."""


def tenant_handlers(servers: Servers) -> list[Handler]:
    """The jobs of the registry, on the given database servers."""

    async def provision_tenant(work: Work) -> Result:
        return await _provision(work, servers)

    return [Handler("provision_tenant", provision_tenant, attempts_max=PROVISION_ATTEMPTS_MAX)]


async def _provision(work: Work, servers: Servers) -> Result:
    services = work.services
    tenant_id = UUID(work.payload["tenant_id"])
    try:
        await provision(
            services.owner,
            servers,
            tenant_id,
            invalidate=services.tenant_changed,
            concurrent_max=services.policy.provisioning_concurrency_max,
        )
    except ProvisioningBusy as busy:
        return Later(backoff(work.attempt, first_s=0.2, max_s=BUSY_DELAY_MAX_S), busy.message)
    except ServerUnreachable as outage:
        if work.attempt < PROVISION_ATTEMPTS_MAX:
            return Later(backoff(work.attempt), outage.message)
        await give_up(services.owner, servers, tenant_id, outage.message, invalidate=services.tenant_changed)
        return Dead(outage.message)
    except (ProvisioningFailed, TenantNotFound) as failure:
        return Dead(failure.message)
    return Done()
