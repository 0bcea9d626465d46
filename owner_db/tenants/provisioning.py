"""Making a tenant's database: a saga whose every step is safe to repeat."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg
from sqlalchemy import select, update

from core.clock import utc_now
from core.tenant import TenantStatus
from owner_db.tenants.errors import ProvisioningFailed, ServerUnreachable, TenantNotFound
from owner_db.tenants.machine import PROVISIONING
from owner_db.tenants.models import DatabaseServer, Tenant
from owner_db.tenants.servers import UNREACHABLE, Servers
from owner_db.tenants.slots import provisioning_slot
from owner_db.tenants.templates import Template, ensure_template, template_catalogue
from tenancy.catalogue import catalogue, catalogue_hash, differences
from tenancy.sessions import OwnerDatabase

CONNECTIONS_PER_TENANT_MAX: Final = 60
"""`CONNECTION LIMIT` of one tenant's database: a noisy one can't take the whole server."""
CONCURRENT_MAX: Final = 3
"""Databases being made at once on one server, over all processes."""
REASON_CHARACTERS_MAX: Final = 500
DIFFERENCES_SHOWN_MAX: Final = 5

_TAKE: Final = """
WITH taken AS (INSERT INTO identity (is_only, tenant_id) VALUES (true, $1) ON CONFLICT DO NOTHING
  RETURNING tenant_id)
SELECT tenant_id FROM taken UNION ALL SELECT tenant_id FROM identity
"""
"""Writes whose database it is, unless it says so already; gives whose it is."""

Invalidate = Callable[[UUID], Awaitable[None]]
"""Tells every process that a tenant's row in the registry has changed; after the commit."""


@dataclass(slots=True)
class _Run:
    """One run of the saga for one tenant: what its steps need."""

    owner: OwnerDatabase
    servers: Servers
    tenant_id: UUID
    code: str
    database: str
    migrator_url: str
    admin: asyncpg.Connection
    template: Template


class _Unfit(Exception):
    """The new database is not what it should be."""


async def provision(
    owner: OwnerDatabase,
    servers: Servers,
    tenant_id: UUID,
    *,
    invalidate: Invalidate,
    concurrent_max: int = CONCURRENT_MAX,
    revision: str | None = None,
) -> TenantStatus:
    """Take a tenant from whatever step it is at to `active`, and return its status.

    Each step is committed on its own, so that a run after a crash goes on where the last one
    ended. A tenant past provisioning is left as it is. `revision` may name an older one than this
    code's newest; the fleet's next upgrade takes the tenant along.

    Raises:
        ProvisioningBusy: too many at once; nothing was done.
        ServerUnreachable: nothing is lost; run it again.
        ProvisioningFailed: the half-made database was dropped and the tenant is `failed`.
        TenantNotFound: there is no such tenant.
    """
    tenant, server = await _find(owner, tenant_id)
    if tenant.status not in PROVISIONING:
        return TenantStatus(tenant.status)
    async with (
        servers.connect(server.migrator_url) as admin,
        provisioning_slot(admin, tenant_id, concurrent_max),
    ):
        try:
            template = await ensure_template(admin, servers, server.migrator_url, revision)
            run = _Run(
                owner, servers, tenant_id, tenant.code, tenant.database, server.migrator_url, admin, template
            )
            return await _steps(run, invalidate)
        except UNREACHABLE as error:
            raise ServerUnreachable(server.name, str(error)) from error
        except (asyncpg.PostgresError, _Unfit) as error:
            await _give_up(owner, admin, tenant, str(error))
            await invalidate(tenant_id)
            raise ProvisioningFailed(tenant.code, str(error)) from error


async def give_up(
    owner: OwnerDatabase, servers: Servers, tenant_id: UUID, why: str, *, invalidate: Invalidate
) -> None:
    """End a provisioning that was tried too often: drop what was made, and say why.

    Raises:
        ServerUnreachable: what was made can't be dropped now; the tenant stays as it is.
    """
    tenant, server = await _find(owner, tenant_id)
    if tenant.status not in PROVISIONING:
        return
    async with servers.connect(server.migrator_url) as admin, provisioning_slot(admin, tenant_id, None):
        await _give_up(owner, admin, tenant, why)
    await invalidate(tenant_id)


async def _steps(run: _Run, invalidate: Invalidate) -> TenantStatus:
    # Read under the slot: another process may have ended its run a moment ago.
    status = await _status(run)
    while status in STEPS:
        before, status = status, await STEPS[status](run)
        if before is TenantStatus.VERIFIED:
            await invalidate(run.tenant_id)
    return status


