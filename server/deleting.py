"""The command that deletes a tenant: asks, closes, exports, and drops when it may."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from core.clock import utc_now
from core.errors import DomainError
from core.tenant import TenantStatus
from owner_db.tenants.closing import RETENTION
from owner_db.tenants.directory import find_named
from owner_db.tenants.models import Tenant
from owner_db.tenants.purging import require_retention_over
from server.compose import Process
from server.operating import Closing, OwnMoney, close_tenant, export_tenant, purge_tenant

KEY_BACKUP_DAYS: Final = 7
"""How long backups of the key table are kept."""


class NotConfirmed(DomainError):
    code = "NOT_CONFIRMED"

    def __init__(self, tenant_code: str) -> None:
        super().__init__(f"Nothing was done: confirm with the tenant's code, {tenant_code}.")


@dataclass(frozen=True, slots=True)
class Deletion:
    """What the operator asked for."""

    reason: str
    drop: Literal["now", "when_due"] = "when_due"
    export_dir: Path | None = None
    own_money: OwnMoney = OwnMoney.COUNTS


async def delete_tenant(
    here: Process,
    name: str,
    how: Deletion,
    *,
    confirmed: Callable[[str, str], bool],
    say: Callable[[str], None],
) -> None:
    """Close a tenant, or drop one that was closed before and whose time is over.

    Raises:
        NotConfirmed: the code that was typed is not the tenant's.
        RetentionNotOver: it was closed before and must still be kept.
        StepNotPossible, TenantHasOpenMatters, ServerUnreachable: as they say.
        ExportFailed: it is closed, and its database was not dropped.
    """
    tenant = await find_named(here.services.owner, name)
    if not confirmed(tenant.code, tenant.name):
        raise NotConfirmed(tenant.code)
    closing = Closing(how.reason, how.own_money)
    is_failed = tenant.status == TenantStatus.FAILED
    if not is_failed and tenant.status != TenantStatus.CLOSING:
        await close_tenant(here, tenant, closing)
        say(f"{tenant.code} {tenant.slug} is closed")
        if how.drop == "when_due":
            await _export(here, tenant, how, say)
            say(f"its database is kept for {RETENTION.days} days; run this again after that, or with --purge")
            return
    elif not is_failed and how.drop == "when_due":
        require_retention_over(tenant, utc_now())
    if not is_failed:
        await _export(here, tenant, how, say)
    await purge_tenant(here, tenant, closing)
    say(f"{tenant.code} is deleted; backups of its data key expire within {KEY_BACKUP_DAYS} days")


async def _export(here: Process, tenant: Tenant, how: Deletion, say: Callable[[str], None]) -> None:
    if how.export_dir is not None:
        say(f"its data is in {await export_tenant(here, tenant, how.export_dir)}")
