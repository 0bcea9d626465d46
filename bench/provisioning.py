"""Making one tenant: the whole saga beside the bare copy of a database."""

import secrets
from time import perf_counter
from typing import Final

from cluster import Cluster, cluster
from fleet import create_database
from results import Row, middle

from core.tenant import TenantKind
from owner_db.tenants.provisioning import provision
from owner_db.tenants.registering import NewTenant, register_tenant
from owner_db.tenants.templates import Template
from tenancy.keyring import WrappedKey

ROUNDS: Final = 15
NOTE: Final = (
    "one tenant from requested to active: copied, granted, its identity written, its live catalogue compared;"
    " each step committed in the registry; baseline: bare CREATE DATABASE ... TEMPLATE ... STRATEGY WAL_LOG"
)


async def provision_tenant() -> list[Row]:
    """Row `provision_tenant`."""
    async with cluster() as made:
        template = await made.template()
        await _provision(made)
        ours: list[float] = []
        bare: list[float] = []
        for _ in range(ROUNDS):
            bare.append(await _copy(made, template))
            ours.append(await _provision(made))
    print(f"  ours {middle(ours) * 1e3:.0f} ms, bare {middle(bare) * 1e3:.0f} ms", flush=True)
    return [Row("provision_tenant", middle(ours) * 1e3, "ms", middle(bare) * 1e3, ROUNDS, NOTE)]


async def _provision(made: Cluster) -> float:
    """Registering comes before the clock: it is one transaction of another request."""
    name = f"Shop {secrets.token_hex(6)}"
    key = WrappedKey(version=1, wrapped=b"bench", wrapper="bench")
    async with made.owner.transaction() as session:
        tenant = await register_tenant(session, NewTenant(name, TenantKind.SMALL_BUSINESS, "KE"), key)
    began = perf_counter()
    await provision(made.owner, made.servers, tenant.id, invalidate=made.ignore)
    return perf_counter() - began


async def _copy(made: Cluster, template: Template) -> float:
    async with made.servers.connect(made.migrator_url) as admin:
        began = perf_counter()
        await create_database(admin, f"copy_{secrets.token_hex(6)}", template.name)
        return perf_counter() - began
