"""What operators do with tenants from the command line."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final
from uuid import UUID

from sqlalchemy import select

from core.clock import utc_now
from core.errors import InvalidInput
from core.ids import Kind, outside
from core.tenant import TenantStatus
from owner_db.tenants import closing, purging, suspending
from owner_db.tenants.directory import find_named
from owner_db.tenants.errors import ProvisioningBusy, ProvisioningFailed
from owner_db.tenants.models import Tenant
from owner_db.tenants.provisioning import provision
from owner_db.tenants.registering import NewTenant, register_tenant
from owner_db.users.members import add_member
from owner_db.users.models import User
from owner_db.users.signing_in import normalised_email
from server.compose import Process
from server.exporting import export_database
from tenancy.audit import OPERATOR, record_audit
from tenancy.roles import Role
from tenant_db.matters import MatterKind, open_matters

WAIT_S: Final = 60.0
WAIT_STEP_S: Final = 0.1
LISTED_MAX: Final = 1_000


class OwnMoney(Enum):
    """Whether money in the tenant's own short codes keeps it from being closed."""

    COUNTS = "counts"
    SETTLED = "settled"
    """The tenant has confirmed that it is theirs and done with."""


@dataclass(frozen=True, slots=True)
class Closing:
    """How a tenant is to be closed."""

    reason: str
    own_money: OwnMoney = OwnMoney.COUNTS


async def create_tenant(here: Process, new: NewTenant, *, owner_email: str | None, reason: str) -> Tenant:
    """Register a business and make its database now; gives it once it is active.

    Raises:
        InvalidInput: a value can't be used, or no user has that address.
        SlugTaken, NoServerHasRoom, ProvisioningFailed, ServerUnreachable: as they say.
    """
    services = here.services
    key = await services.keyring.new_wrapped_key()
    async with services.owner.transaction() as session:
        tenant = await register_tenant(session, new, key)
        if owner_email is not None:
            email = normalised_email(owner_email)
            user_id = await session.scalar(select(User.id).where(User.email == email))
            if user_id is None:
                raise InvalidInput("owner", f"No user has the address {email}.")
            await add_member(session, user_id, tenant.id, Role.OWNER)
        subject = outside(Kind.TENANT, tenant.id)
        record_audit(session, OPERATOR, "create_tenant", subject=subject, reason=reason)
    try:
        await provision(services.owner, here.servers, tenant.id, invalidate=services.tenant_changed)
    except ProvisioningBusy:
        await _until_made(here, tenant)
    return await find_named(services.owner, tenant.code)


async def listed_tenants(here: Process, status: TenantStatus | None) -> Sequence[Tenant]:
    """Tenants of one status, or all that are not deleted; the oldest first, at most LISTED_MAX."""
    chosen = Tenant.status == status if status is not None else Tenant.status != TenantStatus.DELETED
    async with here.services.owner.reading() as session:
        found = await session.scalars(
            select(Tenant).where(chosen).order_by(Tenant.created_at).limit(LISTED_MAX)
        )
        return found.all()


async def suspend_tenant(here: Process, name: str, reason: str) -> Tenant:
    """Refuse a tenant's requests from now on. Raises TenantNotFound or StepNotPossible."""
    tenant = await find_named(here.services.owner, name)
    return await suspending.suspend(
        here.services.owner,
        tenant.id,
        actor=OPERATOR,
        reason=reason,
        invalidate=here.services.tenant_changed,
    )


async def resume_tenant(here: Process, name: str, reason: str) -> Tenant:
    """Serve a suspended tenant again. Raises TenantNotFound or StepNotPossible."""
    tenant = await find_named(here.services.owner, name)
    return await suspending.resume(
        here.services.owner,
        tenant.id,
        actor=OPERATOR,
        reason=reason,
        invalidate=here.services.tenant_changed,
    )


async def close_tenant(here: Process, tenant: Tenant, how: Closing) -> None:
    """End a tenant's requests for good.

    Raises:
        StepNotPossible, TenantHasOpenMatters, ServerUnreachable: as they say.
    """
    await closing.close_tenant(
        here.services.owner,
        here.servers,
        tenant.id,
        actor=OPERATOR,
        reason=how.reason,
        now=utc_now(),
        open_matters=_matters(how.own_money),
        invalidate=here.services.tenant_changed,
    )


async def export_tenant(here: Process, tenant: Tenant, export_dir: Path) -> Path:
    """Write a tenant's whole database into a file of its own, and give where. Raises ExportFailed."""
    path = export_dir / f"{tenant.code}-{utc_now():%Y%m%dT%H%M%SZ}.dump"
    url = await closing.migrator_url(here.services.owner, here.servers, tenant)
    await export_database(url, path)
    return path


async def purge_tenant(here: Process, tenant: Tenant, how: Closing) -> None:
    """Drop a closed tenant's database and destroy its data key, whatever its retention.

    Raises:
        StepNotPossible, TenantHasOpenMatters, ServerUnreachable: as they say.
    """
    await purging.purge_tenant(
        here.services.owner,
        here.servers,
        tenant.id,
        actor=OPERATOR,
        reason=how.reason,
        now=utc_now(),
        open_matters=_matters(how.own_money),
        invalidate=here.services.tenant_changed,
    )


def _matters(own_money: OwnMoney) -> closing.OpenMatters:
    async def lines(url: str) -> Sequence[str]:
        found = await open_matters(url)
        waived = {MatterKind.OWN_BALANCE} if own_money is OwnMoney.SETTLED else set()
        return [matter.text for matter in found if matter.kind not in waived]

    return lines


async def _until_made(here: Process, tenant: Tenant) -> None:
    """Wait for the worker, which came first. Raises ProvisioningFailed."""
    async with asyncio.timeout(WAIT_S):
        while (row := await _row(here, tenant.id)).status != TenantStatus.ACTIVE:
            if row.status == TenantStatus.FAILED:
                raise ProvisioningFailed(row.code, row.status_reason or "")
            await asyncio.sleep(WAIT_STEP_S)


async def _row(here: Process, tenant_id: UUID) -> Tenant:
    async with here.services.owner.reading() as session:
        return await session.get_one(Tenant, tenant_id)