async def _create_database(run: _Run) -> TenantStatus:
    # Still `requested`: what an earlier run left was never granted to anybody, and may be of an
    # older revision.
    await run.admin.execute(f'DROP DATABASE IF EXISTS "{run.database}" WITH (FORCE)')
    await run.admin.execute(
        f'CREATE DATABASE "{run.database}" TEMPLATE "{run.template.name}" STRATEGY WAL_LOG'
    )
    return await _advance(run, TenantStatus.REQUESTED, TenantStatus.DATABASE_CREATED)


async def _grant(run: _Run) -> TenantStatus:
    """What a copy doesn't inherit from its template."""
    await run.admin.execute(
        f'REVOKE ALL ON DATABASE "{run.database}" FROM PUBLIC;'
        f'GRANT CONNECT ON DATABASE "{run.database}" TO hazina_tenant;'
        f'ALTER DATABASE "{run.database}" CONNECTION LIMIT {CONNECTIONS_PER_TENANT_MAX}'
    )
    return await _advance(run, TenantStatus.DATABASE_CREATED, TenantStatus.GRANTED)


async def _verify(run: _Run) -> TenantStatus:
    """Write whose database it is, and compare what is there with what should be."""
    async with run.servers.connect(run.migrator_url, run.database) as connection:
        belongs_to = await connection.fetchval(_TAKE, run.tenant_id)
        if belongs_to != run.tenant_id:
            raise _Unfit(f"the database {run.database} belongs to another tenant")
        live_hash = await catalogue_hash(connection)
        if live_hash != run.template.catalogue_hash:
            raise _Unfit(await _what_differs(run, connection))
    return await _advance(
        run,
        TenantStatus.GRANTED,
        TenantStatus.VERIFIED,
        revision=run.template.revision,
        catalogue_hash=live_hash,
    )


async def _activate(run: _Run) -> TenantStatus:
    return await _advance(run, TenantStatus.VERIFIED, TenantStatus.ACTIVE, activated_at=utc_now())


STEPS: Final[Mapping[TenantStatus, Callable[[_Run], Awaitable[TenantStatus]]]] = {
    TenantStatus.REQUESTED: _create_database,
    TenantStatus.DATABASE_CREATED: _grant,
    TenantStatus.GRANTED: _verify,
    TenantStatus.VERIFIED: _activate,
}


async def _what_differs(run: _Run, connection: asyncpg.Connection) -> str:
    expected = await template_catalogue(run.admin, run.servers, run.migrator_url, run.template)
    lines = differences(await catalogue(connection), expected)
    more = len(lines) - DIFFERENCES_SHOWN_MAX
    shown = "; ".join(lines[:DIFFERENCES_SHOWN_MAX])
    return f"the schema is not that of {run.template.revision}: {shown}" + (f"; {more} more" * (more > 0))


async def _advance(run: _Run, before: TenantStatus, after: TenantStatus, **values: object) -> TenantStatus:
    """Record that a step is done; gives where the tenant stands, which is elsewhere if it was given up."""
    advanced = await run.owner.write(
        update(Tenant)
        .where(Tenant.id == run.tenant_id, Tenant.status == before)
        .values(status=after, status_reason=None, **values)
        .returning(Tenant.status)
    )
    return after if advanced else await _status(run)


async def _status(run: _Run) -> TenantStatus:
    async with run.owner.reading() as session:
        return TenantStatus(
            (await session.scalars(select(Tenant.status).where(Tenant.id == run.tenant_id))).one()
        )


async def _give_up(owner: OwnerDatabase, admin: asyncpg.Connection, tenant: Tenant, why: str) -> None:
    await admin.execute(f'DROP DATABASE IF EXISTS "{tenant.database}" WITH (FORCE)')
    async with owner.transaction() as session:
        await session.execute(
            update(Tenant)
            .where(Tenant.id == tenant.id, Tenant.status.in_(PROVISIONING))
            .values(
                status=TenantStatus.FAILED,
                status_reason=why[:REASON_CHARACTERS_MAX],
                revision=None,
                catalogue_hash=None,
            )
            .execution_options(synchronize_session=False)
        )


async def _find(owner: OwnerDatabase, tenant_id: UUID) -> tuple[Tenant, DatabaseServer]:
    async with owner.reading() as session:
        found = (
            await session.execute(
                select(Tenant, DatabaseServer)
                .join(DatabaseServer, DatabaseServer.id == Tenant.server_id)
                .where(Tenant.id == tenant_id)
            )
        ).one_or_none()
    if found is None:
        raise TenantNotFound(str(tenant_id))
    return found[0], found[1]
